/* SPDX-License-Identifier: MIT */
/* Memory for what lives as long as one entry: taken piece by piece, given back at once. */
#ifndef MICA_MKIMAGE_POOL_H
#define MICA_MKIMAGE_POOL_H

#include <stddef.h>

struct pool_chunk;

/* All zeros: empty. */
struct mica_pool {
	struct pool_chunk *chunks;
};

/* NULL: out of memory. Aligned for any object. */
void *mica_pool_alloc(struct mica_pool *pool, size_t len);

/* A copy of len bytes with a NUL behind them. */
char *mica_pool_copy(struct mica_pool *pool, const void *p, size_t len);

/* Forget all pieces; some memory is kept for the next ones. */
void mica_pool_reset(struct mica_pool *pool);

void mica_pool_free(struct mica_pool *pool);

#endif
