/* SPDX-License-Identifier: MIT */
/* What taking the digests and comparing them share. */
#ifndef MICA_MKIMAGE_VERIFY_PRIV_H
#define MICA_MKIMAGE_VERIFY_PRIV_H

#include <stdbool.h>

#include "../lib/image.h"
#include "filesum.h"
#include "verify.h"

struct verify_record {
	const struct mica_tinode *inode;
	uint8_t sum[MICA_KEYHASH_LEN];
};

struct mica_verify {
	uint8_t key[MICA_KEYHASH_KEY];
	struct mica_filesum sum; /* of the content that comes */
	struct verify_record *records;
	size_t count, cap;
};

/* After the last content: put the records in the order that finding needs. */
void verify_settle(struct mica_verify *v);

/* The digest of a file or symlink; NULL: none was taken. */
const uint8_t *verify_find(const struct mica_verify *v, const struct mica_tinode *inode);

/* verify_attr.c: all of an inode but its content, and a directory's entries */
int verify_inode(const struct mica_layout *layout, struct mica_image *img,
		 const struct mica_tnode *node, struct mica_err *err);

#endif
