/* SPDX-License-Identifier: MIT */
/*
 * The packed inodes of layers become one: a list of all their extents, one inode
 * behind the other, each from a block boundary on, so that fragments are found at
 * their old offset plus their inode's place. Those that do not go together with
 * the ones before stay out, and their files are copied.
 */
#include <inttypes.h>
#include <string.h>

#include "../lib/util.h"
#include "bases.h"
#include "data.h"
#include "outfile.h"

#define PLAIN_MAX (512u << 10) /* bytes of flat data that one extent takes */

/* Bits of enum erofs_alg; an index has two algorithms in a file. */
static bool algs_fit(unsigned int algs, bool extents)
{
	return extents || __builtin_popcount(algs) <= 2;
}

/* What one packed inode asks of the file that it is to become a part of. */
struct demands {
	unsigned int algs;
	bool rotated, straight; /* plain pclusters that are only right with or without INTERLACED */
	bool single;		/* the last extent is a plain pcluster of one byte */
	bool unfit;
};

static void demand_plain(struct demands *d, const struct mica_extent *e, bool extents)
{
	/* with encoded extents, only blocks can be rotated */
	if (extents && (e->pa | e->plen) % MICA_BLOCK)
		return;
	/* rotated or not, a block that stands where it would in the file is the same */
	if (!(e->la % MICA_BLOCK) && e->plen <= MICA_BLOCK)
		return;
	if (e->interlaced)
		d->rotated = true;
	else
		d->straight = true;
	/* an index has a plain head for each block */
	d->unfit |= !extents && e->plen > MICA_BLOCK && (e->interlaced || e->la % MICA_BLOCK);
}

static void demand(struct demands *d, const struct mica_extent *e, bool extents)
{
	bool single = e->kind == MICA_EXTENT_ENCODED && e->alg < 0 && e->plen == 1;

	/* the image has devices of its own; lists have another meaning for a row of single bytes */
	d->unfit |= e->device || (single && d->single);
	d->single = single;
	switch (e->kind) {
	case MICA_EXTENT_ENCODED:
		if (e->alg >= 0)
			d->algs |= 1u << e->alg;
		else if (!e->is_inline)
			demand_plain(d, e, extents);
		break;
	case MICA_EXTENT_PLAIN:
		d->straight = true;
		break;
	case MICA_EXTENT_INLINE:
		break;
	default:
		d->unfit |= !extents;
		break;
	}
}

static int extents_scan(struct mica_image *img, const struct mica_inode *packed, bool extents,
			struct demands *out, struct mica_err *err)
{
	struct mica_extent e;

	for (uint64_t la = 0; la < packed->size; la += e.llen) {
		int ret = mica_bases_map(img, packed, la, &e, err);

		if (ret)
			return ret;
		demand(out, &e, extents);
	}
	return 0;
}

/* Take base's packed inode in, or decide that it stays out. */
static int packed_decide(struct mica_bases *b, struct mica_base *base, struct mica_image *img,
			 struct mica_err *err)
{
	const struct mica_super *sb = mica_image_super(img);
	bool padded = sb->feature_incompat & EROFS_INCOMPAT_ZERO_PADDING;
	struct demands d = {.algs = b->packed_algs};
	struct mica_inode packed;
	int ret = mica_image_inode(img, sb->packed_nid, &packed, err);

	if (!ret)
		ret = extents_scan(img, &packed, b->extents, &d, err);
	if (ret)
		return mica_err_wrap(err, "packed inode");
	base->packed = MICA_PACKED_ALONE;
	if (d.unfit || !padded || !algs_fit(d.algs, b->extents) ||
	    ((d.rotated || b->packed_rotated) && (d.straight || b->packed_straight)))
		return 0;
	base->packed = MICA_PACKED_JOINED;
	base->fragments = b->packed_size;
	b->packed_size += mica_round_up(packed.size, MICA_BLOCK);
	b->packed_algs = d.algs;
	b->packed_rotated |= d.rotated;
	b->packed_straight |= d.straight;
	base->packed_rank = b->packed_count++;
	return 0;
}

int mica_bases_fragment(struct mica_bases *bases, unsigned int base, struct mica_image *img,
			uint64_t *off, struct mica_err *err)
{
	struct mica_base *b = &bases->v[base];
	int ret = b->packed == MICA_PACKED_UNKNOWN ? packed_decide(bases, b, img, err) : 0;

	*off += b->fragments;
	return ret ? ret : b->packed == MICA_PACKED_ALONE;
}

