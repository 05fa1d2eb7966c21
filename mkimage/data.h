/* SPDX-License-Identifier: MIT */
/* How a file's bytes are stored: what the packer tells the layout and the emitter. */
#ifndef MICA_MKIMAGE_DATA_H
#define MICA_MKIMAGE_DATA_H

#include <stdbool.h>
#include <stdint.h>

/* What data are cut and aligned to; the image's blocks are as large, or small ones. */
#define MICA_BLOCK	4096u
#define MICA_BLOCK_BITS 12u

#define MICA_SMALL_BLOCK_BITS 9u /* those of a tar */

/*
 * The longest inline tail. The rest of its block holds the inode, and the
 * xattr header with up to 100 shared ids, so that every tail finds its place.
 */
#define MICA_TAIL_MAX 3584u
/* In a small block a tail starts at most 31 bytes behind the start of one. */
#define MICA_SMALL_TAIL_MAX ((1u << MICA_SMALL_BLOCK_BITS) - 32u)

enum mica_data_kind {
	MICA_DATA_NONE,	     /* no bytes at all */
	MICA_DATA_FLAT,	     /* bytes from `start` of device `dev`, block-aligned, then the tail */
	MICA_DATA_CHUNK,     /* spool: runs of whole chunks and holes */
	MICA_DATA_PCLUSTERS, /* spool: extents in whole blocks, then the tail or a fragment */
	MICA_DATA_EXTENTS,   /* spool: extents at any byte, then perhaps a fragment */
	MICA_DATA_FRAGMENT,  /* the whole file lies in the packed inode, at `fragment` */
};

/* mica_data.flags */
enum {
	MICA_DATA_TAIL_ENCODED = 1, /* the tail is a pcluster, the last extent's */
	MICA_DATA_TAIL_FRAGMENT =
		2,		   /* behind the extents: the packed inode's bytes at `fragment` */
	MICA_DATA_SCATTERED = 4,   /* the extents do not lie one behind the other */
	MICA_DATA_FULL_INDEX = 16, /* so near each other that the compact index cannot say it */
	MICA_DATA_INTERLACED = 8,  /* plain pclusters are rotated by their place in the file */
};

/*
 * An image has fewer blocks than this: 32 bits, without the one that means a
 * hole. A file with a compact index has no more of them than that either.
 */
#define MICA_BLOCKS_MAX UINT32_MAX
#define MICA_BYTES_MAX	((uint64_t)MICA_BLOCKS_MAX * MICA_BLOCK)

/* One extent of the list in the spool (extlist.h); they follow each other without gaps. */
struct mica_pext {
	uint64_t llen;	 /* decoded bytes */
	uint64_t pstart; /* byte address in the device */
	uint32_t plen;	 /* stored bytes, 0: a hole or (last one) the inline pcluster;
			  * MICA_DATA_CHUNK: 1 when stored, then as llen bytes */
	uint16_t dev;	 /* 0: the image itself, else 1 + index in the device table */
	int8_t alg;	 /* enum erofs_alg, -1: plain */
	bool partial;	 /* the pcluster decodes to more than llen bytes */
};

#endif
