/* SPDX-License-Identifier: MIT */
/* What the two files on extended attributes share. */
#ifndef MICA_LIB_IMAGE_XATTR_H
#define MICA_LIB_IMAGE_XATTR_H

#include "image_priv.h"

/*
 * The full name of an entry's name_index and name. 1: done; 0: of a kind that
 * Linux does not show either; < 0: error
 */
int mica_xattr_name(const struct mica_image *img, unsigned int index, const char *suffix,
		    unsigned int len, char *out, size_t cap, struct mica_err *err);

/* The bit of the name filter that stands for such an entry; mica_xattr_name() has taken it. */
uint32_t mica_xattr_filter_bit(const struct mica_image *img, unsigned int index, const char *suffix,
			       unsigned int len);

/* The short prefix of a full name (0: none), and what is behind it. */
unsigned int mica_xattr_index(const char *name, const char **suffix);

#endif
