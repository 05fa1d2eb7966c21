/* SPDX-License-Identifier: MIT */
/*
 * A walk over the names of an image, each directory before what is in it and
 * once more behind it, entries in stored order. No recursion, however deep the
 * tree; a directory that has a second name, hence any loop, is an error.
 */
#ifndef MICA_LIB_WALK_H
#define MICA_LIB_WALK_H

#include "err.h"
#include "image.h"
#include "util.h"

struct mica_walk;

enum mica_walk_event {
	MICA_WALK_ENTER, /* a directory, before its entries */
	MICA_WALK_ENTRY, /* anything else */
	MICA_WALK_LEAVE, /* a directory, behind its entries */
};

/* Valid until the next call on the walk. */
struct mica_walk_item {
	enum mica_walk_event event;
	const char *path; /* from the image's root, no leading '/'; "": the root */
	const char *name; /* last part of path */
	size_t depth;	  /* 0: the start */
	struct mica_inode inode;
};

/* start: a path in the image ("" or "/": the root); need not be a directory */
int mica_walk_new(struct mica_image *img, const char *start, struct mica_walk **out,
		  struct mica_err *err);

/* 1: an item; 0: the end; < 0: error, which names the path */
int mica_walk_next(struct mica_walk *walk, struct mica_walk_item *out, struct mica_err *err);

/* Right after MICA_WALK_ENTER: neither its entries nor MICA_WALK_LEAVE will come. */
void mica_walk_skip(struct mica_walk *walk);

void mica_walk_free(struct mica_walk *walk);

static inline void mica_cleanup_walk(struct mica_walk **walk)
{
	mica_walk_free(*walk);
}
#define cleanup_walk cleanup(mica_cleanup_walk)

#endif
