/* SPDX-License-Identifier: MIT */
/*
 * Writing the compact cluster index (layout 3): one entry for each lcluster,
 * packed as pairs in 8 bytes or as 16 in 32 bytes, each pack with the block
 * address that its heads count from. With big pclusters, as mica always writes
 * it; a file's pclusters follow each other without gaps. Source: Linux
 * fs/erofs/zmap.c.
 */
#ifndef MICA_FORMATS_EROFS_COMPACT_H
#define MICA_FORMATS_EROFS_COMPACT_H

#include <stdbool.h>
#include <stdint.h>

#include "erofs.h"

/* How many lclusters lie in which kind of pack. */
struct erofs_compact_plan {
	uint64_t pairs_first; /* 4-byte entries up to 32-byte alignment; even or all there are */
	uint64_t packed;      /* 2-byte entries, a multiple of 16 */
	uint64_t pairs_last;  /* 4-byte entries behind them */
	uint64_t bytes;
};

/* base: byte address of the index (mod 32 counts); total: lclusters of the file */
void erofs_compact_plan(uint64_t base, uint64_t total, struct erofs_compact_plan *out);

struct erofs_lcluster {
	uint8_t type;	     /* enum erofs_lcluster_type */
	uint16_t clusterofs; /* heads */
	uint16_t delta0;     /* NONHEAD: distance to the head */
	uint16_t delta1;     /* NONHEAD: distance to the next head, or the end */
	uint16_t cblocks;    /* NONHEAD with delta0 1: blocks of the pcluster, below 2048 */
	uint32_t block;	     /* heads: first block of the pcluster */
	bool partial;	     /* heads: PARTIAL_REF; the full index alone can say it */
};

#define EROFS_COMPACT_PAIR 2u  /* entries of an 8-byte pack */
#define EROFS_COMPACT_PACK 16u /* entries of a 32-byte pack */

/* Encode one pack of count = 2 or 16 entries into out (8 or 32 bytes). */
void erofs_compact_encode(const struct erofs_lcluster *e, unsigned int count, uint8_t *out);

#endif
