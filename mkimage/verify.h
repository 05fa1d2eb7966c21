/* SPDX-License-Identifier: MIT */
/*
 * mkimage --verify: digests of all contents, taken while they come from the
 * sources, and the comparison of the finished image, read back, with them and
 * with the tree.
 */
#ifndef MICA_MKIMAGE_VERIFY_H
#define MICA_MKIMAGE_VERIFY_H

#include <stdint.h>

#include "layout.h"
#include "outfile.h"

struct mica_verify;

int mica_verify_new(struct mica_verify **out, struct mica_err *err);
void mica_verify_free(struct mica_verify *v);

/*
 * One content after another, as it comes; nothing is done when v is NULL. inode
 * must live until mica_verify_image().
 */
void mica_verify_begin(struct mica_verify *v);
void mica_verify_add(struct mica_verify *v, const void *buf, size_t len);
void mica_verify_zeros(struct mica_verify *v, uint64_t len);
int mica_verify_end(struct mica_verify *v, const struct mica_tinode *inode, struct mica_err *err);

/*
 * Compare the image with what the layout was made of; the first difference is
 * an error that names the file. tick: called with the bytes of contents that
 * are done with; may be NULL.
 */
int mica_verify_image(struct mica_verify *v, const struct mica_layout *layout,
		      const struct mica_outfile *image, void (*tick)(void *ctx, uint64_t done),
		      void *ctx, struct mica_err *err);

#endif
