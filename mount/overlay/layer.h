/* SPDX-License-Identifier: MIT */
/*
 * One layer below the upper directory: an image or a plain directory. Both answer
 * the same questions, so that merging (lookup.h, listing.h) and copying up do not
 * know which they have before them.
 *
 * In mount/overlay a function returns 0 or a count, or a negative errno: it is what
 * the kernel's request is answered with. What is wrong with an image is logged where
 * it is met, in full, and becomes EIO.
 */
#ifndef MICA_OVERLAY_LAYER_H
#define MICA_OVERLAY_LAYER_H

#include <limits.h>
#include <sys/stat.h>

#include "../../lib/image.h"
#include "../../lib/util.h"

struct mica_ovl_layer {
	unsigned int depth; /* from 1 on, bottom to top; 0: the upper directory */
	unsigned int fs;    /* file system that inodes are numbered in: the high bits of st_ino */
	char *name;	    /* as the user gave it; owned */
	struct mica_image *image; /* owned; NULL: a directory */
	const struct mica_super *sb;
	int fd;		    /* a directory's, else -1 */
	uint8_t uuid[16];   /* of the file system, all zeros when unknown */
	bool userxattr;	    /* overlay attributes are user.overlay.*, see xattrs.h */
	const char *owners; /* the xattr that has them (owners.h), NULL: as on the host */
	bool dot_whiteouts; /* files of an image specification's names count, too: see layer.c */
};

/*
 * Where something lies in a layer. An image's objects are told by nid, a
 * directory's by a path from the layer's root ("." is the root itself) or by a
 * descriptor.
 */
struct mica_place {
	const struct mica_ovl_layer *layer;
	uint64_t nid;
	int fd;		     /* directories: O_PATH, borrowed; -1: by path */
	int base;	     /* what path begins at: the layer's root, or a directory in it */
	char path[PATH_MAX]; /* directories only */
};

/* What a lookup found. */
struct mica_found {
	struct stat st; /* st_ino is the layer's own */
	uint64_t nid;
	bool whiteout;
};

/* Sniffs: a directory or an image in a file. *layer is for mica_ovl_layer_clear(), also after errors. */
int mica_ovl_layer_open(struct mica_ovl_layer *layer, const struct mica_image_files *files,
			const struct mica_image_opts *opts, struct mica_err *err);
void mica_ovl_layer_clear(struct mica_ovl_layer *layer);

/* The layer's root directory. */
void mica_ovl_layer_root(const struct mica_ovl_layer *layer, struct mica_place *out);

/* A name that says something of another one, and is not shown: MICA_DOT_WHITEOUT with that. */
bool mica_ovl_layer_reserves(const struct mica_ovl_layer *layer, const char *name);
#define MICA_DOT_WHITEOUT ".wh."

/* Steps down: place becomes that of name in it, which was found there. */
int mica_place_enter(struct mica_place *place, const char *name, const struct mica_found *found);

/* That a directory hides what is below it is said by a file in it. */
bool mica_place_dot_opaque(const struct mica_place *dir);

int mica_place_stat(const struct mica_place *place, struct stat *st);

/* -ENOENT: there is no such name. Whiteouts of all kinds are told, not judged. */
int mica_place_lookup(const struct mica_place *dir, const char *name, struct mica_found *out);

/* NUL-terminated in buf. */
int mica_place_readlink(const struct mica_place *place, char *buf, size_t cap);

/* As getxattr(2) and listxattr(2), raw: overlay attributes are shown. */
long mica_place_getxattr(const struct mica_place *place, const char *name, void *buf, size_t cap);
long mica_place_listxattr(const struct mica_place *place, char *buf, size_t cap);

/* Calls each() for every name but "." and ".." until it returns other than 0, and returns that. */
typedef int mica_place_each(void *ctx, const char *name, uint64_t ino, mode_t type);
int mica_place_list(const struct mica_place *dir, mica_place_each *each, void *ctx);

/* Reads a regular file. fd: of the file in a directory, from mica_place_open(), else -1 */
long mica_place_read(const struct mica_place *place, int fd, void *buf, size_t len, uint64_t off);
int mica_place_open(const struct mica_place *place, int *fd);
/* As lseek(2) with SEEK_DATA or SEEK_HOLE. */
off_t mica_place_seek(const struct mica_place *place, int fd, uint64_t off, bool hole);

#endif
