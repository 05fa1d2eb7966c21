/* SPDX-License-Identifier: MIT */
/*
 * The extents of large files that are stored, or will be: found by what they
 * begin with. An extent is known as its chunks' digests, so that one can tell how
 * far another content agrees with it. Bounded: what does not fit is not found.
 */
#ifndef MICA_MKIMAGE_EXTINDEX_H
#define MICA_MKIMAGE_EXTINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/err.h"
#include "dedupe.h"

#define MICA_EXT_NONE UINT32_MAX

struct mica_extindex;

/* memory: bytes that it may take */
int mica_extindex_new(size_t memory, struct mica_extindex **out, struct mica_err *err);
void mica_extindex_free(struct mica_extindex *x);

/*
 * A new extent, then its chunks in order, at least one. plain: it may be stored as it is.
 * *id: its number, counted from 0, or MICA_EXT_NONE: there is no room, and no chunk
 * must be added.
 */
int mica_extindex_begin(struct mica_extindex *x, bool plain, uint32_t *id, struct mica_err *err);
int mica_extindex_chunk(struct mica_extindex *x, const uint8_t digest[MICA_DIGEST],
			struct mica_err *err);

/*
 * The first extent that begins with this chunk, and the next one that begins like id;
 * MICA_EXT_NONE: there is none. Of many that begin alike only the first ones are found.
 */
uint32_t mica_extindex_find(const struct mica_extindex *x, const uint8_t digest[MICA_DIGEST]);
uint32_t mica_extindex_next(const struct mica_extindex *x, uint32_t id);

bool mica_extindex_plain(const struct mica_extindex *x, uint32_t id);

/* Chunk i of extent id: its digest, NULL behind the last one. */
const uint8_t *mica_extindex_digest(const struct mica_extindex *x, uint32_t id, uint32_t i);

#endif