/* One packed inode on its way into the list. */
struct joiner {
	struct mica_bases *bases;
	struct mica_outfile *out;
	struct mica_spool *spool;
	struct mica_extlist *list;
	struct mica_image *img;
	struct mica_inode inode;
	uint16_t dev;
	uint64_t zeros; /* a block of zeros in the new image, 0: none yet */
};

static int join_add(struct joiner *j, struct mica_pext x, struct mica_err *err)
{
	return mica_extlist_add(j->list, j->spool, x, err);
}

static int block_store(struct joiner *j, const unsigned char block[MICA_BLOCK], uint64_t *start,
		       struct mica_err *err)
{
	uint64_t pos = mica_outfile_pos(j->out);
	int ret = mica_outfile_zeros(j->out, mica_round_up(pos, MICA_BLOCK) - pos, err);

	*start = mica_outfile_pos(j->out);
	return ret ? ret : mica_outfile_write(j->out, block, MICA_BLOCK, err);
}

/*
 * An extent that cannot stay where it is: its content, at most a block, into a plain
 * pcluster of the new image; llen: its length there, what is more are zeros.
 */
static int join_copy(struct joiner *j, const struct mica_extent *e, uint64_t llen,
		     struct mica_err *err)
{
	bool rotated = j->bases->packed_rotated && (!j->bases->extents || llen == MICA_BLOCK);
	uint64_t at = rotated ? e->la % MICA_BLOCK : 0;
	unsigned char content[MICA_BLOCK], block[MICA_BLOCK] = {0};
	struct mica_pext x = {.llen = llen, .plen = MICA_BLOCK, .alg = -1};
	long n = mica_image_read(j->img, &j->inode, content, e->llen, e->la, err);
	int ret;

	if (n < 0)
		return (int)n;
	for (uint64_t i = 0; i < e->llen; i++)
		block[(at + i) % MICA_BLOCK] = content[i];
	if (j->bases->extents)
		x.plen = (uint32_t)llen;
	ret = block_store(j, block, &x.pstart, err);
	return ret ? ret : join_add(j, x, err);
}

/* A compressed inline pcluster becomes one of a block. */
static int join_inline(struct joiner *j, const struct mica_extent *e, struct mica_err *err)
{
	struct mica_pext x = {.llen = e->llen, .plen = MICA_BLOCK, .alg = (int8_t)e->alg};
	unsigned char block[MICA_BLOCK] = {0};
	unsigned char *at = block + MICA_BLOCK - e->plen;
	int ret = mica_image_read_stored(j->img, e, at, e->plen, 0, err);

	if (!ret)
		ret = block_store(j, block, &x.pstart, err);
	if (j->bases->extents) {
		x.pstart += (uint64_t)(at - block);
		x.plen = (uint32_t)e->plen;
	}
	return ret ? ret : join_add(j, x, err);
}

static int join_flat(struct joiner *j, const struct mica_extent *e, struct mica_err *err)
{
	int ret = 0;

	for (uint64_t done = 0; !ret && done < e->llen;) {
		uint32_t len = (uint32_t)mica_min(PLAIN_MAX, e->llen - done);
		struct mica_pext x = {
			.llen = len, .pstart = e->pa + done, .dev = j->dev, .plen = len, .alg = -1};

		if (!j->bases->extents)
			x.plen = (uint32_t)mica_round_up(len, MICA_BLOCK);
		ret = join_add(j, x, err);
		done += len;
	}
	return ret;
}

static int join_extent(struct joiner *j, const struct mica_extent *e, struct mica_err *err)
{
	struct mica_pext x = {
		.llen = e->llen,
		.pstart = e->pa,
		.dev = j->dev,
		.plen = (uint32_t)e->plen,
		.alg = (int8_t)e->alg,
		.partial = e->partial,
	};

	switch (e->kind) {
	case MICA_EXTENT_PLAIN:
		return join_flat(j, e, err);
	case MICA_EXTENT_ENCODED:
		if (!e->is_inline)
			return join_add(j, x, err);
		return e->alg < 0 ? join_copy(j, e, e->llen, err) : join_inline(j, e, err);
	case MICA_EXTENT_INLINE:
		return join_copy(j, e, e->llen, err);
	default:
		return join_add(j, (struct mica_pext){.llen = e->llen, .alg = -1}, err);
	}
}

