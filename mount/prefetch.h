/* SPDX-License-Identifier: MIT */
/*
 * Work done ahead of the kernel's requests, by threads of its own: small files that a
 * reader of a whole tree comes to next are handed out before they are asked for
 * (order.h), and what comes next in a large file that is read in order is decoded into
 * the reader's cache.
 */
#ifndef MICA_MOUNT_PREFETCH_H
#define MICA_MOUNT_PREFETCH_H

#include "../lib/image.h"

struct mica_prefetch;

struct mica_prefetch_ops {
	/* All of a file; runs in any of the threads. */
	void (*store)(void *ctx, uint64_t nid, const void *data, size_t len);
	void *ctx;
};

/*
 * img and what ops point to are borrowed. cache_bytes: of the image's cache. There are no
 * threads before there is work for them: most mounts begin with a few small reads.
 */
int mica_prefetch_new(struct mica_image *img, uint64_t cache_bytes, unsigned int threads,
		      const struct mica_prefetch_ops *ops, struct mica_prefetch **out,
		      struct mica_err *err);

/* No more work is begun. True when none is under way. */
bool mica_prefetch_stop(struct mica_prefetch *a);

/* Stops, and waits for what is under way. */
void mica_prefetch_free(struct mica_prefetch *a);

/* The kernel was told of an inode; listed: with its directory, else alone. */
void mica_prefetch_named(struct mica_prefetch *a, const struct mica_inode *inode, bool listed);

/* The kernel asks for these bytes. */
void mica_prefetch_read(struct mica_prefetch *a, const struct mica_inode *inode, uint64_t off,
			uint64_t len);

#endif
