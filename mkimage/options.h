/* SPDX-License-Identifier: MIT */
/* The command line of mkimage. */
#ifndef MICA_MKIMAGE_OPTIONS_H
#define MICA_MKIMAGE_OPTIONS_H

#include "../lib/opt.h"
#include "build.h"
#include "run.h"

struct mica_mkimage_options {
	struct mica_build_opts build;
	struct mica_rules rules;  /* build.rules points here when there are any */
	const char *codec;	  /* -z, NULL: the default of the compat level */
	const char *meta_cluster; /* --metadata-cluster as given, NULL: the default */
	bool have_compat;
	bool best;	       /* --best */
	bool cluster;	       /* -C was given */
	bool fragments;	       /* --fragments was given */
	const char *tar_index; /* the option that asked for build.tar_index; NULL: none */
	bool has_platform;
	struct mica_platform platform; /* of images in layouts */
	struct mica_run_opts run;
	const char **excludes; /* owned; NULL-terminated; build.apply.excludes points here */
	size_t exclude_count;
	struct mica_opt_list bases;   /* --base */
	struct mica_ordered *ordered; /* owned; build.ordered points here */
};

extern const struct mica_opt mica_mkimage_opts[];

/*
 * Parse argv, then SOURCE_DATE_EPOCH, then check that everything fits together.
 * Operands stand in argv[1..*operands].
 */
int mica_mkimage_options_parse(struct mica_mkimage_options *o, int argc, char **argv, int *operands,
			       struct mica_err *err);
void mica_mkimage_options_free(struct mica_mkimage_options *o);

extern const struct mica_opt mica_merge_opts[];

/* The same for mica merge, whose --compat is not settled until the layers are known. */
int mica_merge_options_parse(struct mica_mkimage_options *o, int argc, char **argv, int *operands,
			     struct mica_err *err);

#endif
