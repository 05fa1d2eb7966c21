/* SPDX-License-Identifier: MIT */
/*
 * A stack of layers and, above them, an upper directory that takes all changes: what
 * the kernel's overlayfs does, in one process with the image reader.
 *
 * Locks, in the order in which they are taken:
 *   tree     for reading by whatever resolves a node to a place; for writing by whatever
 *            gives or takes a name (create, link, unlink, rename)
 *   copying  of a node (a few of them, by its number): one copy-up at a time
 *   the rest guards one table each (node.c, files.c, listing.c) and is held for moments
 */
#ifndef MICA_OVERLAY_OVERLAY_H
#define MICA_OVERLAY_OVERLAY_H

#include <pthread.h>
#include <stdatomic.h>

#include "ids.h"
#include "layer.h"

#define MICA_OVL_COPYING    64
#define MICA_OVL_LAYERS_MAX 500 /* as many as the kernel stacks */

/* st_ino: the number of its file system (0: the upper's) above the inode's number in it. */
#define MICA_OVL_INO_BITS 52

enum mica_ovl_flag {
	MICA_OVL_USERXATTR = 1 << 0,	 /* user.overlay.* instead of trusted.overlay.* */
	MICA_OVL_VOLATILE = 1 << 1,	 /* nothing is ever synced */
	MICA_OVL_REDIRECT = 1 << 2,	 /* directories of lower layers may be renamed */
	MICA_OVL_WRITEBACK = 1 << 3,	 /* the kernel gathers writes */
	MICA_OVL_DOT_WHITEOUTS = 1 << 4, /* .wh.NAME in a directory hides NAME */
	MICA_OVL_METACOPY = 1 << 5,	 /* what changes no data copies none */
	MICA_OVL_REDIRECT_USER = 1 << 6, /* directories may be renamed with user.overlay.*, too */
	MICA_OVL_STATIC_NLINK = 1 << 7,	 /* directories are shown with one link */
	MICA_OVL_NOXATTRS = 1 << 8,	 /* users have no xattrs */
};

struct mica_nodes;
struct mica_anchors;
struct mica_files;

/* The directory that takes the changes, and the one where they are made ready. */
struct mica_upper {
	struct mica_ovl_layer layer; /* the same questions as below; fd < 0: none, read-only */
	int work;		     /* WORK/work, on the same file system */
	int lock;		     /* WORK, held so that no other process uses it */
	int index;		     /* WORK/index (index.h), -1: none */
	atomic_bool indexed;	     /* there may be something in it */
	bool tmpfile;		     /* O_TMPFILE works there */
	atomic_ulong counter;	     /* names of temporary files */
	atomic_bool whiteout;	     /* WORK/work/#whiteout is there to be linked */
};

struct mica_ovl {
	struct mica_upper upper;
	struct mica_ovl_layer *lowers; /* bottom to top */
	unsigned int lower_count;
	unsigned int flags;	    /* enum mica_ovl_flag */
	double timeout;		    /* seconds that the kernel may keep names and attributes */
	const struct mica_ids *ids; /* borrowed */
	pthread_rwlock_t tree;
	pthread_mutex_t copying[MICA_OVL_COPYING];
	pthread_mutex_t listings; /* which listing a node has */
	pthread_mutex_t backings; /* what the kernel reads by itself */
	struct mica_nodes *nodes;
	struct mica_anchors *anchors;
	struct mica_files *files;
	bool locks; /* the locks above exist */
};

struct mica_ovl_opts {
	const char *const *lowers; /* bottom to top */
	unsigned int lower_count;
	const char *upper; /* NULL: read-only */
	const char *work;
	unsigned int flags;
	double timeout;
	unsigned int owners;	    /* MICA_OWNERS_ of owners.h */
	const struct mica_ids *ids; /* borrowed for the overlay's life */
	uint64_t cache_bytes;	    /* of decoded data, for all images together */
};

/* *ovl is for mica_ovl_free(). */
int mica_ovl_new(const struct mica_ovl_opts *opts, struct mica_ovl **ovl, struct mica_err *err);
void mica_ovl_free(struct mica_ovl *ovl);

static inline bool mica_ovl_writable(const struct mica_ovl *ovl)
{
	return ovl->upper.layer.fd >= 0;
}

#endif
