/* SPDX-License-Identifier: MIT */
/* The on-disk form of a directory: blocks of entries sorted by bytes. */
#ifndef MICA_MKIMAGE_DIRENTS_H
#define MICA_MKIMAGE_DIRENTS_H

#include <stdbool.h>

#include "../lib/tree.h"

/* block: bytes of one, at most MICA_BLOCK. Bytes: whole blocks, and what the last one holds. dot: "." is an entry, else the reader adds it */
uint64_t mica_dirents_size(const struct mica_tnode *dir, bool dot, uint32_t block);

/*
 * Encode the directory; emit() gets each full block (len block, padded) and the
 * last one (len as it is) in order. The children's nids must be known.
 */
int mica_dirents_encode(const struct mica_tnode *dir, bool dot, uint32_t block,
			int (*emit)(void *ctx, const void *block, uint32_t len,
				    struct mica_err *err),
			void *ctx, struct mica_err *err);

#endif
