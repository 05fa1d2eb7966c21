/* SPDX-License-Identifier: MIT */
/* Files of layer images become lists of what is stored there. */
#include <inttypes.h>
#include <string.h>

#include "../lib/util.h"
#include "data.h"
#include "bases.h"
#include "outfile.h"

/* A block, less what the end of an inode may be off a place that is aligned for inodes. */
#define TAIL_MAX (MICA_BLOCK - EROFS_NID_UNIT)

/* One file on its way. */
struct refer {
	struct mica_bases *bases;
	struct mica_image *img;
	const struct mica_inode *inode;
	struct mica_spool *spool;
	uint16_t dev;
	bool unfit;  /* it cannot be told */
	bool hole;   /* some of it is */
	bool stored; /* and some is not */
	bool whole;  /* it is a fragment */
	bool single; /* the last extent is a plain pcluster of one byte */
	unsigned char tail[MICA_BLOCK];
	struct mica_data data;
};

static int refer_tail(struct refer *r, const struct mica_extent *e, struct mica_err *err)
{
	if (e->plen > TAIL_MAX) {
		r->unfit = true;
		return 0;
	}
	r->data.tail_len = (uint32_t)e->plen;
	return mica_image_read_stored(r->img, e, r->tail, e->plen, 0, err);
}

static int refer_add(struct refer *r, struct mica_pext x, struct mica_err *err)
{
	x.dev = r->dev;
	return mica_extlist_add(&r->bases->list, r->spool, x, err);
}

static int refer_encoded(struct refer *r, const struct mica_extent *e, struct mica_err *err)
{
	struct mica_pext x = {
		.llen = e->llen,
		.pstart = e->pa,
		.plen = (uint32_t)e->plen,
		.alg = (int8_t)e->alg,
		.partial = e->partial,
	};
	bool single = e->alg < 0 && e->plen == 1;
	int ret;

	/* lists have another meaning for a row of those */
	r->unfit |= single && r->single;
	r->single = single;
	/* indexes are written with a plain head for each block */
	r->unfit |= !r->inode->z_extents && e->alg < 0 && e->plen > MICA_BLOCK &&
		    (e->interlaced || e->la % MICA_BLOCK);
	if (e->interlaced)
		r->data.flags |= MICA_DATA_INTERLACED;
	if (!e->is_inline)
		return refer_add(r, x, err);
	x.pstart = x.plen = 0;
	r->data.flags |= MICA_DATA_TAIL_ENCODED;
	ret = refer_tail(r, e, err);
	return ret ? ret : refer_add(r, x, err);
}

static int refer_fragment(struct refer *r, const struct mica_extent *e, struct mica_err *err)
{
	int ret;

	r->stored = true;
	r->data.fragment = e->pa;
	r->data.flags |= MICA_DATA_TAIL_FRAGMENT;
	r->whole = !e->la;
	/* it begins where an extent would */
	r->bases->list.bounds |= r->bases->list.end;
	ret = mica_bases_fragment(r->bases, r->dev - 1u, r->img, &r->data.fragment, err);
	r->unfit |= ret > 0;
	return ret < 0 ? ret : 0;
}

static int refer_extent(struct refer *r, const struct mica_extent *e, struct mica_err *err)
{
	/* an image that has devices of its own: they are not those of the new one */
	r->unfit |= e->device != 0;
	switch (e->kind) {
	case MICA_EXTENT_HOLE:
		r->hole = true;
		return refer_add(r, (struct mica_pext){.llen = e->llen, .alg = -1}, err);
	case MICA_EXTENT_PLAIN:
		r->stored = true;
		return refer_add(
			r,
			(struct mica_pext){.llen = e->llen, .pstart = e->pa, .plen = 1, .alg = -1},
			err);
	case MICA_EXTENT_INLINE:
		r->stored = true;
		return refer_tail(r, e, err);
	case MICA_EXTENT_ENCODED:
		r->stored = true;
		return refer_encoded(r, e, err);
	case MICA_EXTENT_FRAGMENT:
		return refer_fragment(r, e, err);
	}
	return 0;
}

/* The form that the file has in the new image: as in its own, or a simpler one. */
static void refer_settle(struct refer *r)
{
	const struct mica_extlist *l = &r->bases->list;
	const struct mica_inode *i = r->inode;
	struct mica_data *d = &r->data;
	uint64_t tail = d->flags & MICA_DATA_TAIL_ENCODED ? 0 : d->tail_len;

	d->dev = l->first_dev;
	d->start = l->first;
	d->blocks = (uint32_t)mica_min(mica_div_round_up(i->size - tail, MICA_BLOCK), UINT32_MAX);
	d->flags |= mica_extlist_flags(l);
	if (i->layout == EROFS_LAYOUT_COMPRESSED_FULL ||
	    i->layout == EROFS_LAYOUT_COMPRESSED_COMPACT) {
		d->kind = i->z_extents ? MICA_DATA_EXTENTS : MICA_DATA_PCLUSTERS;
		if (r->whole)
			d->kind = MICA_DATA_FRAGMENT;
		d->alg = (uint8_t)(i->z_alg[0] | i->z_alg[1] << 4);
		d->blocks = (uint32_t)mica_min(i->cblocks, UINT32_MAX);
		d->lclusterbits = i->z_extents ? (uint8_t)mica_extlist_uniform_bits(l) : 0;
	} else if (r->hole || mica_extlist_count(l) > 1) {
		d->kind = MICA_DATA_CHUNK;
		d->lclusterbits = mica_extlist_chunk_bits(l);
		r->unfit |= d->tail_len > 0;
	} else {
		d->kind = MICA_DATA_FLAT;
	}
	/* nothing but a hole, which every kernel reads from a chunk map */
	if (!r->stored) {
		d->kind = MICA_DATA_CHUNK;
		d->lclusterbits = mica_extlist_chunk_bits(l);
	}
}

static int refer_extents(struct refer *r, struct mica_err *err)
{
	struct mica_extent e;

	for (uint64_t la = 0; !r->unfit && la < r->inode->size; la += e.llen) {
		int ret = mica_bases_map(r->img, r->inode, la, &e, err);

		if (ret)
			return ret;
		ret = refer_extent(r, &e, err);
		if (ret)
			return ret;
	}
	return 0;
}

int mica_bases_refer(struct mica_bases *bases, unsigned int base, struct mica_image *img,
		     const struct mica_inode *inode, struct mica_spool *spool,
		     struct mica_data *out, struct mica_err *err)
{
	struct refer r = {
		.bases = bases,
		.img = img,
		.inode = inode,
		.spool = spool,
		.dev = (uint16_t)(base + 1),
	};
	bool padded = mica_image_super(img)->feature_incompat & EROFS_INCOMPAT_ZERO_PADDING;
	int ret;

	if (!inode->size) {
		*out = r.data;
		return 0;
	}
	mica_extlist_clear(&bases->list);
	ret = refer_extents(&r, err);
	if (ret)
		return ret;
	refer_settle(&r);
	/* the oldest images have their bytes at the other end of a pcluster */
	if (!padded && (r.data.kind == MICA_DATA_PCLUSTERS || r.data.kind == MICA_DATA_EXTENTS))
		r.unfit = true;
	if (r.unfit)
		return 1;
	if (r.data.kind == MICA_DATA_FLAT)
		mica_extlist_clear(&bases->list);
	r.data.count = (uint32_t)mica_extlist_count(&bases->list);
	ret = mica_extlist_save(&bases->list, spool, r.tail, r.data.tail_len, &r.data.spool_off,
				err);
	bases->bytes_referred += inode->size;
	*out = r.data;
	return ret;
}
