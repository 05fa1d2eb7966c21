/* SPDX-License-Identifier: MIT */
/* What the verbs that build an image have in common: signals, progress, the summary. */
#ifndef MICA_MKIMAGE_RUN_H
#define MICA_MKIMAGE_RUN_H

#include "build.h"
#include "platform.h"

enum mica_progress_mode {
	MICA_PROGRESS_AUTO,
	MICA_PROGRESS_ALWAYS,
	MICA_PROGRESS_NEVER,
};

struct mica_run_opts {
	bool quiet, json;
	bool ignore_zeros;  /* between tars */
	bool per_layer;	    /* an image for each layer; image is where they go */
	bool user_overlay;  /* with attributes in "user." for overlayfs */
	bool has_whiteouts; /* that was said */
	enum mica_progress_mode progress;
	const char *order; /* the file that build->ordered is from */
};

/*
 * mica_build() with all that it has to say on standard output and error; the error is
 * the caller's. operands: sources as mica_layers_add() takes them, with build->bases
 * images. platform may be NULL.
 */
int mica_run(const char *verb, const char *image, const char *const *operands, unsigned int count,
	     const struct mica_platform *platform, const struct mica_build_opts *build,
	     const struct mica_run_opts *opts, struct mica_err *err);

#endif
