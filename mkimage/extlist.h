/* SPDX-License-Identifier: MIT */
/*
 * The list of a file's extents: gathered by the packer, kept in the spool,
 * read by the emitter. A file may have more of them than memory holds, so full
 * segments go to the spool at once. At the offset that the file remembers stand
 * the segments' offsets, the extents behind them, and the file's inline tail.
 */
#ifndef MICA_MKIMAGE_EXTLIST_H
#define MICA_MKIMAGE_EXTLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/err.h"
#include "../lib/tree.h"
#include "data.h"

struct mica_spool;

#define MICA_EXTLIST_SEGMENT 65536u /* extents */

/*
 * A pack of the compact index has one address, its first head's, and the other ones are
 * counted from there; it may begin right behind a head, whose blocks count as well. So an
 * extent may lie anywhere when it begins this many bytes of the file behind the one before.
 */
#define MICA_EXTLIST_FAR (17u * MICA_BLOCK)

/* Being gathered; all zeros at first. Reused from file to file. */
struct mica_extlist {
	struct mica_pext *v; /* behind the full segments */
	uint64_t *segments;  /* offsets in the spool */
	uint32_t used, cap, segment_count, segment_cap;
	uint64_t end;		     /* decoded bytes */
	uint64_t bounds;	     /* all places where an extent begins, or-ed together */
	uint64_t longest;	     /* decoded bytes of the longest extent that is no hole */
	uint64_t stored;	     /* address behind the last stored extent, 0: none yet */
	uint64_t first;		     /* address of the first one */
	uint16_t dev;		     /* of the last stored extent */
	uint16_t first_dev, any_dev; /* of the first one; one that is not 0 */
	uint8_t algs;		     /* 1 << enum erofs_alg of encoded extents */
	uint64_t bytes;		     /* that the stored extents take */
	bool scattered;		     /* the stored extents do not lie one behind the other */
	uint64_t head; /* block of the file that the last stored extent's last head is in */
	bool full;     /* the compact index cannot say where they lie */
};

void mica_extlist_clear(struct mica_extlist *l);
void mica_extlist_free(struct mica_extlist *l);

/*
 * The next extent; holes and adjacent stored raw runs (x.plen 0 and 1, plain) are
 * merged with the one before. MICA_E_LIMIT when an inode could not count them.
 */
int mica_extlist_add(struct mica_extlist *l, struct mica_spool *spool, struct mica_pext x,
		     struct mica_err *err);

/*
 * The byte of an index's map header that names its algorithms, at most two; other: when
 * no extent is encoded.
 */
uint8_t mica_extlist_algs(const struct mica_extlist *l, uint8_t other);

uint64_t mica_extlist_count(const struct mica_extlist *l);

/* What mica_data.flags say of the places of the extents. */
uint8_t mica_extlist_flags(const struct mica_extlist *l);

/* log2 of the size that every extent but holes and the last one has; 0: there is none. */
unsigned int mica_extlist_uniform_bits(const struct mica_extlist *l);

/*
 * log2 of the largest chunk that every run of data and every hole is a multiple of; of
 * enormous files one that keeps their maps small, as far as that allows it.
 */
uint8_t mica_extlist_chunk_bits(const struct mica_extlist *l);

/* Everything into the spool, the tail behind it: *off. */
int mica_extlist_save(struct mica_extlist *l, struct mica_spool *spool, const void *tail,
		      uint32_t tail_len, uint64_t *off, struct mica_err *err);

/* Where the inline tail lies in the spool. */
uint64_t mica_extlist_tail(const struct mica_data *data);

#define MICA_EXTREADER_CHUNK 512u /* a divisor of the segments' size */

/* Reads a saved list in order. */
struct mica_extreader {
	struct mica_spool *spool;
	const struct mica_bases *bases; /* that addresses are to be absolute in; NULL: they stay */
	uint64_t table;			/* offset of the next segment's offset */
	uint64_t rest;			/* offset of the extents behind the full segments */
	uint64_t off;			/* of the next extent that is not in v */
	uint32_t left;			/* not in v yet */
	uint32_t segment_left;
	unsigned int pos, count;
	struct mica_pext v[MICA_EXTREADER_CHUNK];
};

void mica_extreader_start(struct mica_extreader *r, struct mica_spool *spool,
			  const struct mica_data *data);

/* NULL at the end of the list; on failure *ret is set as well */
const struct mica_pext *mica_extreader_next(struct mica_extreader *r, int *ret,
					    struct mica_err *err);

#endif
