/* SPDX-License-Identifier: MIT */
/* The parts of the directory source. */
#ifndef MICA_MKIMAGE_SOURCE_DIR_H
#define MICA_MKIMAGE_SOURCE_DIR_H

#include <sys/stat.h>

#include "dir_links.h"
#include "source_impl.h"

/* The names of one directory, in order of bytes. */
struct mica_dir_names {
	char *bytes; /* one after another, each with its NUL */
	size_t len, cap;
	const char **v;
	size_t count;
};

/* fd is left as it was. */
int mica_dir_names_read(struct mica_dir_names *names, int fd, struct mica_err *err);
void mica_dir_names_free(struct mica_dir_names *names);

/* For a list of xattrs and for a value, see xattr(7). */
#define MICA_DIR_XATTR_BUF ((size_t)2 * 65536)

/*
 * All xattrs of a file that are visible here. buf: MICA_DIR_XATTR_BUF bytes. fd: the file itself, or -1: name
 * in dir_fd, which is not followed when it is a symlink.
 */
int mica_dir_xattrs(struct mica_source *src, char *buf, int fd, int dir_fd, const char *name,
		    struct mica_err *err);

/* The data runs of a file that has fewer blocks than its size takes; none: *found is false. */
int mica_dir_runs(struct mica_runs *runs, int fd, const struct stat *st, bool *found,
		  struct mica_err *err);

#endif
