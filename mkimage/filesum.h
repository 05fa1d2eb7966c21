/* SPDX-License-Identifier: MIT */
/*
 * The digest of one file's content. Zeros count the same whether they come as
 * bytes or as a length, so that holes need not be spelled out on either side.
 */
#ifndef MICA_MKIMAGE_FILESUM_H
#define MICA_MKIMAGE_FILESUM_H

#include <stddef.h>
#include <stdint.h>

#include "../lib/keyhash.h"

#define MICA_FILESUM_BLOCK 4096u

struct mica_filesum {
	struct mica_keyhash *hash;
	uint64_t data, zeros; /* bytes of the run that is added to: data, then zeros behind it */
	size_t fill;	      /* bytes in block, which is not whole yet */
	unsigned char block[MICA_FILESUM_BLOCK];
};

/* Sums under the same key are comparable. */
int mica_filesum_init(struct mica_filesum *s, const uint8_t key[MICA_KEYHASH_KEY],
		      struct mica_err *err);
void mica_filesum_clear(struct mica_filesum *s);

void mica_filesum_begin(struct mica_filesum *s);
void mica_filesum_add(struct mica_filesum *s, const void *buf, size_t len);
void mica_filesum_zeros(struct mica_filesum *s, uint64_t len);
int mica_filesum_end(struct mica_filesum *s, uint8_t out[MICA_KEYHASH_LEN], struct mica_err *err);

#endif
