/* SPDX-License-Identifier: MIT */
/*
 * Extents of the full and compact index. An entry for each logical cluster
 * (lcluster) says where an extent begins in it (HEAD, PLAIN) or how far away
 * its beginning and the next one are (NONHEAD).
 */
#include "image_priv.h"

#include <inttypes.h>

#include "util.h"

#define LCLUSTERBITS_COMPACT_MAX 14u

static uint64_t head_start(const struct mica_inode *inode, const struct mica_lcluster *m)
{
	return (m->lcn << inode->z_lclusterbits) + m->clusterofs;
}

/* The head of the extent that byte la is in; *at is the entry of la's own lcluster. */
static int zindex_head(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		       struct mica_lcluster *at, struct mica_lcluster *head, struct mica_err *err)
{
	uint64_t lcn = la >> inode->z_lclusterbits;
	uint64_t back;
	int ret;

	ret = mica_lcluster_load(img, inode, lcn, false, at, err);
	if (ret)
		return ret;
	*head = *at;
	if (at->type != EROFS_LCLUSTER_NONHEAD && head_start(inode, at) <= la)
		return 0;
	back = at->type == EROFS_LCLUSTER_NONHEAD ? at->delta[0] : 1;
	while (back && back <= lcn) {
		lcn -= back;
		if (la - (lcn << inode->z_lclusterbits) >
		    EROFS_EXTENT_MAX + (UINT64_C(1) << inode->z_lclusterbits))
			break;
		ret = mica_lcluster_load(img, inode, lcn, false, head, err);
		if (ret)
			return ret;
		if (head->type != EROFS_LCLUSTER_NONHEAD)
			return 0;
		back = head->delta[0];
	}
	return mica_err_set(err, MICA_E_CORRUPT,
			    "lcluster %" PRIu64 " of the byte points back %" PRIu64
			    " from lcluster %" PRIu64 " to no head within %u bytes",
			    at->lcn, back, lcn, EROFS_EXTENT_MAX);
}

/* Bytes of the head's pcluster. */
static int zindex_plen(struct mica_image *img, const struct mica_inode *inode,
		       const struct mica_lcluster *head, uint64_t *plen, struct mica_err *err)
{
	unsigned int big = head->type == EROFS_LCLUSTER_HEAD1 ? EROFS_ADVISE_BIG_PCLUSTER_1
							      : EROFS_ADVISE_BIG_PCLUSTER_2;
	struct mica_lcluster next;
	uint64_t lcn = head->lcn + 1;
	int ret;

	*plen = img->sb.block_size;
	if (!(inode->z_advise & big) || lcn << inode->z_lclusterbits >= inode->size)
		return 0;
	ret = mica_lcluster_load(img, inode, lcn, false, &next, err);
	if (ret)
		return ret;
	if (next.type != EROFS_LCLUSTER_NONHEAD)
		return 0;
	if (next.delta[0] != 1)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "lcluster %" PRIu64 " behind a head points back %" PRIu32
				    ", not 1",
				    lcn, next.delta[0]);
	if (next.cblks)
		*plen = (uint64_t)next.cblks << img->sb.blkbits;
	return 0;
}

/* Where the head's extent ends: at the next head, or at the end of the file. */
static int zindex_end(struct mica_image *img, const struct mica_inode *inode,
		      const struct mica_lcluster *head, uint64_t *end, struct mica_err *err)
{
	uint64_t start = head_start(inode, head);
	struct mica_lcluster m = *head;
	uint64_t lcn = head->lcn;
	int ret;

	for (;;) {
		/* mkfs of old wrote 0 where it meant 1 */
		lcn += m.type == EROFS_LCLUSTER_NONHEAD && m.delta[1] ? m.delta[1] : 1;
		if (lcn << inode->z_lclusterbits >= inode->size) {
			*end = inode->size;
			break;
		}
		ret = mica_lcluster_load(img, inode, lcn, true, &m, err);
		if (ret)
			return ret;
		if (m.type != EROFS_LCLUSTER_NONHEAD) {
			*end = mica_min(head_start(inode, &m), inode->size);
			break;
		}
		if ((lcn << inode->z_lclusterbits) - start > EROFS_EXTENT_MAX) {
			*end = lcn << inode->z_lclusterbits;
			break;
		}
	}
	if (*end - start > EROFS_EXTENT_MAX)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "extent at %" PRIu64 " decodes to more than %u bytes", start,
				    EROFS_EXTENT_MAX);
	return 0;
}

