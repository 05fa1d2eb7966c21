/* SPDX-License-Identifier: MIT */
/*
 * The blocks of uncompressed files that are stored, found by the digest of their
 * content. Bounded: what does not fit is not found.
 */
#ifndef MICA_MKIMAGE_BLOCKINDEX_H
#define MICA_MKIMAGE_BLOCKINDEX_H

#include <stddef.h>
#include <stdint.h>

#include "../lib/err.h"
#include "dedupe.h"

#define MICA_BLOCKINDEX_NONE UINT32_MAX

struct mica_blockindex;

/* memory: bytes that it may take */
int mica_blockindex_new(size_t memory, struct mica_blockindex **out, struct mica_err *err);
void mica_blockindex_free(struct mica_blockindex *x);

/* A block is stored; where it lies, in blocks of the image. */
int mica_blockindex_add(struct mica_blockindex *x, const uint8_t digest[MICA_DIGEST],
			uint32_t block, struct mica_err *err);

/*
 * Where a block with this content lies: right behind the block last where that is possible,
 * else the first one that was added. MICA_BLOCKINDEX_NONE: there is none; last may be
 * that as well.
 */
uint32_t mica_blockindex_find(struct mica_blockindex *x, const uint8_t digest[MICA_DIGEST],
			      uint32_t last);

/* So many were added; back to the time when it were fewer. */
uint32_t mica_blockindex_count(const struct mica_blockindex *x);
void mica_blockindex_cut(struct mica_blockindex *x, uint32_t count);

#endif
