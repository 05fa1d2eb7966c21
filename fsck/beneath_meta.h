/* SPDX-License-Identifier: MIT */
/* Metadata of what was just made, by descriptor only: the other half of beneath.c. */
#ifndef MICA_FSCK_BENEATH_META_H
#define MICA_FSCK_BENEATH_META_H

#include <stdbool.h>

#include "beneath.h"

/*
 * fd: of the object itself, made by openat2(). by_path: it is an O_PATH
 * descriptor, which the metadata calls reach through /proc/self/fd.
 */
int mica_beneath_meta_apply(int fd, bool by_path, const struct mica_beneath_meta *meta,
			    struct mica_beneath_skipped *skipped, struct mica_err *err);

/* chmod through an O_PATH descriptor; 0 or -1 with errno */
int mica_beneath_meta_chmod(int fd, mode_t mode);

#endif
