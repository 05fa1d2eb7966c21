/* SPDX-License-Identifier: MIT */
/*
 * Lists of globs that paths are held against. A glob without a slash is for names,
 * at any depth; one with a slash for whole paths from the root, of which "**"
 * between slashes stands for any number of directories. What matches a directory
 * counts for all below it.
 */
#ifndef MICA_MKIMAGE_GLOBS_H
#define MICA_MKIMAGE_GLOBS_H

#include <stddef.h>

#include "../lib/err.h"

#define MICA_GLOBS_NONE SIZE_MAX

struct mica_glob;

/* All zeros at first. */
struct mica_globs {
	struct mica_glob *list;
	size_t count;
};

/* Leading "/" and "./" mean the root; trailing slashes nothing. MICA_E_USAGE: an empty glob. */
int mica_globs_add(struct mica_globs *g, const char *glob, struct mica_err *err);
void mica_globs_free(struct mica_globs *g);

/*
 * The last glob that matches path ("a/b", no slash before or behind it) or a directory
 * above it: its number in the order of addition, or MICA_GLOBS_NONE.
 */
int mica_globs_find(const struct mica_globs *g, const char *path, size_t *found,
		    struct mica_err *err);

#endif
