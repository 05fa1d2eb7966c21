/* SPDX-License-Identifier: MIT */
/*
 * What kind of content a file has, as far as its name and its first bytes say: files of a
 * kind are compressed with each other. Decides what an image looks like.
 */
#ifndef MICA_MKIMAGE_KIND_H
#define MICA_MKIMAGE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the last part of the path says; 0: nothing. */
uint64_t mica_kind_name(const char *path);

/* Together with the first len bytes: a number, the same for files of a kind. */
uint64_t mica_kind(uint64_t name, const unsigned char *head, size_t len);

/* Kinds of one class may be mixed: all texts, all programs. */
unsigned int mica_kind_class(uint64_t kind);

/* What is compressed already is like nothing else. */
bool mica_kind_is_packed(uint64_t kind);

#endif
