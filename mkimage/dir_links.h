/* SPDX-License-Identifier: MIT */
/* Which files with several names a directory source has met, by device and inode. */
#ifndef MICA_MKIMAGE_DIR_LINKS_H
#define MICA_MKIMAGE_DIR_LINKS_H

#include <stddef.h>
#include <sys/stat.h>

#include "../lib/err.h"

struct dir_link;

/* All zeros: empty. */
struct mica_dir_links {
	struct dir_link **buckets;
	size_t bucket_count, count;
};

/*
 * *first: the path that the file was met at first, valid until the next call;
 * NULL: this is the first time, and path is remembered until all its names came.
 */
int mica_dir_links_meet(struct mica_dir_links *links, const struct stat *st, const char *path,
			const char **first, struct mica_err *err);

void mica_dir_links_free(struct mica_dir_links *links);

#endif
