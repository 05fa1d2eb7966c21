/* SPDX-License-Identifier: MIT */
/*
 * A destination directory that extraction cannot be led out of. Every name is
 * created in a directory that is held open, opened with openat2() so that no
 * symlink and no ".." counts; metadata is set through descriptors of what was
 * just made. What is in the way of a name is removed, never followed or opened;
 * an existing directory is kept and filled.
 *
 * What the user lacks the right to restore, or the file system cannot hold, is
 * counted, not failed on.
 */
#ifndef MICA_FSCK_BENEATH_H
#define MICA_FSCK_BENEATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../lib/err.h"
#include "../lib/util.h"
#include "xattrlist.h"

struct mica_beneath;

struct mica_beneath_meta {
	uint16_t mode; /* with the type bits */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	const struct mica_xattrlist *xattrs;
};

/* How often something could not be restored for want of rights or support. */
struct mica_beneath_skipped {
	uint64_t owners;
	uint64_t setids;  /* setuid and setgid bits, left off where the owner is not right */
	uint64_t devices; /* nodes not made */
	uint64_t times;	  /* beyond those of the file system */
	uint64_t xattrs;
	char xattr_name[256]; /* the first of them */
	int xattr_errno;
};

/* dest is created when it is missing; symlinks in dest itself are the user's wish. */
int mica_beneath_new(const char *dest, struct mica_beneath **out, struct mica_err *err);
void mica_beneath_free(struct mica_beneath *b);
const struct mica_beneath_skipped *mica_beneath_skipped(const struct mica_beneath *b);

/* Make or keep the directory name and go into it. */
int mica_beneath_enter(struct mica_beneath *b, const char *name, struct mica_err *err);

/*
 * Set the current directory's metadata (also the destination's own) and go back
 * up. made_only: a directory that was there before keeps what it has.
 */
int mica_beneath_leave(struct mica_beneath *b, bool made_only, const struct mica_beneath_meta *meta,
		       struct mica_err *err);

/* A new regular file, open for writing; *fd is the caller's. */
int mica_beneath_create(struct mica_beneath *b, const char *name, int *fd, struct mica_err *err);

/* Its metadata, once it is written. */
int mica_beneath_finish(struct mica_beneath *b, int fd, const struct mica_beneath_meta *meta,
			struct mica_err *err);

int mica_beneath_symlink(struct mica_beneath *b, const char *name, const char *target,
			 const struct mica_beneath_meta *meta, struct mica_err *err);

/* Devices, FIFOs and sockets. */
int mica_beneath_mknod(struct mica_beneath *b, const char *name, dev_t dev,
		       const struct mica_beneath_meta *meta, struct mica_err *err);

/* target: a path that was extracted before, from the destination's root; type: of its mode */
int mica_beneath_link(struct mica_beneath *b, const char *name, const char *target, mode_t type,
		      struct mica_err *err);

static inline void mica_cleanup_beneath(struct mica_beneath **b)
{
	mica_beneath_free(*b);
}
#define cleanup_beneath cleanup(mica_cleanup_beneath)

#endif
