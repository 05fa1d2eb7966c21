/* SPDX-License-Identifier: MIT */
/*
 * Applies sources to the tree, topmost first, so that what an upper layer
 * hides is never stored: OCI whiteouts, opaque directories, duplicates (the
 * last one wins), hard links within and across layers. File data goes to the
 * packer as it comes by.
 */
#ifndef MICA_MKIMAGE_APPLY_H
#define MICA_MKIMAGE_APPLY_H

#include "../lib/tree.h"
#include "packer.h"
#include "source.h"
#include "xattrs.h"

/*
 * Data of a regular file that need not come as bytes. 0: inode->data is set; 1: the
 * bytes are wanted.
 */
struct mica_refer {
	int (*refer)(struct mica_refer *refer, struct mica_source *src, const struct mica_entry *e,
		     struct mica_tinode *inode, struct mica_err *err);
};

struct mica_apply_opts {
	bool set_time;	 /* --timestamp: every mtime becomes time, 0 ns */
	bool clamp_time; /* SOURCE_DATE_EPOCH: later mtimes become time, 0 ns */
	int64_t time;
	int64_t uid, gid;	     /* -1: as in the source */
	bool overlay_input;	     /* overlay xattrs and 0:0 devices mean what overlayfs means */
	bool lone_layer;	     /* of a stack, whose other layers are not applied */
	const char *const *excludes; /* globs, NULL-terminated; NULL: none */
	struct mica_refer *refer;    /* is asked for every regular file; NULL: none is */
};

struct mica_apply;

int mica_apply_new(struct mica_tree *tree, struct mica_packer *packer, struct mica_xattrs *xattrs,
		   struct mica_report *report, const struct mica_apply_opts *opts,
		   struct mica_apply **out, struct mica_err *err);

/*
 * Read one source to its end. Call it for the topmost source first. tick (may
 * be NULL) is called about once for each entry and each MiB, for progress.
 */
int mica_apply_source(struct mica_apply *apply, struct mica_source *src, void (*tick)(void *ctx),
		      void *ctx, struct mica_err *err);

/*
 * With opts->lone_layer, after the one source: whether hard links wait for a
 * target in a layer below, and the way to find it there. Call it for the layers
 * below, topmost first, as long as they wait; nothing else is taken from these.
 */
bool mica_apply_awaits(const struct mica_apply *apply);
int mica_apply_look(struct mica_apply *apply, struct mica_source *src, void (*tick)(void *ctx),
		    void *ctx, struct mica_err *err);

/* After the last source: hard links whose target no layer had are an error. */
int mica_apply_finish(struct mica_apply *apply, struct mica_err *err);

void mica_apply_free(struct mica_apply *apply);

#endif
