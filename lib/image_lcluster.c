/* SPDX-License-Identifier: MIT */
/* Single entries of the full index (8 bytes each) and of the compact one (packs of 2 or 16). */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>

#include "util.h"

#define PACK_MAX     32u
#define PACK_2B_BITS 12u /* lclusterbits up to which packs of 2-byte entries exist */

/* A pack of the compact index: entries of bits each, then the block that they count from. */
struct pack {
	uint8_t raw[PACK_MAX];
	unsigned int size;   /* bytes */
	unsigned int count;  /* entries */
	unsigned int bits;   /* of an entry */
	unsigned int lobits; /* of an entry's value; the two above are its type */
	uint64_t off;
};

static int lcluster_load_full(struct mica_image *img, const struct mica_inode *inode, uint64_t lcn,
			      struct mica_lcluster *m, struct mica_err *err)
{
	uint64_t off = inode->z_index_off + lcn * sizeof(struct erofs_lcluster_disk);
	struct erofs_lcluster_disk d;
	unsigned int advise;
	int ret;

	ret = mica_meta_read(img, inode->in_metabox, off, &d, sizeof(d), err);
	if (ret)
		return ret;
	advise = le16_get(d.advise);
	*m = (struct mica_lcluster){
		.lcn = lcn,
		.type = advise & EROFS_LI_TYPE_MASK,
		.next_off = off + sizeof(d),
	};
	if (m->type == EROFS_LCLUSTER_NONHEAD) {
		m->delta[0] = le32_get(d.u) & UINT16_MAX;
		m->delta[1] = le32_get(d.u) >> 16;
		if (m->delta[0] & EROFS_LI_D0_CBLKCNT) {
			m->cblks = m->delta[0] & ~EROFS_LI_D0_CBLKCNT;
			m->delta[0] = 1;
			if (!(inode->z_advise &
			      (EROFS_ADVISE_BIG_PCLUSTER_1 | EROFS_ADVISE_BIG_PCLUSTER_2)))
				return mica_err_set(err, MICA_E_CORRUPT,
						    "lcluster %" PRIu64 " counts blocks without "
						    "big pclusters",
						    lcn);
		}
		return 0;
	}
	m->partial = advise & EROFS_LI_PARTIAL_REF;
	m->clusterofs = le16_get(d.clusterofs);
	m->pblk = le32_get(d.u);
	return 0;
}

/* Where lcn's entry lies: the runs of 4-byte, 2-byte and again 4-byte entries. */
static void pack_locate(const struct mica_image *img, const struct mica_inode *inode, uint64_t lcn,
			struct pack *p, unsigned int *i)
{
	uint64_t base = inode->z_index_off;
	uint64_t total = mica_div_round_up(inode->size, img->sb.block_size);
	uint64_t initial = (32 - base % 32) / 4 & 7; /* up to where 32-byte packs are aligned */
	uint64_t in_2b = 0, pos = base;
	unsigned int entry = 4;

	if (inode->z_advise & EROFS_ADVISE_COMPACTED_2B && initial < total)
		in_2b = mica_round_down(total - initial, 16);
	if (lcn >= initial) {
		pos += initial * 4;
		lcn -= initial;
		if (lcn < in_2b) {
			entry = 2;
		} else {
			pos += in_2b * 2;
			lcn -= in_2b;
		}
	}
	pos += lcn * entry;
	p->count = entry == 2 ? 16 : 2;
	p->size = p->count * entry;
	p->bits = (p->size - 4) * 8 / p->count;
	p->lobits = inode->z_lclusterbits > 12 ? inode->z_lclusterbits : 12;
	p->off = mica_round_down(pos, p->size);
	*i = (unsigned int)(pos - p->off) / entry;
}

static unsigned int pack_value(const struct pack *p, unsigned int i, enum erofs_lcluster_type *type)
{
	unsigned int bit = p->bits * i;
	le32 word;
	uint32_t v;

	memcpy(&word, p->raw + bit / 8, sizeof(word));
	v = le32_get(word) >> (bit & 7);
	*type = v >> p->lobits & EROFS_LI_TYPE_MASK;
	return v & ((1u << p->lobits) - 1);
}

/* delta[1] of NONHEAD entry i: only the last entry of a pack stores it. */
static uint32_t pack_ahead(const struct pack *p, unsigned int i)
{
	enum erofs_lcluster_type type;
	uint32_t d1 = 0;
	unsigned int lo;

	do {
		lo = pack_value(p, i, &type);
		if (type != EROFS_LCLUSTER_NONHEAD)
			return d1;
		d1++;
	} while (++i < p->count);
	return lo & EROFS_LI_D0_CBLKCNT ? d1 : d1 + lo - 1;
}

