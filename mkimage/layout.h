/* SPDX-License-Identifier: MIT */
/*
 * Where everything lies in the image. Behind the data: the directories' full
 * blocks, the shared xattrs, then the inodes with what is inline. Decided
 * before anything of it is written, because names refer to inodes by address.
 *
 * With a metabox, addresses of shared xattrs and inodes count in what it decodes
 * to. Directories then lie before all other inodes, since like compresses well
 * beside like.
 */
#ifndef MICA_MKIMAGE_LAYOUT_H
#define MICA_MKIMAGE_LAYOUT_H

#include "../formats/erofs.h"
#include "../lib/tree.h"
#include "build.h"
#include "data.h"
#include "xattrs.h"

/* Where a device table lies that fits into the first block: behind any configurations. */
#define MICA_DEVT_OFFSET 1280u

struct mica_layout {
	const struct mica_build_opts *opts;
	struct mica_tree *tree;
	struct mica_xattrs *xattrs;
	struct mica_tinode *packed; /* the packed inode, which has no name; NULL: none */
	unsigned int block_bits;    /* log2 of .block, bytes of the image's blocks */
	uint32_t block;
	int64_t epoch; /* compact inodes' time base */
	uint32_t fixed_nsec;
	bool metabox;
	uint64_t meta_start;  /* bytes: where the data ends */
	uint64_t xattr_start; /* block-aligned */
	uint64_t xattr_bytes;
	uint64_t nid_base; /* bytes: block that nid 0 lies in */
	uint64_t meta_end; /* of the last inode */
	uint64_t end;	   /* bytes of the image; with a metabox known when that is written */
	uint64_t devt_off; /* device table, 0: none */
	uint64_t inodes;
	bool any_chunk, any_encoded, any_tail_pcluster;
	bool any_xattr;
	bool any_shared; /* fragments, or pclusters that several files may use */
	uint32_t next_ino;
};

/* The form of one inode on disk. */
struct mica_shape {
	enum erofs_layout layout;
	bool extended;
	bool dot_omitted;	 /* directories: the kernel adds "." */
	uint32_t isize;		 /* 32 or 64 */
	uint32_t xattr;		 /* inline xattr area */
	uint64_t index_off;	 /* from the inode's start: map header or chunk map, 0: none */
	uint64_t head;		 /* bytes before the tail */
	uint32_t tail;		 /* inline bytes, within one block */
	unsigned int rec_size;	 /* encoded extents: 4, 8, 16 or 32 */
	unsigned int chunk_bits; /* chunk map */
};

int mica_layout_plan(struct mica_layout *l, uint64_t data_end, struct mica_err *err);

void mica_layout_shape(const struct mica_layout *l, const struct mica_tinode *inode,
		       struct mica_shape *out);

/*
 * Visit every inode once, through its first name: the root, then directory by
 * directory in depth-first order. planned: the visit of mica_layout_plan() has
 * been made.
 */
int mica_layout_walk(struct mica_tree *tree, bool planned,
		     int (*visit)(void *ctx, struct mica_tnode *node, struct mica_err *err),
		     void *ctx, struct mica_err *err);

/* The planned inodes in the order of their places, save those in gaps. */
int mica_layout_walk_places(const struct mica_layout *l,
			    int (*visit)(void *ctx, struct mica_tnode *node, struct mica_err *err),
			    void *ctx, struct mica_err *err);

/* Where a planned inode lies. */
static inline uint64_t mica_layout_place(const struct mica_layout *l, const struct mica_tinode *i)
{
	return l->nid_base + (i->nid & ~EROFS_NID_METABOX) * EROFS_NID_UNIT;
}

#endif
