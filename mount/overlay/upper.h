/* SPDX-License-Identifier: MIT */
/*
 * The upper directory and the work directory beside it, in overlayfs' own format
 * (Documentation/filesystems/overlayfs.rst): whiteouts are 0:0 devices, a directory that
 * hides what is below it is marked opaque. What takes more than one step is made ready
 * in the work directory and then given its name in one.
 */
#ifndef MICA_OVERLAY_UPPER_H
#define MICA_OVERLAY_UPPER_H

#include "node.h"

#define MICA_TEMP_NAME_MAX 32

/* work: NULL is UPPER.work beside it, made when it is missing. *u is for mica_upper_close(). */
int mica_upper_open(struct mica_upper *u, const char *upper, const char *work, unsigned int flags,
		    struct mica_err *err);
void mica_upper_close(struct mica_upper *u);

/* A name that nothing in the work directory has. */
void mica_upper_temp(struct mica_upper *u, char name[MICA_TEMP_NAME_MAX]);
/* Removes what lies there under a name: a file, or a directory that holds whiteouts only. */
void mica_upper_discard(struct mica_upper *u, const char *name);

/* Sets one of overlayfs' attributes of what is in the work directory, or at a place. */
int mica_upper_mark_temp(struct mica_upper *u, const char *name, const char *key, const void *value,
			 size_t len);
int mica_upper_mark(const struct mica_place *at, const char *key, const void *value, size_t len);
/* Takes one from an open file; one that is not there is none. */
int mica_upper_unmark(const struct mica_upper *u, int fd, const char *key);

/* A whiteout in the work directory. */
int mica_upper_whiteout_temp(struct mica_upper *u, char name[MICA_TEMP_NAME_MAX]);
/* The file goes that says that name, which is there again, is hidden. */
void mica_upper_uncover(const struct mica_place *dir, const char *name);
/* A whiteout where nothing is; -EEXIST. */
int mica_upper_whiteout(struct mica_upper *u, const struct mica_place *at);
/* From the work directory to a place. flags: as for renameat2(2) */
int mica_upper_place(struct mica_upper *u, const char *name, const struct mica_place *at,
		     unsigned int flags);

#endif
