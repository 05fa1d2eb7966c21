/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define POOL_CHUNK ((size_t)16 * 1024)

struct pool_chunk {
	struct pool_chunk *next;
	size_t size, used;
	_Alignas(max_align_t) unsigned char bytes[];
};

void *mica_pool_alloc(struct mica_pool *pool, size_t len)
{
	struct pool_chunk *chunk = pool->chunks;
	size_t bytes = (size_t)mica_round_up(len, _Alignof(max_align_t));

	if (bytes < len)
		return NULL;
	if (!chunk || chunk->size - chunk->used < bytes) {
		size_t size = bytes > POOL_CHUNK ? bytes : POOL_CHUNK;

		if (size > SIZE_MAX - sizeof(*chunk))
			return NULL;
		chunk = malloc(sizeof(*chunk) + size);
		if (!chunk)
			return NULL;
		chunk->next = pool->chunks;
		chunk->size = size;
		chunk->used = 0;
		pool->chunks = chunk;
	}
	chunk->used += bytes;
	return chunk->bytes + chunk->used - bytes;
}

char *mica_pool_copy(struct mica_pool *pool, const void *p, size_t len)
{
	char *copy = len < SIZE_MAX ? mica_pool_alloc(pool, len + 1) : NULL;

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

void mica_pool_reset(struct mica_pool *pool)
{
	struct pool_chunk *kept = NULL;

	while (pool->chunks) {
		struct pool_chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		if (!kept && chunk->size == POOL_CHUNK) {
			kept = chunk;
			kept->used = 0;
			kept->next = NULL;
		} else {
			free(chunk);
		}
	}
	pool->chunks = kept;
}

void mica_pool_free(struct mica_pool *pool)
{
	while (pool->chunks) {
		struct pool_chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		free(chunk);
	}
}
