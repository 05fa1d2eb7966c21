/* SPDX-License-Identifier: MIT */
/* Turns the packer's list of extents into the three kinds of index on disk. */
#include <string.h>

#include "../lib/util.h"
#include "emit_index.h"
#include "bases.h"

int mica_sink_flush(struct mica_sink *s, struct mica_err *err)
{
	int ret = mica_window_write(s->w, s->buf, s->len, s->off, err);

	s->off += s->len;
	s->len = 0;
	return ret;
}

int mica_sink_put(struct mica_sink *s, const void *buf, size_t len, struct mica_err *err)
{
	int ret = s->len + len > sizeof(s->buf) ? mica_sink_flush(s, err) : 0;

	memcpy(s->buf + s->len, buf, len);
	s->len += len;
	return ret;
}

static int index_chunks(struct mica_extreader *l, struct mica_sink *s, unsigned int bits,
			unsigned int block_bits, struct mica_err *err)
{
	const struct mica_pext *x;
	int ret = 0;

	while ((x = mica_extreader_next(l, &ret, err))) {
		uint64_t chunks = mica_div_round_up(x->llen, 1ULL << bits);
		uint64_t block = x->pstart >> block_bits;

		for (uint64_t i = 0; !ret && i < chunks; i++) {
			le32 v = le32_make(x->plen ? (uint32_t)block : EROFS_NULL_BLK);

			block += 1ULL << (bits - block_bits);
			ret = mica_sink_put(s, &v, sizeof(v), err);
		}
		if (ret)
			break;
	}
	return ret;
}

static uint32_t extent_plen(const struct mica_pext *x)
{
	if (!x->plen)
		return 0;
	return x->plen | (x->partial ? EROFS_EXT_PLEN_PARTIAL : 0) |
	       (uint32_t)(x->alg + 1) << EROFS_EXT_FMT_SHIFT;
}

/* One record, or as many as there are clusters in a hole when they are uniform. */
static int index_extent(struct mica_sink *s, const struct mica_pext *x, uint64_t la,
			unsigned int rec_size, unsigned int cluster_bits, struct mica_err *err)
{
	struct erofs_extent_disk rec = {
		.plen = le32_make(extent_plen(x)),
		.pstart_lo = le32_make((uint32_t)x->pstart),
		.pstart_hi = le32_make((uint32_t)(x->pstart >> 32)),
		.lstart_lo = le32_make((uint32_t)la),
		.lstart_hi = le32_make((uint32_t)(la >> 32)),
	};
	uint64_t records = rec_size <= 8 ? mica_div_round_up(x->llen, 1ULL << cluster_bits) : 1;
	int ret = 0;

	for (uint64_t i = 0; !ret && i < records; i++)
		ret = mica_sink_put(s, &rec, rec_size, err);
	return ret;
}

/* The fragment behind the extents: its offset stands where others have length and address. */
static int index_fragment(struct mica_sink *s, const struct mica_tinode *inode, uint64_t la,
			  unsigned int rec_size, struct mica_err *err)
{
	struct erofs_extent_disk rec = {
		.plen = le32_make((uint32_t)inode->data.fragment),
		.pstart_lo = le32_make((uint32_t)(inode->data.fragment >> 32)),
		.lstart_lo = le32_make((uint32_t)la),
		.lstart_hi = le32_make((uint32_t)(la >> 32)),
	};

	return mica_sink_put(s, &rec, rec_size, err);
}

static int index_extents(struct mica_extreader *l, struct mica_sink *s,
			 const struct mica_tinode *inode, unsigned int rec_size,
			 struct mica_err *err)
{
	le64 start = le64_make(mica_bases_address(l->bases, inode->data.dev, inode->data.start));
	int ret = rec_size == 4 ? mica_sink_put(s, &start, sizeof(start), err) : 0;
	const struct mica_pext *x;
	uint64_t la = 0;

	while (!ret && (x = mica_extreader_next(l, &ret, err))) {
		ret = index_extent(s, x, la, rec_size, inode->data.lclusterbits, err);
		la += x->llen;
	}
	if (!ret && inode->data.flags & MICA_DATA_TAIL_FRAGMENT)
		ret = index_fragment(s, inode, la, rec_size, err);
	return ret;
}

