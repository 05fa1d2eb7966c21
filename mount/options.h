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
#include "overlay/ids.h"

enum mica_mount_flag {
	MICA_MOUNT_SUID = 1 << 0,
	MICA_MOUNT_DEV = 1 << 1,
	MICA_MOUNT_NOEXEC = 1 << 2,
	MICA_MOUNT_NOATIME = 1 << 3,
	MICA_MOUNT_ALLOW_OTHER = 1 << 4,
	MICA_MOUNT_DEFAULT_PERMISSIONS = 1 << 5,
	MICA_MOUNT_NOACL = 1 << 6,	    /* access control lists are shown, not enforced */
	MICA_MOUNT_AUTO_UNMOUNT = 1 << 7,   /* fusermount3 stays and cleans up after a crash */
	MICA_MOUNT_RO = 1 << 8,		    /* although there is an upper directory */
	MICA_MOUNT_VOLATILE = 1 << 9,	    /* the upper directory is never synced */
	MICA_MOUNT_NO_REDIRECT = 1 << 10,   /* directories from below are not renamed */
	MICA_MOUNT_USERXATTR = 1 << 11,	    /* overlay attributes are user.overlay.* */
	MICA_MOUNT_NO_WRITEBACK = 1 << 12,  /* each write is passed on before it returns */
	MICA_MOUNT_SQUASH_ROOT = 1 << 13,   /* everything belongs to root */
	MICA_MOUNT_METACOPY = 1 << 14,	    /* a change of attributes copies no data */
	MICA_MOUNT_DOT_WHITEOUTS = 1 << 15, /* .wh.NAME in a directory hides NAME */
	MICA_MOUNT_REDIRECT = 1 << 16,	    /* somebody said redirect_dir=on */
	MICA_MOUNT_PASSTHROUGH = 1 << 17,   /* the kernel reads and writes files itself */
	MICA_MOUNT_STATIC_NLINK = 1 << 18,  /* directories have one link */
	MICA_MOUNT_NOXATTRS = 1 << 19,	    /* no xattrs are shown or taken */
	MICA_MOUNT_TIMEOUT = 1 << 20,	    /* timeout was said */
	MICA_MOUNT_IO_URING = 1 << 21,	    /* requests come by io_uring */
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
	unsigned int owners;  /* as xattr_permissions= says; 0: the host's */
	double timeout;	      /* seconds that the kernel may keep names and attributes */
	unsigned int threads; /* 0: the default */
	const char *prefetch; /* a trace of what to have at hand; NULL: nothing */
	const char *trace;    /* file that says what is read; NULL: none; may point into words */
	bool foreground;
	bool quiet;
	bool wants_write; /* somebody said rw */
	bool helper;	  /* called as mount.mica */
	bool stand_in;	  /* called as fuse-overlayfs */
	bool version;	  /* and asked for that */
	struct mica_ids ids;
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

/* words.c: what was said with -o; and what lowerdir= among it names, as layers. */
int mica_mount_words_apply(struct mica_mount_opts *opts, struct mica_err *err);
int mica_mount_lowerdir_split(struct mica_mount_opts *opts, struct mica_err *err);

/* Options that are words as well. ctx: struct mica_mount_opts */
int mica_mount_set_upper(void *ctx, const char *value, struct mica_err *err);
int mica_mount_set_work(void *ctx, const char *value, struct mica_err *err);
int mica_mount_set_prefetch(void *ctx, const char *value, struct mica_err *err);
int mica_mount_set_trace(void *ctx, const char *value, struct mica_err *err);
int mica_mount_set_offset(void *ctx, const char *value, struct mica_err *err);
int mica_mount_set_device(void *ctx, const char *value, struct mica_err *err);
#define cleanup_mount_opts cleanup(mica_mount_opts_clear)

#endif