/* Behind a packed inode, up to where the next one begins. */
static int join_gap(struct joiner *j, uint64_t len, struct mica_err *err)
{
	static const unsigned char zeros[MICA_BLOCK];
	/* all gaps share one block, of which each shows some */
	struct mica_pext x = {.llen = len, .plen = MICA_BLOCK, .alg = -1, .partial = true};
	int ret = 0;

	if (j->bases->extents)
		return join_add(j, (struct mica_pext){.llen = len, .alg = -1}, err);
	if (!j->zeros)
		ret = block_store(j, zeros, &j->zeros, err);
	x.pstart = j->zeros;
	return ret ? ret : join_add(j, x, err);
}

static int join_inode(struct joiner *j, bool last, struct mica_err *err)
{
	uint64_t size = j->inode.size, end = last ? size : mica_round_up(size, MICA_BLOCK);
	struct mica_extent e;
	int ret = 0;

	for (uint64_t la = 0; !ret && la < size; la += e.llen) {
		ret = mica_bases_map(j->img, &j->inode, la, &e, err);
		if (ret)
			return ret;
		/* an index has no room for a gap in the block in which the last extent begins */
		if (!j->bases->extents && la + e.llen == size &&
		    la >= mica_round_down(size, MICA_BLOCK))
			return join_copy(j, &e, end - la, err);
		ret = join_extent(j, &e, err);
	}
	return ret || size == end ? ret : join_gap(j, end - size, err);
}

static int join_base(struct joiner *j, unsigned int base, bool last, struct mica_err *err)
{
	struct mica_image *img cleanup_image = NULL;
	int ret = mica_bases_reopen(j->bases, base, &img, err);

	if (ret)
		return ret;
	j->img = img;
	j->dev = (uint16_t)(base + 1);
	ret = mica_image_inode(img, mica_image_super(img)->packed_nid, &j->inode, err);
	if (!ret)
		ret = join_inode(j, last, err);
	return ret ? mica_err_wrap(err, "%s: packed inode", j->bases->v[base].path) : 0;
}

/* The base whose packed inode comes as number rank. */
static unsigned int base_of_rank(const struct mica_bases *bases, unsigned int rank)
{
	unsigned int i = 0;

	while (bases->v[i].packed != MICA_PACKED_JOINED || bases->v[i].packed_rank != rank)
		i++;
	return i;
}

static void packed_settle(struct mica_bases *bases, struct mica_tinode *inode)
{
	const struct mica_extlist *l = &bases->list;
	struct mica_data *d = &inode->data;

	*d = (struct mica_data){
		.kind = bases->extents ? MICA_DATA_EXTENTS : MICA_DATA_PCLUSTERS,
		.alg = mica_extlist_algs(l, 0),
		.dev = 1, /* never near enough for short records */
		.blocks = (uint32_t)mica_min(mica_div_round_up(l->bytes, MICA_BLOCK), UINT32_MAX),
	};
	d->flags |= mica_extlist_flags(l);
	if (bases->packed_rotated)
		d->flags |= MICA_DATA_INTERLACED;
	inode->size = l->end;
	d->count = (uint32_t)mica_extlist_count(l);
}

int mica_bases_join(struct mica_bases *bases, struct mica_outfile *out, struct mica_spool *spool,
		    struct mica_extlist *list, bool more, struct mica_err *err)
{
	struct joiner j = {.bases = bases, .out = out, .spool = spool, .list = list};
	int ret = 0;

	for (unsigned int i = 0; !ret && i < bases->packed_count; i++)
		ret = join_base(&j, base_of_rank(bases, i), !more && i + 1 == bases->packed_count,
				err);
	return ret;
}

int mica_bases_pack(struct mica_bases *bases, struct mica_outfile *out, struct mica_spool *spool,
		    struct mica_tinode *inode, struct mica_err *err)
{
	int ret;

	mica_extlist_clear(&bases->list);
	ret = mica_bases_join(bases, out, spool, &bases->list, false, err);
	if (ret)
		return ret;
	packed_settle(bases, inode);
	return mica_extlist_save(&bases->list, spool, NULL, 0, &inode->data.spool_off, err);
}
