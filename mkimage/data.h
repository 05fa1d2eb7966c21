/* SPDX-License-Identifier: MIT */
/* How a file's bytes are stored: what the packer tells the layout and the emitter. */
#ifndef MICA_MKIMAGE_DATA_H
#define MICA_MKIMAGE_DATA_H

#include <stdint.h>

#define MICA_BLOCK	4096u
#define MICA_BLOCK_BITS 12u

/*
 * The longest inline tail. The rest of its block holds the inode, and the
 * xattr header with up to 100 shared ids, so that every tail finds its place.
 */
#define MICA_TAIL_MAX 3584u

enum mica_data_kind {
	MICA_DATA_NONE,	     /* no bytes at all */
	MICA_DATA_FLAT,	     /* blocks from `start`, then the tail */
	MICA_DATA_CHUNK,     /* spool: runs; blocks from `start`, holes left out */
	MICA_DATA_PCLUSTERS, /* spool: extents; block-aligned pclusters from `start`, then the tail */
	MICA_DATA_EXTENTS,   /* spool: extents; encoded bytes from `start` (a byte address) */
};

#define MICA_DATA_TAIL_ENCODED 1u /* mica_data.flags: the tail is a pcluster, the last extent's */

/*
 * An image has fewer blocks than this: 32 bits, without the one that means a
 * hole. A file with a compact index has no more of them than that either.
 */
#define MICA_BLOCKS_MAX UINT32_MAX
#define MICA_BYTES_MAX	((uint64_t)MICA_BLOCKS_MAX * MICA_BLOCK)

/* One extent of the list in the spool (extlist.h); they follow each other without gaps. */
struct mica_pext {
	uint64_t llen; /* decoded bytes */
	uint32_t plen; /* stored bytes, 0: a hole or (last one) the inline pcluster;
				 * MICA_DATA_CHUNK: 1 when stored, then as llen bytes */
	int32_t alg;   /* enum erofs_alg, -1: plain */
};

#endif
