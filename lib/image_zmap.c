/* SPDX-License-Identifier: MIT */
/* Compressed inodes: the map header, and what all of their extents must obey. */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>

#include "codec.h"
#include "util.h"

#define CLUSTERBITS_WHOLE 0x80u /* the whole file is a fragment */

static int zmap_check_fragment(const struct mica_image *img, const struct mica_inode *inode,
			       struct mica_err *err)
{
	uint64_t len = inode->size - inode->z_tail_start;

	if (!img->sb.packed_nid)
		return mica_err_set(err, MICA_E_CORRUPT, "fragment in an image without them");
	if (inode->nid == img->sb.packed_nid)
		return mica_err_set(err, MICA_E_CORRUPT, "the packed inode has a fragment itself");
	if (!mica_range_in(inode->z_fragment_off, len, img->packed.size))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "fragment of %" PRIu64 " bytes at %" PRIu64
				    " reaches over the end of the packed inode at %" PRIu64,
				    len, inode->z_fragment_off, img->packed.size);
	return 0;
}

int mica_zmap_load(struct mica_image *img, struct mica_inode *inode, struct mica_err *err)
{
	uint64_t off = mica_round_up(mica_inode_end(inode), 8);
	struct erofs_map_header_disk h;
	le64 whole;
	int ret;

	ret = mica_meta_read(img, inode->in_metabox, off, &h, sizeof(h), err);
	if (ret)
		return mica_err_wrap(err, "map header");
	inode->z_index_off = off + sizeof(h);
	if (h.clusterbits & CLUSTERBITS_WHOLE) {
		memcpy(&whole, &h, sizeof(whole));
		inode->z_advise = EROFS_ADVISE_FRAGMENT;
		inode->z_fragment_whole = true;
		inode->z_fragment_off = le64_get(whole) ^ 1ULL << 63;
		return zmap_check_fragment(img, inode, err);
	}
	inode->z_advise = le16_get(h.advise);
	inode->z_lclusterbits = img->sb.blkbits + (h.clusterbits & EROFS_CLUSTERBITS_MASK);
	if (mica_zmap_has_extents(inode)) {
		inode->z_extents =
			le32_get(h.a) | (uint64_t)h.algs << 32 | (uint64_t)h.clusterbits << 40;
		ret = mica_zextent_load(img, inode, err);
	} else {
		inode->z_alg[0] = h.algs & 15;
		inode->z_alg[1] = h.algs >> 4;
		if (inode->z_advise & EROFS_ADVISE_FRAGMENT)
			inode->z_fragment_off = le32_get(h.a);
		else if (inode->z_advise & EROFS_ADVISE_INLINE_PCLUSTER)
			inode->z_idata_size = le32_get(h.a) >> 16;
		ret = mica_zindex_load(img, inode, err);
	}
	if (!ret && inode->z_advise & EROFS_ADVISE_FRAGMENT)
		ret = zmap_check_fragment(img, inode, err);
	return ret;
}

static int zmap_check_extent(const struct mica_image *img, struct mica_extent *e,
			     struct mica_err *err)
{
	if (e->alg >= EROFS_ALG_MAX)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "extent at %" PRIu64 ": algorithm %d is not within 0..%d",
				    e->la, e->alg, EROFS_ALG_MAX - 1);
	if (e->alg >= 0 && !(img->sb.algs & 1u << e->alg))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "extent at %" PRIu64 ": algorithm %s is not among the "
				    "superblock's 0x%x",
				    e->la, mica_codec_alg_name((enum erofs_alg)e->alg),
				    img->sb.algs);
	if (e->plen > EROFS_PCLUSTER_MAX)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "extent at %" PRIu64 ": pcluster of %" PRIu64
				    " bytes exceeds %u",
				    e->la, e->plen, EROFS_PCLUSTER_MAX);
	if (e->llen > EROFS_EXTENT_MAX)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "extent at %" PRIu64 ": %" PRIu64 " decoded bytes exceed %u",
				    e->la, e->llen, EROFS_EXTENT_MAX);
	if (e->alg < 0 && e->llen > e->plen)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "extent at %" PRIu64 ": %" PRIu64
				    " bytes in a plain pcluster of %" PRIu64,
				    e->la, e->llen, e->plen);
	if (e->is_inline)
		return 0;
	return mica_image_resolve(img, &e->device, &e->pa, e->plen, err);
}

int mica_zmap_find(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		   struct mica_extent *out, struct mica_err *err)
{
	int ret;

	if (inode->z_advise & EROFS_ADVISE_FRAGMENT && la >= inode->z_tail_start) {
		*out = (struct mica_extent){
			.kind = MICA_EXTENT_FRAGMENT,
			.la = inode->z_tail_start,
			.llen = inode->size - inode->z_tail_start,
			.pa = inode->z_fragment_off,
			.plen = inode->size - inode->z_tail_start,
		};
		return 0;
	}
	if (mica_zmap_has_extents(inode))
		ret = mica_zextent_find(img, inode, la, out, err);
	else
		ret = mica_zindex_find(img, inode, la, out, err);
	if (ret || out->kind != MICA_EXTENT_ENCODED)
		return ret;
	return zmap_check_extent(img, out, err);
}
