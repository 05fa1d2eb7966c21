/* SPDX-License-Identifier: MIT */
/* Turns the packer's list of extents into the three kinds of index on disk. */
#include <string.h>

#include "../formats/erofs_compact.h"
#include "../lib/util.h"
#include "emit.h"
#include "extlist.h"

#define OUT_CHUNK 4096u

/* Collects bytes for the window. */
struct sink {
	struct mica_window *w;
	uint64_t off;
	size_t len;
	unsigned char buf[OUT_CHUNK];
};

static int sink_flush(struct sink *s, struct mica_err *err)
{
	int ret = mica_window_write(s->w, s->buf, s->len, s->off, err);

	s->off += s->len;
	s->len = 0;
	return ret;
}

static int sink_put(struct sink *s, const void *buf, size_t len, struct mica_err *err)
{
	int ret = s->len + len > sizeof(s->buf) ? sink_flush(s, err) : 0;

	memcpy(s->buf + s->len, buf, len);
	s->len += len;
	return ret;
}

static int index_chunks(struct mica_extreader *l, struct sink *s, const struct mica_tinode *inode,
			unsigned int bits, struct mica_err *err)
{
	uint64_t block = inode->data.start;
	const struct mica_pext *x;
	int ret = 0;

	while ((x = mica_extreader_next(l, &ret, err))) {
		uint64_t chunks = mica_div_round_up(x->llen, 1ULL << bits);

		for (uint64_t i = 0; !ret && i < chunks; i++) {
			le32 v = le32_make(x->plen ? (uint32_t)block : EROFS_NULL_BLK);

			block += x->plen ? 1ULL << (bits - MICA_BLOCK_BITS) : 0;
			ret = sink_put(s, &v, sizeof(v), err);
		}
		if (ret)
			break;
	}
	return ret;
}

/* Gathers entries into packs as the plan has them. */
struct packs {
	struct sink *sink;
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
	return sink_put(p->sink, out, width == EROFS_COMPACT_PAIR ? 8 : 32, err);
}

static int packs_put(struct packs *p, struct erofs_lcluster e, struct mica_err *err)
{
	p->v[p->count++] = e;
	return p->count == packs_width(p) ? packs_flush(p, err) : 0;
}

/* The entries of one extent: a head and what follows it, or a plain head for each block. */
static int packs_put_extent(struct packs *p, const struct mica_pext *x, uint64_t block,
			    struct mica_err *err)
{
	uint64_t n = mica_div_round_up(x->llen, MICA_BLOCK);
	uint64_t blocks = mica_max(1, x->plen / MICA_BLOCK);
	int ret = 0;

	for (uint64_t i = 0; !ret && i < n; i++) {
		struct erofs_lcluster e = {.type = EROFS_LCLUSTER_NONHEAD};

		if (x->alg < 0) {
			e.type = EROFS_LCLUSTER_PLAIN;
			e.block = (uint32_t)(block + i);
		} else if (i == 0) {
			e.type = EROFS_LCLUSTER_HEAD1;
			e.block = (uint32_t)block;
		} else {
			e.delta0 = (uint16_t)i;
			e.delta1 = (uint16_t)(n - i);
			e.cblocks = (uint16_t)blocks;
		}
		ret = packs_put(p, e, err);
	}
	return ret;
}

static int index_pclusters(struct mica_extreader *l, struct sink *s,
			   const struct mica_tinode *inode, struct mica_err *err)
{
	struct packs p = {.sink = s};
	uint64_t block = inode->data.start;
	const struct mica_pext *x;
	int ret = 0;

	/* inodes are 32-byte aligned, so the place in the image counts as well as that in the inode */
	erofs_compact_plan(s->off + s->len, mica_div_round_up(inode->size, MICA_BLOCK), &p.plan);
	while ((x = mica_extreader_next(l, &ret, err))) {
		ret = packs_put_extent(&p, x, block, err);
		if (ret)
			break;
		block += mica_div_round_up(x->plen, MICA_BLOCK);
	}
	return ret ? ret : packs_flush(&p, err);
}

static uint32_t extent_plen(const struct mica_pext *x)
{
	if (!x->plen)
		return 0;
	return x->plen | (x->alg < 0 ? 0u : (uint32_t)(x->alg + 1) << EROFS_EXT_FMT_SHIFT);
}

