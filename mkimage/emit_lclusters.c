/* SPDX-License-Identifier: MIT */
/*
 * The index before 6.15: an entry for each block of the file, which says where an
 * extent begins in it, or how far away that is. Written compact where each pack's
 * pclusters lie in a row, else in full. Source: Linux fs/erofs/zmap.c.
 */
#include <string.h>

#include "../formats/erofs_compact.h"
#include "../lib/util.h"
#include "emit_index.h"
#include "extlist.h"

/* Gathers entries into packs as the plan has them, or writes them one by one. */
struct packs {
	struct mica_sink *sink;
	bool full;
	struct erofs_compact_plan plan;
	uint64_t done; /* entries encoded */
	unsigned int count;
	struct erofs_lcluster v[EROFS_COMPACT_PACK];
};

static unsigned int packs_width(const struct packs *p)
{
	return p->done >= p->plan.pairs_first && p->done < p->plan.pairs_first + p->plan.packed
		       ? EROFS_COMPACT_PACK
		       : EROFS_COMPACT_PAIR;
}

static int packs_flush(struct packs *p, struct mica_err *err)
{
	unsigned int width = packs_width(p);
	uint8_t out[32];

	if (!p->count)
		return 0;
	/* an odd last pair is filled up with an empty entry */
	memset(p->v + p->count, 0, (EROFS_COMPACT_PACK - p->count) * sizeof(p->v[0]));
	erofs_compact_encode(p->v, width, out);
	p->done += p->count;
	p->count = 0;
	return mica_sink_put(p->sink, out, width == EROFS_COMPACT_PAIR ? 8 : 32, err);
}

static int full_put(struct packs *p, const struct erofs_lcluster *e, struct mica_err *err)
{
	struct erofs_lcluster_disk d = {
		.advise = le16_make(e->type | (e->partial ? EROFS_LI_PARTIAL_REF : 0)),
		.clusterofs = le16_make(e->clusterofs),
		.u = le32_make(e->block),
	};
	uint32_t back = e->delta0 == 1 ? EROFS_LI_D0_CBLKCNT | e->cblocks : e->delta0;

	if (e->type == EROFS_LCLUSTER_NONHEAD)
		d.u = le32_make(back | (uint32_t)e->delta1 << 16);
	return mica_sink_put(p->sink, &d, sizeof(d), err);
}

static int packs_put(struct packs *p, struct erofs_lcluster e, struct mica_err *err)
{
	if (p->full)
		return full_put(p, &e, err);
	p->v[p->count++] = e;
	return p->count == packs_width(p) ? packs_flush(p, err) : 0;
}

/* Blocks of the file from the one that byte la is in up to the next extent's, or to the end. */
static uint64_t lclusters_of(uint64_t la, uint64_t llen, uint64_t size)
{
	uint64_t end = la + llen;

	return (end < size ? end / MICA_BLOCK : mica_div_round_up(size, MICA_BLOCK)) -
	       la / MICA_BLOCK;
}

/* algs: of the file's map header */
static uint8_t head_type(const struct mica_pext *x, uint8_t algs)
{
	if (x->alg < 0)
		return EROFS_LCLUSTER_PLAIN;
	return x->alg == (algs & 15) ? EROFS_LCLUSTER_HEAD1 : EROFS_LCLUSTER_HEAD2;
}

/* The entries of one extent: a head, or a plain one for each block, and what follows it. */
static int packs_put_extent(struct packs *p, const struct mica_pext *x, uint64_t la, uint64_t n,
			    uint32_t block, uint8_t algs, struct mica_err *err)
{
	uint64_t heads = x->alg < 0 ? mica_max(1, x->plen / MICA_BLOCK) : 1;
	int ret = 0;

	for (uint64_t i = 0; !ret && i < n; i++) {
		struct erofs_lcluster e = {.type = EROFS_LCLUSTER_NONHEAD};

		if (i < heads) {
			e.type = head_type(x, algs);
			e.clusterofs = la % MICA_BLOCK;
			e.block = block + (uint32_t)i;
			e.partial = x->partial;
		} else if (x->alg < 0) {
			/*
			 * Kernels count the rest of the last lcluster in, and the block would be
			 * too short for that. So an extent of nothing ends this one.
			 */
			e.type = EROFS_LCLUSTER_PLAIN;
			e.clusterofs = (la + x->llen) % MICA_BLOCK;
		} else {
			/* more would be taken for a number of blocks; readers go back in steps */
			e.delta0 = (uint16_t)mica_min(i, EROFS_LI_D0_CBLKCNT - 1);
			e.delta1 = (uint16_t)(n - i);
			e.cblocks = (uint16_t)(x->plen / MICA_BLOCK);
		}
		ret = packs_put(p, e, err);
	}
	return ret;
}

/* The last extent is in the packed inode: its head says so by being the last one. */
static int packs_put_fragment(struct packs *p, const struct mica_tinode *inode, uint64_t la,
			      uint64_t next, struct mica_err *err)
{
	struct mica_pext x = {.llen = inode->size - la, .alg = inode->data.alg & 15};
	/* the full index has the upper half of the fragment's offset here */
	uint64_t block = p->full ? inode->data.fragment >> 32 : next / MICA_BLOCK;

	return packs_put_extent(p, &x, la, lclusters_of(la, x.llen, inode->size), (uint32_t)block,
				inode->data.alg, err);
}

int mica_emit_lclusters(struct mica_extreader *l, struct mica_sink *s,
			const struct mica_tinode *inode, bool full, struct mica_err *err)
{
	struct packs p = {.sink = s, .full = full};
	static const uint8_t reserved[EROFS_FULL_INDEX_RESERVED];
	uint64_t la = 0, next = 0;
	const struct mica_pext *x;
	int ret = 0;

	if (full)
		ret = mica_sink_put(s, reserved, sizeof(reserved), err);
	else
		/* inodes are 32-byte aligned, so the place in the image counts as well as that in the inode */
		erofs_compact_plan(s->off + s->len, mica_div_round_up(inode->size, MICA_BLOCK),
				   &p.plan);
	while (!ret && (x = mica_extreader_next(l, &ret, err))) {
		/* an inline pcluster counts as one that follows */
		uint64_t at = x->plen ? x->pstart : next;

		ret = packs_put_extent(&p, x, la, lclusters_of(la, x->llen, inode->size),
				       (uint32_t)(at / MICA_BLOCK), inode->data.alg, err);
		la += x->llen;
		next = at + x->plen;
	}
	if (!ret && inode->data.flags & MICA_DATA_TAIL_FRAGMENT)
		ret = packs_put_fragment(&p, inode, la, next, err);
	return ret ? ret : packs_flush(&p, err);
}