/* Bits of the map header that are the same in every kind of index. */
static uint16_t advise_of(const struct mica_tinode *inode)
{
	return (uint16_t)((inode->data.flags & MICA_DATA_TAIL_FRAGMENT ? EROFS_ADVISE_FRAGMENT
								       : 0) |
			  (inode->data.flags & MICA_DATA_INTERLACED ? EROFS_ADVISE_INTERLACED : 0));
}

static unsigned int log2_of(uint32_t v)
{
	return 31u - (unsigned int)__builtin_clz(v);
}

/* A header for a file of which the packed inode holds everything. */
static struct erofs_map_header_disk map_header_whole(uint64_t fragment)
{
	le64 v = le64_make(fragment | 1ULL << 63);
	struct erofs_map_header_disk h;

	memcpy(&h, &v, sizeof(h));
	return h;
}

static struct erofs_map_header_disk map_header_extents(const struct mica_tinode *inode,
						       const struct mica_shape *shape)
{
	unsigned int rec_log = log2_of(shape->rec_size) - 2;
	bool fragment = inode->data.flags & MICA_DATA_TAIL_FRAGMENT;
	struct erofs_map_header_disk h = {
		.advise = le16_make(
			(uint16_t)(EROFS_ADVISE_EXTENTS | rec_log << 1 | advise_of(inode))),
	};

	/* records that say where they begin are counted, by all but two bytes of the header */
	if (shape->rec_size > 8)
		h.a = le32_make(inode->data.count + fragment);
	else
		h.clusterbits = (uint8_t)(inode->data.lclusterbits - MICA_BLOCK_BITS);
	return h;
}

static struct erofs_map_header_disk map_header_lclusters(const struct mica_tinode *inode,
							 const struct mica_shape *shape)
{
	bool compact = shape->layout == EROFS_LAYOUT_COMPRESSED_COMPACT;
	bool fragment = inode->data.flags & MICA_DATA_TAIL_FRAGMENT;
	uint16_t advise =
		EROFS_ADVISE_BIG_PCLUSTER_1 | EROFS_ADVISE_BIG_PCLUSTER_2 | advise_of(inode);

	if (compact)
		advise |= EROFS_ADVISE_COMPACTED_2B;
	if (shape->tail)
		advise |= EROFS_ADVISE_INLINE_PCLUSTER;
	return (struct erofs_map_header_disk){
		.a = le32_make(fragment ? (uint32_t)inode->data.fragment : shape->tail << 16),
		.advise = le16_make(advise),
		.algs = inode->data.alg,
	};
}

static int index_put(struct mica_extreader *l, struct mica_sink *s, const struct mica_tinode *inode,
		     const struct mica_shape *shape, unsigned int block_bits, struct mica_err *err)
{
	struct erofs_map_header_disk h;
	int ret;

	switch (inode->data.kind) {
	case MICA_DATA_CHUNK:
		return index_chunks(l, s, shape->chunk_bits, block_bits, err);
	case MICA_DATA_FRAGMENT:
		h = map_header_whole(inode->data.fragment);
		return mica_sink_put(s, &h, sizeof(h), err);
	case MICA_DATA_EXTENTS:
		h = map_header_extents(inode, shape);
		ret = mica_sink_put(s, &h, sizeof(h), err);
		if (!ret)
			ret = mica_sink_flush(s, err);
		s->off = mica_round_up(s->off, shape->rec_size);
		return ret ? ret : index_extents(l, s, inode, shape->rec_size, err);
	default:
		h = map_header_lclusters(inode, shape);
		ret = mica_sink_put(s, &h, sizeof(h), err);
		return ret ? ret
			   : mica_emit_lclusters(l, s, inode,
						 shape->layout == EROFS_LAYOUT_COMPRESSED_FULL,
						 err);
	}
}

int mica_emit_index(struct mica_emit *e, const struct mica_tinode *inode,
		    const struct mica_shape *shape, uint64_t off, struct mica_err *err)
{
	struct mica_sink s = {.w = &e->window, .off = off};
	struct mica_extreader l;
	int ret;

	mica_extreader_start(&l, e->spool, &inode->data);
	l.bases = e->layout->opts->bases;
	ret = index_put(&l, &s, inode, shape, e->layout->block_bits, err);
	return ret ? ret : mica_sink_flush(&s, err);
}
