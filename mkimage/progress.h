/* SPDX-License-Identifier: MIT */
/* The progress line of mkimage, on standard error. */
#ifndef MICA_MKIMAGE_PROGRESS_H
#define MICA_MKIMAGE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "build.h"

struct mica_progress {
	bool shown;   /* whether to show anything at all */
	bool drawn;   /* a line stands on the terminal */
	double start; /* seconds, monotonic */
	double last;
	double source_start; /* of the current source */
	unsigned int source;
};

double mica_progress_now(void);
void mica_progress_start(struct mica_progress *p, bool shown);
void mica_progress_update(struct mica_progress *p, const struct mica_build_state *state);
/* Wipe the line, so that a message can take its place. */
void mica_progress_clear(struct mica_progress *p);

/* "1.5 GB" and so on (powers of 1000); buf of at least 16 bytes */
void mica_progress_bytes(uint64_t bytes, char *buf, size_t len);

#endif
