/* SPDX-License-Identifier: MIT */
/*
 * Names of the inodes that the kernel was told of. A mount of one image needs none
 * (nodes.h), so this is only for one whose reads are recorded. Not thread-safe.
 */
#ifndef MICA_MOUNT_PATHS_H
#define MICA_MOUNT_PATHS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "../lib/err.h"

struct mica_paths;

int mica_paths_new(uint64_t root, struct mica_paths **out, struct mica_err *err);
void mica_paths_free(struct mica_paths *paths);

/* Of several names of an inode the first one is kept. */
int mica_paths_add(struct mica_paths *paths, uint64_t nid, uint64_t parent, const char *name,
		   struct mica_err *err);

/* "a/b", from the root. False: nobody named it, or the path is too long. */
bool mica_paths_get(const struct mica_paths *paths, uint64_t nid, char path[PATH_MAX]);

#endif
