/* SPDX-License-Identifier: MIT */
/*
 * What kind of content a file has, as far as its first bytes say: only files of a kind are
 * put beside each other for their likeness. Decides what an image looks like.
 */
#ifndef MICA_MKIMAGE_KIND_H
#define MICA_MKIMAGE_KIND_H

#include <stddef.h>

/* In the order in which they are stored. */
enum mica_kind {
	MICA_KIND_OTHER,   /* texts, and data that often repeat their words */
	MICA_KIND_ARCHIVE, /* static libraries */
	MICA_KIND_PROGRAM, /* ELF files */
	MICA_KIND_PACKED,  /* compressed already: like nothing else */
};

enum mica_kind mica_kind(const unsigned char *head, size_t len);

#endif
