/* SPDX-License-Identifier: MIT */
/*
 * "mica mount --prefetch": what a trace (lib/trace.h) says is read is had at hand before, by
 * threads of their own: as much as may fill three quarters of the cache is decoded, of the
 * rest the kernel is asked to read the stored bytes. Whoever comes meanwhile is served as ever.
 */
#ifndef MICA_MOUNT_WARM_H
#define MICA_MOUNT_WARM_H

#include "../lib/image.h"

struct mica_warm;

struct mica_warm_opts {
	const char *file; /* the trace */
	/* Top to bottom: a path is looked for in one after the other. Borrowed. */
	struct mica_image *const *images;
	unsigned int image_count;
	uint64_t cache_bytes; /* of each image's cache */
	unsigned int threads;
};

/* Reads the trace; nothing is done before mica_warm_start(). */
int mica_warm_new(const struct mica_warm_opts *opts, struct mica_warm **out, struct mica_err *err);

/* Without threads nothing is at hand ahead, which is no failure. w may be NULL. */
void mica_warm_start(struct mica_warm *w);

/* Waits until all is done that can be. */
void mica_warm_wait(struct mica_warm *w);

/* Ends what is under way. w may be NULL. */
void mica_warm_free(struct mica_warm *w);

#endif
