/* SPDX-License-Identifier: MIT */
/* The parts of "mica extract": one walk, two sinks (a directory, a tar stream). */
#ifndef MICA_FSCK_EXTRACT_H
#define MICA_FSCK_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../lib/image.h"
#include "../lib/walk.h"

struct mica_extract {
	struct mica_image *img;
	char **paths; /* normalised, without a leading '/'; none: everything */
	size_t path_count;
	FILE *names; /* -v: one line for each; NULL: quiet */
};

struct mica_extract_sink {
	/* A directory. wanted: it is asked for, not only on the way to something that is. */
	int (*enter)(void *sink, const struct mica_walk_item *item, bool wanted,
		     struct mica_err *err);
	int (*leave)(void *sink, const struct mica_walk_item *item, bool wanted,
		     struct mica_err *err);
	/* Anything else. link: path of an earlier name of the same inode, or NULL. */
	int (*entry)(void *sink, const struct mica_walk_item *item, const char *link,
		     struct mica_err *err);
};

/* Walks the image and hands what is asked for to the sink, each inode's data once. */
int mica_extract_walk(struct mica_extract *x, const struct mica_extract_sink *ops, void *sink,
		      struct mica_err *err);

/*
 * The data of a regular file in order, as runs of at most 1 MiB; hole: a run of
 * zeros that is not stored (buf is NULL, len has no limit).
 */
int mica_extract_data(struct mica_image *img, const struct mica_inode *inode,
		      int (*put)(void *ctx, const void *buf, uint64_t len, uint64_t off, bool hole,
				 struct mica_err *err),
		      void *ctx, struct mica_err *err);

/* A symlink's target, malloc'd, NUL-terminated, without a NUL inside */
int mica_extract_target(struct mica_image *img, const struct mica_inode *inode, char **out,
			struct mica_err *err);

int mica_extract_dir(struct mica_extract *x, const char *dest, struct mica_err *err);
int mica_extract_tar(struct mica_extract *x, int fd, struct mica_err *err);

#endif
