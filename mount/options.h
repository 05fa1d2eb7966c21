/* SPDX-License-Identifier: MIT */
/*
 * What the user asked of "mica mount": the command line, the words of -o, and
 * the conventions of mount(8) when it calls mount.mica.
 */
#ifndef MICA_MOUNT_OPTIONS_H
#define MICA_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/err.h"
#include "../lib/opt.h"
#include "../lib/util.h"

enum mica_mount_flag {
	MICA_MOUNT_SUID = 1 << 0,
	MICA_MOUNT_DEV = 1 << 1,
	MICA_MOUNT_NOEXEC = 1 << 2,
	MICA_MOUNT_NOATIME = 1 << 3,
	MICA_MOUNT_ALLOW_OTHER = 1 << 4,
	MICA_MOUNT_DEFAULT_PERMISSIONS = 1 << 5,
	MICA_MOUNT_NOACL = 1 << 6,	  /* access control lists are shown, not enforced */
	MICA_MOUNT_AUTO_UNMOUNT = 1 << 7, /* fusermount3 stays and cleans up after a crash */
	MICA_MOUNT_RO = 1 << 8,		  /* although there is an upper directory */
	MICA_MOUNT_VOLATILE = 1 << 9,	  /* the upper directory is never synced */
	MICA_MOUNT_NO_REDIRECT = 1 << 10, /* directories from below are not renamed */
	MICA_MOUNT_USERXATTR = 1 << 11,	  /* overlay attributes are user.overlay.* */
};

struct mica_mount_opts {
	const char *image;	     /* the only layer, and nothing is written; else NULL */
	struct mica_opt_list layers; /* images and directories, bottom to top */
	const char *upper;	     /* NULL: read-only; points into words or is the caller's */
	const char *work;	     /* NULL: beside upper */
	char *lowerdir;		     /* as in -o; points into words */
	const char *mountpoint;
	unsigned int flags; /* enum mica_mount_flag */
	uint64_t offset;    /* bytes */
	struct mica_opt_list devices;
	uint64_t cache_bytes; /* 0: the reader's default */
	unsigned int threads; /* 0: libfuse's default */
	bool foreground;
	bool quiet;
	bool wants_write;    /* somebody said rw */
	bool helper;	     /* called as mount.mica */
	bool fake;	     /* helper -f: all but the mount */
	bool sloppy;	     /* helper -s: ignore unknown words */
	const char *fsname;  /* NULL: the image's path; points into words */
	const char *subtype; /* points into words */
	char *words;	     /* owned: all -o arguments; split after parsing */
};

extern const struct mica_opt mica_mount_opts_table[];

/* argv[0] tells whether mount(8) is calling. *opts is for mica_mount_opts_clear(), also on errors. */
int mica_mount_opts_parse(struct mica_mount_opts *opts, int argc, char **argv,
			  struct mica_err *err);
void mica_mount_opts_clear(struct mica_mount_opts *opts);
#define cleanup_mount_opts cleanup(mica_mount_opts_clear)

#endif
