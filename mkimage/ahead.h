/* SPDX-License-Identifier: MIT */
/*
 * A blob that is read and decompressed ahead of need, by a thread of its own.
 * A second thread hashes what comes out, when a digest is expected of it. What
 * waits is bounded by a pool that several of them share: each may always hold a
 * little, so that none waits for another one.
 */
#ifndef MICA_MKIMAGE_AHEAD_H
#define MICA_MKIMAGE_AHEAD_H

#include "unpack.h"

struct mica_ahead_pool;
struct mica_ahead;

/* bytes: of what waits, beyond the little. threads: how many may decompress at once. */
int mica_ahead_pool_new(uint64_t bytes, unsigned int threads, struct mica_ahead_pool **out,
			struct mica_err *err);

/* After all that uses it. */
void mica_ahead_pool_free(struct mica_ahead_pool *pool);

/* Whether there is a thread and memory for one more. */
bool mica_ahead_pool_has_room(struct mica_ahead_pool *pool);

/*
 * pool is borrowed, blob and unpack are taken over with success. diff_id: what
 * the decompressed bytes must have, NULL: anything. Starts at once.
 */
int mica_ahead_new(struct mica_ahead_pool *pool, struct mica_blob *blob, struct mica_unpack *unpack,
		   const struct mica_digest *diff_id, struct mica_ahead **out,
		   struct mica_err *err);

/* Does not wait for input that does not come. */
void mica_ahead_free(struct mica_ahead *a);

/*
 * 1: *p holds the next *len bytes until the next call; 0: the end, all is as
 * promised. Wrong digests go before other errors.
 */
int mica_ahead_next(struct mica_ahead *a, const unsigned char **p, size_t *len,
		    struct mica_err *err);

/* After an error in what was read: if the bytes are not those that were promised, say that. */
void mica_ahead_blame(struct mica_ahead *a, struct mica_err *err);

#endif
