/* SPDX-License-Identifier: MIT */
/* Finds whole files that are stored already, by a keyed hash of their content. */
#ifndef MICA_MKIMAGE_DEDUPE_H
#define MICA_MKIMAGE_DEDUPE_H

#include <stdint.h>

#include "../lib/err.h"
#include "../lib/keyhash.h"
#include "../lib/tree.h"

#define MICA_DIGEST MICA_KEYHASH_LEN

struct mica_dedupe;

int mica_dedupe_new(struct mica_dedupe **out, struct mica_err *err);
/* NULL: not there */
const struct mica_tinode *mica_dedupe_find(struct mica_dedupe *d,
					   const uint8_t digest[MICA_DIGEST]);
/* inode is borrowed for the table's life. */
int mica_dedupe_add(struct mica_dedupe *d, const uint8_t digest[MICA_DIGEST],
		    const struct mica_tinode *inode, struct mica_err *err);
void mica_dedupe_free(struct mica_dedupe *d);

#endif