static int pack_nonhead(const struct mica_inode *inode, const struct pack *p, unsigned int i,
			unsigned int lo, struct mica_lcluster *m, struct mica_err *err)
{
	enum erofs_lcluster_type type;

	if (lo & EROFS_LI_D0_CBLKCNT) {
		if (!(inode->z_advise & EROFS_ADVISE_BIG_PCLUSTER_1))
			return mica_err_set(
				err, MICA_E_CORRUPT,
				"lcluster %" PRIu64 " counts blocks without big pclusters", m->lcn);
		m->cblks = lo & ~EROFS_LI_D0_CBLKCNT;
		m->delta[0] = 1;
		return 0;
	}
	if (i + 1 < p->count) {
		m->delta[0] = lo;
		return 0;
	}
	/* The last one holds delta[1], so that delta[0] follows from the one before. */
	lo = pack_value(p, i - 1, &type);
	if (type != EROFS_LCLUSTER_NONHEAD)
		lo = 0;
	else if (lo & EROFS_LI_D0_CBLKCNT)
		lo = 1;
	m->delta[0] = lo + 1;
	return 0;
}

/* Blocks of the heads before entry end of the pack, whose pclusters lie in a row. */
static int pack_blocks(const struct mica_inode *inode, const struct pack *p, unsigned int end,
		       uint32_t *blocks, struct mica_err *err)
{
	bool big = inode->z_advise & EROFS_ADVISE_BIG_PCLUSTER_1;
	enum erofs_lcluster_type type;
	int i = (int)end;

	*blocks = big ? 0 : 1;
	while (i > 0) {
		unsigned int lo = pack_value(p, (unsigned int)--i, &type);

		if (type != EROFS_LCLUSTER_NONHEAD) {
			++*blocks;
		} else if (!big) {
			i -= (int)lo; /* its head; the loop ends when that is in another pack */
			if (i >= 0)
				++*blocks;
		} else if (lo & EROFS_LI_D0_CBLKCNT) {
			--i;
			*blocks += lo & ~EROFS_LI_D0_CBLKCNT;
		} else if (lo <= 1) {
			return mica_err_set(err, MICA_E_CORRUPT,
					    "compact index at %" PRIu64
					    ": entry %d lacks its block count",
					    p->off, i);
		} else {
			i -= (int)lo - 2; /* to the entry behind the head, which counts blocks */
		}
	}
	return 0;
}

static int lcluster_load_compact(struct mica_image *img, const struct mica_inode *inode,
				 uint64_t lcn, bool ahead, struct mica_lcluster *m,
				 struct mica_err *err)
{
	struct pack p;
	unsigned int i, lo;
	uint32_t blocks;
	le32 base;
	int ret;

	pack_locate(img, inode, lcn, &p, &i);
	if (p.count == 16 && inode->z_lclusterbits > PACK_2B_BITS)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "2-byte index entries with lclusters of 2^%u bytes",
				    inode->z_lclusterbits);
	ret = mica_meta_read(img, inode->in_metabox, p.off, p.raw, p.size, err);
	if (ret)
		return ret;
	*m = (struct mica_lcluster){.lcn = lcn, .next_off = p.off + p.size};
	lo = pack_value(&p, i, &m->type);
	if (m->type == EROFS_LCLUSTER_NONHEAD) {
		if (ahead)
			m->delta[1] = pack_ahead(&p, i);
		return pack_nonhead(inode, &p, i, lo, m, err);
	}
	m->clusterofs = lo;
	ret = pack_blocks(inode, &p, i, &blocks, err);
	if (ret)
		return ret;
	memcpy(&base, p.raw + p.size - sizeof(base), sizeof(base));
	m->pblk = le32_get(base) + blocks;
	return 0;
}

int mica_lcluster_load(struct mica_image *img, const struct mica_inode *inode, uint64_t lcn,
		       bool ahead, struct mica_lcluster *out, struct mica_err *err)
{
	int ret;

	if (inode->layout == EROFS_LAYOUT_COMPRESSED_FULL)
		ret = lcluster_load_full(img, inode, lcn, out, err);
	else
		ret = lcluster_load_compact(img, inode, lcn, ahead, out, err);
	if (ret)
		return ret;
	if (out->type != EROFS_LCLUSTER_NONHEAD && out->clusterofs >> inode->z_lclusterbits)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "lcluster %" PRIu64 ": clusterofs %" PRIu32
				    " is not below %" PRIu64,
				    lcn, out->clusterofs, UINT64_C(1) << inode->z_lclusterbits);
	return 0;
}