/* One record, or as many as there are clusters in a hole when they are uniform. */
static int index_extent(struct sink *s, const struct mica_pext *x, uint64_t pa, uint64_t la,
			unsigned int rec_size, uint32_t cluster, struct mica_err *err)
{
	struct erofs_extent_disk rec = {
		.plen = le32_make(extent_plen(x)),
		.pstart_lo = le32_make((uint32_t)pa),
		.pstart_hi = le32_make((uint32_t)(pa >> 32)),
		.lstart_lo = le32_make((uint32_t)la),
		.lstart_hi = le32_make((uint32_t)(la >> 32)),
	};
	uint64_t records = rec_size <= 8 ? mica_div_round_up(x->llen, cluster) : 1;
	int ret = 0;

	for (uint64_t i = 0; !ret && i < records; i++)
		ret = sink_put(s, &rec, rec_size, err);
	return ret;
}

static int index_extents(struct mica_extreader *l, struct sink *s, const struct mica_tinode *inode,
			 unsigned int rec_size, uint32_t cluster, struct mica_err *err)
{
	uint64_t pa = inode->data.start, la = 0;
	le64 start = le64_make(pa);
	const struct mica_pext *x;
	int ret = rec_size == 4 ? sink_put(s, &start, sizeof(start), err) : 0;

	if (ret)
		return ret;
	while ((x = mica_extreader_next(l, &ret, err))) {
		ret = index_extent(s, x, pa, la, rec_size, cluster, err);
		if (ret)
			break;
		pa += x->plen;
		la += x->llen;
	}
	return ret;
}

static unsigned int log2_of(uint32_t v)
{
	return 31u - (unsigned int)__builtin_clz(v);
}

static struct erofs_map_header_disk map_header(const struct mica_emit *e,
					       const struct mica_tinode *inode,
					       const struct mica_shape *shape)
{
	const struct mica_build_opts *o = e->layout->opts;
	struct erofs_map_header_disk h = {0};

	if (shape->layout == EROFS_LAYOUT_COMPRESSED_FULL) {
		unsigned int rec_log = log2_of(shape->rec_size) - 2;

		h.advise = le16_make((uint16_t)(EROFS_ADVISE_EXTENTS | rec_log << 1));
		/* records that say where they begin are counted, by all but two bytes of the header */
		if (shape->rec_size > 8)
			h.a = le32_make(inode->data.count);
		else
			h.clusterbits = (uint8_t)(log2_of(o->cluster) - MICA_BLOCK_BITS);
		return h;
	}
	h.advise = le16_make(EROFS_ADVISE_COMPACTED_2B | EROFS_ADVISE_BIG_PCLUSTER_1 |
			     EROFS_ADVISE_BIG_PCLUSTER_2 |
			     (shape->tail ? EROFS_ADVISE_INLINE_PCLUSTER : 0));
	h.a = le32_make(shape->tail << 16);
	h.algs = (uint8_t)o->codec.alg;
	return h;
}

int mica_emit_index(struct mica_emit *e, const struct mica_tinode *inode,
		    const struct mica_shape *shape, uint64_t off, struct mica_err *err)
{
	struct mica_extreader l;
	struct sink s = {.w = &e->window, .off = off};
	struct erofs_map_header_disk h = map_header(e, inode, shape);
	int ret;

	mica_extreader_start(&l, e->spool, &inode->data);
	if (shape->layout == EROFS_LAYOUT_CHUNK) {
		ret = index_chunks(&l, &s, inode, shape->chunk_bits, err);
		return ret ? ret : sink_flush(&s, err);
	}
	ret = sink_put(&s, &h, sizeof(h), err);
	if (ret)
		return ret;
	if (shape->layout == EROFS_LAYOUT_COMPRESSED_FULL) {
		ret = sink_flush(&s, err);
		s.off = mica_round_up(s.off, shape->rec_size);
		if (!ret)
			ret = index_extents(&l, &s, inode, shape->rec_size,
					    e->layout->opts->cluster, err);
	} else {
		ret = index_pclusters(&l, &s, inode, err);
	}
	return ret ? ret : sink_flush(&s, err);
}
