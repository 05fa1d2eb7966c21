/* SPDX-License-Identifier: MIT */
/* Builds one image from a list of layers: the whole of mkimage but its command line. */
#ifndef MICA_MKIMAGE_BUILD_H
#define MICA_MKIMAGE_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/codec.h"
#include "apply.h"
#include "compat.h"
#include "data.h"
#include "layers.h"
#include "report.h"
#include "rules.h"

struct mica_bases;
struct mica_ordered;
struct mica_outfile;
struct mica_stack;

/* Less is no use to a build. */
#define MICA_BUILD_MEMORY_MIN (64ull << 20)

/* What goes into the packed inode. */
enum mica_fragments {
	MICA_FRAGMENTS_OFF,
	MICA_FRAGMENTS_TAILS, /* small files, and what larger ones have behind their last cluster */
	MICA_FRAGMENTS_SMALL, /* files smaller than a cluster */
};

/* The image is the index of a tar, which is its only base. */
enum mica_tar_index {
	MICA_TAR_NONE,	 /* it is not */
	MICA_TAR_APART,	 /* the tar is another file */
	MICA_TAR_BEFORE, /* the image's file has a copy of the tar behind the image */
	MICA_TAR_BEHIND, /* or in front of it */
};

struct mica_build_opts {
	struct mica_compat compat;
	struct mica_codec_spec codec;	/* of files without a rule */
	const struct mica_rules *rules; /* NULL: none */
	uint32_t cluster;		/* bytes of input compressed as one; a multiple of 4 KiB */
	uint32_t
		meta_cluster; /* bytes of metadata compressed as one, a power of two; 0: none are */
	unsigned int jobs;    /* threads that compress, >= 1 */
	char label[17];
	enum mica_fragments fragments;
	uint64_t memory; /* bytes, for all that does not grow with the number of entries */
	bool verify;	 /* read the image back and compare it before it gets its name */
	bool have_uuid;
	uint8_t uuid[16];
	struct mica_apply_opts apply;
	const struct mica_ordered *ordered; /* the order of files; NULL: there is none */
	struct mica_bases *bases; /* images that this one may refer to; NULL: there are none */
	bool merge;		  /* they are the sources, whose contents are left there */
	bool flat;		  /* they are joined to the image, instead of devices */
	enum mica_tar_index tar_index;
	bool small_blocks;		       /* of 512 bytes instead of 4096 */
	struct mica_stack *stack;	       /* the one layer is part of this; NULL: of none */
	const struct mica_layer *stack_layers; /* all of them */
	size_t stack_index;		       /* of the one */
};

static inline unsigned int mica_block_bits(const struct mica_build_opts *opts)
{
	return opts->small_blocks ? MICA_SMALL_BLOCK_BITS : MICA_BLOCK_BITS;
}

/* Bytes of the longest inline tail. */
static inline uint32_t mica_tail_max(const struct mica_build_opts *opts)
{
	return opts->small_blocks ? MICA_SMALL_TAIL_MAX : MICA_TAIL_MAX;
}

struct mica_packer_stats {
	uint64_t bytes_in;     /* file contents, holes included */
	uint64_t bytes_dup;    /* of them, what was stored already */
	uint64_t bytes_stored; /* data area, without inline tails */
	bool shared;	       /* extents are shared between files */
	bool zero_extents;     /* zeros are stored as long compressed extents */
	uint32_t max_extent;   /* bytes of the longest one that is shared or could be, decoded */
	uint32_t max_pcluster; /* bytes of the largest encoded cluster, 0: none */
	unsigned int algs;     /* of encoded clusters: 1 << enum erofs_alg */
};

struct mica_build_stats {
	struct mica_tree_counts counts;
	struct mica_packer_stats packer;
	uint64_t bytes_referred; /* file contents that stay in layers */
	uint64_t image_bytes;	 /* of its file */
	uint64_t image_offset;	 /* where it begins there */
	uint64_t meta_bytes;	 /* directories, inodes, inline tails, shared xattrs */
	uint8_t uuid[16];
};

/* Where a build stands; for progress. */
struct mica_build_state {
	unsigned int source, sources; /* 1-based; source > sources: the image is verified */
	uint64_t done, total;	      /* bytes of this source, or verified; total 0: unknown */
};

struct mica_build_events {
	void (*progress)(void *ctx, const struct mica_build_state *state); /* may be NULL */
	/* The image file exists from here on (NULL: no longer); for signal handlers. May be NULL. */
	void (*outfile)(void *ctx, struct mica_outfile *f);
	void *ctx;
};

/* layers: bottom to top. target appears whole or not at all. */
int mica_build(const char *target, const struct mica_layer *layers, size_t count,
	       const struct mica_build_opts *opts, struct mica_report *report,
	       const struct mica_build_events *events, struct mica_build_stats *stats,
	       struct mica_err *err);

/*
 * The same up to the moment when target would get its name: *out is the
 * caller's, to publish. events->outfile knows of it still.
 */
int mica_build_file(const char *target, const struct mica_layer *layers, size_t count,
		    const struct mica_build_opts *opts, struct mica_report *report,
		    const struct mica_build_events *events, struct mica_build_stats *stats,
		    struct mica_outfile **out, struct mica_err *err);

#endif
