/* SPDX-License-Identifier: MIT */
/*
 * mkimage --tar-index: an image of metadata alone, whose files are where a tar has
 * them. The tar is its only base, device 1. The tag of that is the SHA-256 of the
 * tar, in hexadecimal digits, which in a container image is the layer's diff_id.
 */
#ifndef MICA_MKIMAGE_TARINDEX_H
#define MICA_MKIMAGE_TARINDEX_H

#include "bases.h"
#include "source.h"
#include "verify.h"

struct mica_spool;

/*
 * The tar as the base of an image: a regular file; of one that has an index behind
 * it already, what is before. path is borrowed. *out is for mica_bases_free() in any
 * case.
 */
int mica_tarindex_open(const char *path, struct mica_bases *out, struct mica_err *err);

/* That the source is a plain tar. */
int mica_tarindex_check(const struct mica_source *src, struct mica_err *err);

/*
 * Point inode, whose size is set, at the data of the entry. 0: done; 1: it is sparse in a
 * way that blocks cannot tell, the content has to be copied. verify: see verify.h; may be
 * NULL.
 */
int mica_tarindex_refer(struct mica_bases *bases, struct mica_source *src,
			const struct mica_entry *e, struct mica_spool *spool,
			struct mica_verify *verify, struct mica_tinode *inode,
			struct mica_err *err);

/* --append: the tar, and an end mark in any case, before the image begins. */
int mica_tarindex_begin(const struct mica_bases *bases, struct mica_outfile *out,
			struct mica_err *err);
/* --append: the footer, behind an image of that many bytes. */
int mica_tarindex_end(const struct mica_bases *bases, struct mica_outfile *out, uint64_t image,
		      struct mica_err *err);

#endif
