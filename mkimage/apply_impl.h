/* SPDX-License-Identifier: MIT */
/*
 * How layers are applied.
 *
 * A layer first grows on a stage, a root of its own beside the tree, by the
 * rules of a single archive: the last entry of a path wins, a hard link is to
 * the file that its target is at that moment. The tree holds the layers above
 * and stays as it is meanwhile, so that an entry's path alone says whether it
 * will be seen; what will not be seen does not go to the packer, but to a
 * stash, in case that another name of it will. At the end of the layer the
 * stage is merged below what the tree has.
 *
 * Marks of a staged name: cut is the layer's order when the name hides what
 * layers below have at (and below) it. That holds for whiteouts (no inode),
 * opaque directories, and everything that is no directory. A directory is
 * implicit as long as layers below may give it its attributes.
 *
 * What is excluded goes aside, to a second root that is never merged: only hard
 * links find it there.
 */
#ifndef MICA_MKIMAGE_APPLY_IMPL_H
#define MICA_MKIMAGE_APPLY_IMPL_H

#include "apply.h"
#include "globs.h"
#include "pool.h"

#define MICA_APPLY_WHITEOUT ".wh."
#define MICA_APPLY_OPAQUE   ".wh..wh..opq"

#define MICA_APPLY_NAME_MAX    255
#define MICA_APPLY_SYMLINK_MAX 4095

/* A hidden file that waits in scratch space; it holds its inode. */
struct mica_stash {
	struct mica_tinode *inode;
	struct mica_stash_chunk *chunks; /* owned */
	size_t chunk_count;
};

/*
 * A hard link whose target was not in its own layer. Its names share
 * placeholder, an inode without a mode, until all layers were read.
 */
struct mica_link {
	struct mica_tinode *placeholder; /* held; NULL: nobody needs it any more */
	struct mica_tinode *found;	 /* held; the target, or the placeholder of another link */
	char *path, *target;		 /* owned */
	char *layer;			 /* owned; name of the source that has the link */
	uint32_t order;			 /* of that layer */
};

struct mica_apply {
	struct mica_tree *tree;
	struct mica_packer *packer;
	struct mica_xattrs *xattrs;
	struct mica_report *report;
	struct mica_apply_opts opts;
	struct mica_source *source; /* that is read */
	struct mica_globs excludes;
	uint32_t order;	   /* of the layer that is read */
	bool looking;	   /* for targets of links: what is read is not in the image */
	const char *layer; /* its name */
	struct mica_tnode *stage, *aside;
	struct mica_stash *stashes;
	size_t stash_count, stash_cap;
	unsigned char *stash_buf; /* owned */
	struct mica_link *links;
	size_t link_count, link_cap;
	void (*tick)(void *ctx);
	void *tick_ctx;
	uint64_t tick_bytes;
};

/* Where pieces of a file's data come from: as mica_source_read(). */
struct mica_feed {
	int (*read)(struct mica_feed *feed, const void **buf, size_t *len, uint64_t *off,
		    struct mica_err *err);
	bool failed; /* read() did; its error says where */
};

/* apply_path.c */

/* The next component of *path; false: there is none. */
bool mica_apply_component(const char **path, const char **name, size_t *len);

int mica_apply_excludes_new(struct mica_apply *a, struct mica_err *err);

/* path or a directory above it is excluded. */
int mica_apply_excluded(struct mica_apply *a, const char *path, bool *excluded,
			struct mica_err *err);

/* Whether path is one of those in which aufs keeps its books, or below one. */
bool mica_apply_is_meta(const char *path);

/*
 * What the layers above have at path. *node NULL and true: nothing, an entry
 * would be seen; *node NULL and false: it is hidden by something further up.
 */
bool mica_apply_upper(struct mica_apply *a, const char *path, struct mica_tnode **node);

/* Find or add path below root; what is missing above it becomes implicit directories. */
int mica_apply_make(struct mica_apply *a, struct mica_tnode *root, const char *path,
		    struct mica_tnode **out, struct mica_err *err);

/* Make node a directory, if it is none; after a non-directory it is a new one. */
int mica_apply_make_dir(struct mica_apply *a, struct mica_tnode *node, struct mica_err *err);

/* apply_attr.c */

void mica_apply_attributes(const struct mica_apply *a, struct mica_tinode *inode, uint16_t mode,
			   uint32_t uid, uint32_t gid, int64_t mtime, uint32_t nsec);

/* The set of those xattrs that the image gets, under the names that it gets; path: for reports. */
int mica_apply_xattrs(struct mica_apply *a, const char *path, const struct mica_kv *kvs,
		      size_t count, uint32_t *id, struct mica_err *err);

enum mica_overlay {
	MICA_OVERLAY_NONE,
	MICA_OVERLAY_WHITEOUT,
	MICA_OVERLAY_OPAQUE,
};

/* What overlayfs would see in an entry; one that it needs other files for is refused. */
int mica_apply_overlay(const struct mica_apply *a, const struct mica_entry *e,
		       enum mica_overlay *what, struct mica_err *err);

/* apply_data.c */

/* Hand the content of a file or symlink to the packer. */
int mica_apply_store(struct mica_apply *a, struct mica_tinode *inode, const char *path,
		     const char *symlink, const struct mica_run *runs, size_t run_count,
		     struct mica_feed *feed, struct mica_err *err);

/* apply_stash.c */

/* Put away all that an entry has beside what is in inode. */
int mica_apply_stash(struct mica_apply *a, struct mica_tinode *inode, const struct mica_entry *e,
		     struct mica_feed *feed, struct mica_err *err);

/* Store the stashed files that the tree, or a link above, needs after all; forget the others. */
int mica_apply_unstash(struct mica_apply *a, struct mica_err *err);

void mica_apply_stashes_free(struct mica_apply *a);

/* apply_link.c */

int mica_apply_hardlink(struct mica_apply *a, struct mica_tnode *root, const struct mica_entry *e,
			struct mica_err *err);

/* Look on the stage for the targets that links of layers above wait for. */
int mica_apply_links_find(struct mica_apply *a, struct mica_err *err);

/* After the merge: forget links of this layer that are not seen. */
void mica_apply_links_drop(struct mica_apply *a);

/* Some name still waits for what it is a link to. */
bool mica_apply_links_wait(const struct mica_apply *a);

/* After the last layer: give the names what was found for them. */
int mica_apply_links_settle(struct mica_apply *a, struct mica_err *err);

void mica_apply_links_free(struct mica_apply *a);

/* apply_merge.c */

/* Move the stage below what the tree has. */
int mica_apply_merge(struct mica_apply *a, struct mica_err *err);

#endif
