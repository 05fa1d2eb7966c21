/* SPDX-License-Identifier: MIT */
/* What the kernel says is mounted at a path. */
#ifndef MICA_MOUNT_MOUNTINFO_H
#define MICA_MOUNT_MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "../lib/err.h"

#define MICA_MOUNT_TYPE "fuse.mica"

struct mica_mountinfo {
	char type[64];
	char source[PATH_MAX];
};

/* A mount; what is not 0 ends the walk. */
typedef int mica_mountinfo_seen(void *ctx, const char *path, const struct mica_mountinfo *info,
				struct mica_err *err);

/* All mounts that this process sees, in their order. */
int mica_mountinfo_each(mica_mountinfo_seen *seen, void *ctx, struct mica_err *err);

/* The topmost mount at path (absolute, without symlinks). 1: found; 0: none; < 0: error */
int mica_mountinfo_find(const char *path, struct mica_mountinfo *out, struct mica_err *err);

/*
 * The absolute path of a mountpoint, in a buffer of PATH_MAX bytes. Works also
 * where the mount itself answers nothing any more.
 */
int mica_mountinfo_resolve(const char *path, char *out, struct mica_err *err);

/* Unmount the topmost mount at path, as root or through fusermount3. */
int mica_mountinfo_unmount(const char *path, bool lazy, struct mica_err *err);

#endif