/* Where the fragment or the inline pcluster begins that ends the file. */
static int zindex_load_tail(struct mica_image *img, struct mica_inode *inode, struct mica_err *err)
{
	uint32_t block_size = img->sb.block_size;
	struct mica_lcluster at, head;
	int ret;

	ret = zindex_head(img, inode, inode->size - 1, &at, &head, err);
	if (ret)
		return ret;
	inode->z_tail_start = head_start(inode, &head);
	if (inode->z_advise & EROFS_ADVISE_FRAGMENT) {
		if (!head.lcn)
			inode->z_tail_start = 0;
		if (inode->layout == EROFS_LAYOUT_COMPRESSED_FULL)
			inode->z_fragment_off |= (uint64_t)head.pblk << 32;
		return 0;
	}
	inode->z_idata_off = at.next_off;
	if (at.next_off % block_size + inode->z_idata_size > block_size)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "inline pcluster of %" PRIu32 " bytes at %" PRIu64
				    " crosses a block",
				    inode->z_idata_size, at.next_off);
	if (!mica_range_in(at.next_off, inode->z_idata_size,
			   mica_meta_size(img, inode->in_metabox)))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "inline pcluster of %" PRIu32 " bytes at %" PRIu64
				    " reaches over the end at %" PRIu64,
				    inode->z_idata_size, at.next_off,
				    mica_meta_size(img, inode->in_metabox));
	return 0;
}

int mica_zindex_load(struct mica_image *img, struct mica_inode *inode, struct mica_err *err)
{
	const unsigned int big = EROFS_ADVISE_BIG_PCLUSTER_1 | EROFS_ADVISE_BIG_PCLUSTER_2;
	bool full = inode->layout == EROFS_LAYOUT_COMPRESSED_FULL;
	uint64_t count = ((inode->size - 1) >> inode->z_lclusterbits) + 1;
	uint64_t bytes;

	inode->z_index_off += full ? 8 : 0; /* 8 reserved bytes */
	if (inode->z_advise & big && !(img->sb.feature_incompat & EROFS_INCOMPAT_COMPR_CFGS))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "map header: advise 0x%x has big pclusters, which the "
				    "superblock lacks",
				    inode->z_advise);
	if (!full && inode->z_advise & big && (inode->z_advise & big) != big)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "map header: advise 0x%x has one kind of big pclusters in a "
				    "compact index",
				    inode->z_advise);
	if (!full && inode->z_lclusterbits > LCLUSTERBITS_COMPACT_MAX)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "map header: lclusters of 2^%u bytes in a compact index "
				    "exceed 2^%u",
				    inode->z_lclusterbits, LCLUSTERBITS_COMPACT_MAX);
	/* Nothing shorter than two bytes an entry; so all later sums are small. */
	if (mica_mul_overflows(count, full ? sizeof(struct erofs_lcluster_disk) : 2, &bytes) ||
	    !mica_range_in(inode->z_index_off, bytes, mica_meta_size(img, inode->in_metabox)))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "index of %" PRIu64 " lclusters at %" PRIu64
				    " reaches over the end at %" PRIu64,
				    count, inode->z_index_off,
				    mica_meta_size(img, inode->in_metabox));
	if (inode->z_idata_size || inode->z_advise & EROFS_ADVISE_FRAGMENT)
		return zindex_load_tail(img, inode, err);
	return 0;
}

int mica_zindex_find(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		     struct mica_extent *out, struct mica_err *err)
{
	struct mica_lcluster at, head;
	uint64_t end;
	int ret;

	ret = zindex_head(img, inode, la, &at, &head, err);
	if (!ret)
		ret = zindex_end(img, inode, &head, &end, err);
	if (ret)
		return ret;
	if (end <= la)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "extent at %" PRIu64 " ends at %" PRIu64 ", before the byte",
				    head_start(inode, &head), end);
	*out = (struct mica_extent){
		.kind = MICA_EXTENT_ENCODED,
		.la = head_start(inode, &head),
		.partial = head.partial,
	};
	out->llen = end - out->la;
	if (head.type == EROFS_LCLUSTER_PLAIN)
		out->alg = -1;
	else
		out->alg = inode->z_alg[head.type == EROFS_LCLUSTER_HEAD2];
	if (inode->z_idata_size && out->la == inode->z_tail_start) {
		out->is_inline = true;
		out->in_metabox = inode->in_metabox;
		out->pa = inode->z_idata_off;
		out->plen = inode->z_idata_size;
		return 0;
	}
	out->interlaced = out->alg < 0 && inode->z_advise & EROFS_ADVISE_INTERLACED;
	out->pa = (uint64_t)head.pblk << img->sb.blkbits;
	return zindex_plen(img, inode, &head, &out->plen, err);
}
