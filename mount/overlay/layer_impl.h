/* SPDX-License-Identifier: MIT */
/* The two kinds of layers behind layer.h: each question, asked of an image or of a directory. */
#ifndef MICA_OVERLAY_LAYER_IMPL_H
#define MICA_OVERLAY_LAYER_IMPL_H

#include "layer.h"

/* layer_image.c */
int mica_in_image_stat(const struct mica_place *place, struct stat *st);
int mica_in_image_lookup(const struct mica_place *dir, const char *name, struct mica_found *out);
int mica_in_image_readlink(const struct mica_place *place, char *buf, size_t cap);
long mica_in_image_getxattr(const struct mica_place *place, const char *name, void *buf,
			    size_t cap);
long mica_in_image_listxattr(const struct mica_place *place, char *buf, size_t cap);
int mica_in_image_list(const struct mica_place *dir, mica_place_each *each, void *ctx);
long mica_in_image_read(const struct mica_place *place, void *buf, size_t len, uint64_t off);
off_t mica_in_image_seek(const struct mica_place *place, uint64_t off, bool hole);

/*
 * What lies in a directory layer, for a few calls: the ...at() calls take the first three; xattrs
 * and modes have calls of their own here.
 */
struct mica_handle {
	int dir;
	const char *name; /* "": dir itself */
	int flags;	  /* AT_EMPTY_PATH, or AT_SYMLINK_NOFOLLOW */
	bool owned;	  /* dir was opened for it */
};

/* at must outlive it */
int mica_handle_open(const struct mica_place *at, struct mica_handle *h);
void mica_handle_close(struct mica_handle *h);
#define cleanup_handle cleanup(mica_handle_close)
long mica_handle_getxattr(const struct mica_handle *h, const char *name, void *buf, size_t cap);
/* value NULL: take it away. flags: as for setxattr(2) */
int mica_handle_setxattr(const struct mica_handle *h, const char *name, const void *value,
			 size_t len, int flags);
/* Not of a symlink. */
int mica_handle_chmod(const struct mica_handle *h, mode_t mode);

/* layer_dir.c */
/* A descriptor of what is there; O_PATH for the second. */
int mica_in_dir_open_as(const struct mica_place *place, int flags);
int mica_in_dir_open_path(const struct mica_place *place);
int mica_in_dir_stat(const struct mica_place *place, struct stat *st);
int mica_in_dir_lookup(const struct mica_place *dir, const char *name, struct mica_found *out);
int mica_in_dir_readlink(const struct mica_place *place, char *buf, size_t cap);
long mica_in_dir_getxattr(const struct mica_place *place, const char *name, void *buf, size_t cap);
long mica_in_dir_listxattr(const struct mica_place *place, char *buf, size_t cap);
int mica_in_dir_list(const struct mica_place *dir, mica_place_each *each, void *ctx);
int mica_in_dir_open(const struct mica_place *place, int *fd);

#endif
