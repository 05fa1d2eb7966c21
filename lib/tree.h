/* SPDX-License-Identifier: MIT */
/*
 * The file tree of an image that is being built. Names (struct mica_tnode) and
 * inodes (struct mica_tinode) are separate, so that a hard link costs a name
 * only. Together they stay within 256 bytes and the name for each entry.
 *
 * Layers are applied top first: order 0 is the topmost source, 1 the one below.
 */
#ifndef MICA_LIB_TREE_H
#define MICA_LIB_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MICA_TREE_UNCUT UINT32_MAX

/* Where a regular file's or symlink's bytes went; filled by the packer. */
struct mica_data {
	uint8_t kind;	      /* enum mica_data_kind, private to mkimage/ */
	uint8_t lclusterbits; /* chunks; uniform encoded extents */
	uint8_t flags;
	uint8_t alg;	    /* compressed: what map headers name */
	uint16_t dev;	    /* of start */
	uint32_t count;	    /* extents in the spool */
	uint32_t tail_len;  /* bytes of the inline tail or pcluster in the spool */
	uint32_t blocks;    /* blocks stored, for st_blocks */
	uint64_t start;	    /* byte address in the device of the first stored byte */
	uint64_t fragment;  /* byte address in the packed inode */
	uint64_t spool_off; /* extents, then the tail, in the spool */
};

struct mica_tnode;

struct mica_tinode {
	uint64_t size; /* bytes; directories: on-disk size, set by the layout */
	int64_t mtime;
	uint64_t nid; /* set by the layout */
	struct mica_data data;
	struct mica_tnode *children; /* directories: sorted list after mica_tree_finish() */
	uint32_t mtime_nsec;
	uint32_t uid, gid;
	uint32_t nlink;	 /* set by mica_tree_finish() */
	uint32_t rdev;	 /* new_encode_dev() form */
	uint32_t xattrs; /* set of mica_xattrs_intern(), 0: none */
	uint32_t refs;	 /* names that point here */
	uint32_t child_count;
	uint16_t mode;
	bool implicit; /* a directory that no entry named yet: attributes are defaults */
	bool pinned;   /* stays in memory without names: someone still writes to it */
};

struct mica_tnode {
	struct mica_tnode *parent; /* NULL: the root */
	struct mica_tnode *hash_next;
	struct mica_tnode *sibling;
	struct mica_tinode
		*inode; /* NULL: only a whiteout, or a hard link whose target is awaited */
	uint32_t order; /* layer that the inode came from */
	uint32_t cut;	/* content of layers with a greater order is hidden here */
	uint8_t name_len;
	char name[]; /* NUL-terminated; any bytes but '/' and NUL */
};

struct mica_tree;

struct mica_tree_counts {
	uint64_t names; /* the root included */
	uint64_t inodes;
	uint64_t dirs, files, symlinks, others;
};

int mica_tree_new(struct mica_tree **out, struct mica_err *err);
void mica_tree_free(struct mica_tree *tree);
struct mica_tnode *mica_tree_root(struct mica_tree *tree);

/* NULL when there is none */
struct mica_tnode *mica_tree_find(struct mica_tree *tree, const struct mica_tnode *dir,
				  const char *name, size_t len);

/*
 * A new name without an inode; the caller knows that it is not there yet. dir
 * has an inode; len is 1..255.
 */
int mica_tree_add(struct mica_tree *tree, struct mica_tnode *dir, const char *name, size_t len,
		  struct mica_tnode **out, struct mica_err *err);

/* A new inode with refs 0, owned by the tree. */
int mica_tree_inode_new(struct mica_tree *tree, struct mica_tinode **out, struct mica_err *err);

/*
 * Point node at inode (NULL: at nothing); drops the former inode when it was
 * its last name. What is below node stays below it, except with NULL.
 */
void mica_tree_set_inode(struct mica_tree *tree, struct mica_tnode *node,
			 struct mica_tinode *inode);

/* A name of its own keeps an inode alive; so does each hold. The last release drops it. */
void mica_tree_inode_hold(struct mica_tinode *inode);
void mica_tree_inode_release(struct mica_tree *tree, struct mica_tinode *inode);

/*
 * Another root, an implicit directory of mode 0755: a layer grows below it
 * until its names are moved to the real one. mica_tree_drop() takes it away.
 */
int mica_tree_root_new(struct mica_tree *tree, struct mica_tnode **out, struct mica_err *err);

/* Take any one name out of dir, with all that is below it; NULL: dir is empty. */
struct mica_tnode *mica_tree_pop(struct mica_tree *tree, struct mica_tnode *dir);

/* Put a name that was taken out into dir, which has no such name. */
void mica_tree_put(struct mica_tree *tree, struct mica_tnode *dir, struct mica_tnode *node);

/* Drop a name that was taken out, with all that is below it. */
void mica_tree_drop(struct mica_tree *tree, struct mica_tnode *node);

/* Drop all that is below dir. */
void mica_tree_clear(struct mica_tree *tree, struct mica_tnode *dir);

/*
 * Drop names without inodes (with what is below them), sort each directory by
 * bytes, set nlink of all inodes. To be called once, after the last source.
 */
int mica_tree_finish(struct mica_tree *tree, struct mica_tree_counts *counts, struct mica_err *err);

/* The path from the root ("a/b", "" for the root), malloc'd; NULL when out of memory. */
char *mica_tree_path(const struct mica_tnode *node);

#endif
