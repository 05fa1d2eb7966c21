/* SPDX-License-Identifier: MIT */
/* Where an inode lies, its index, and every extent of its block map. */
#include <inttypes.h>
#include <sys/stat.h>

#include "../formats/erofs_compact.h"
#include "check_priv.h"
#include "util.h"

static uint64_t index_bytes_compact(const struct mica_inode *inode, uint64_t count)
{
	struct erofs_compact_plan plan;

	if (!(inode->z_advise & EROFS_ADVISE_COMPACTED_2B))
		return mica_round_up(count, EROFS_COMPACT_PAIR) * 4;
	erofs_compact_plan(inode->z_index_off, count, &plan);
	return plan.bytes;
}

/* First byte behind the inode, its xattrs and its index. */
static uint64_t inode_end(const struct check *c, const struct mica_inode *inode)
{
	uint64_t end = inode->off + inode->isize + inode->xattr_isize;
	uint64_t count;

	switch (inode->layout) {
	case EROFS_LAYOUT_CHUNK:
		count = mica_div_round_up(
			inode->size, (uint64_t)c->sb->block_size
					     << (inode->chunk_format & EROFS_CHUNK_BLKBITS_MASK));
		if (inode->chunk_format & EROFS_CHUNK_INDEXES)
			return mica_round_up(end, 8) + count * 8;
		return mica_round_up(end, 4) + count * 4;
	case EROFS_LAYOUT_COMPRESSED_FULL:
	case EROFS_LAYOUT_COMPRESSED_COMPACT:
		if (!inode->size)
			return end;
		if (inode->z_fragment_whole)
			return mica_round_up(end, 8) + sizeof(struct erofs_map_header_disk);
		if (inode->z_extents)
			return inode->z_index_off +
			       inode->z_extents * (4ULL << ((inode->z_advise >> 1) & 3));
		count = mica_div_round_up(inode->size, 1ULL << inode->z_lclusterbits);
		if (inode->layout == EROFS_LAYOUT_COMPRESSED_FULL)
			return inode->z_index_off + count * sizeof(struct erofs_lcluster_disk);
		return inode->z_index_off + index_bytes_compact(inode, count);
	default:
		return end;
	}
}

static int extent_data(struct check *c, uint32_t row, const struct mica_inode *inode,
		       const struct mica_extent *e, struct mica_err *err)
{
	struct check_span span = {
		.start = e->pa,
		.len = e->plen,
		.la = e->la,
		.owner = row,
		.device = e->in_metabox ? CHECK_METABOX : e->device,
		.partial = e->partial,
	};

	if (e->kind == MICA_EXTENT_ENCODED) {
		span.kind = e->is_inline ? CHECK_SPAN_META : CHECK_SPAN_ENCODED;
		span.llen = (uint32_t)e->llen;
		span.alg = e->alg < 0 ? EROFS_ALG_MAX : (uint8_t)e->alg;
	} else if (e->kind == MICA_EXTENT_PLAIN) {
		span.kind =
			inode->layout == EROFS_LAYOUT_CHUNK ? CHECK_SPAN_CHUNK : CHECK_SPAN_FLAT;
		span.len = e->llen;
	}
	/* a directory is read when its entries are checked */
	if (S_ISDIR(inode->mode)) {
		span.kind = CHECK_SPAN_META;
		span.llen = 0;
	}
	return mica_check_span_add(c, &span, err);
}

static int extent_check(struct check *c, uint32_t row, const struct mica_inode *inode,
			const struct mica_extent *e, uint64_t la, struct mica_err *err)
{
	uint64_t end;

	if (e->la != la || !e->llen || mica_add_overflows(e->la, e->llen, &end) ||
	    end > inode->size)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "extent %" PRIu64 "+%" PRIu64 " at byte %" PRIu64
				    " of %" PRIu64,
				    e->la, e->llen, la, inode->size);
	c->res->extents++;
	switch (e->kind) {
	case MICA_EXTENT_HOLE:
	case MICA_EXTENT_FRAGMENT:
		/* fragments are bytes of the packed inode, which is checked itself */
		return 0;
	default:
		return extent_data(c, row, inode, e, err);
	}
}

/*
 * Readers enter the index at any byte, so each entry must lead to the extent
 * that the walk from the front finds.
 */
static int index_check(struct check *c, const struct mica_inode *inode, const struct mica_extent *e,
		       struct mica_err *err)
{
	uint64_t step = 1ULL << inode->z_lclusterbits;
	struct mica_extent other;

	if (e->kind != MICA_EXTENT_ENCODED || inode->z_extents)
		return 0;
	for (uint64_t la = mica_round_down(e->la, step) + step; la < e->la + e->llen; la += step) {
		int ret = mica_image_map(c->img, inode, la, &other, err);

		if (ret)
			return ret;
		if (other.la != e->la || other.llen != e->llen || other.pa != e->pa ||
		    other.device != e->device || other.plen != e->plen || other.alg != e->alg)
			return mica_err_set(
				err, MICA_E_CORRUPT,
				"byte %" PRIu64 " leads to extent %" PRIu64 "+%" PRIu64
				" at 0x%" PRIx64 ", not to %" PRIu64 "+%" PRIu64 " at 0x%" PRIx64,
				la, other.la, other.llen, other.pa, e->la, e->llen, e->pa);
	}
	return 0;
}

int mica_check_extents(struct check *c, uint32_t row, const struct mica_inode *inode,
		       struct mica_err *err)
{
	struct check_span meta = {
		.start = inode->off,
		.len = inode_end(c, inode) - inode->off,
		.owner = row,
		.device = inode->in_metabox ? CHECK_METABOX : 0,
	};
	uint64_t end = inode->in_metabox ? c->metabox.size : mica_image_io(c->img)->size;
	struct mica_extent e;
	int ret;

	if (!mica_range_in(meta.start, meta.len, end)) {
		mica_check_fail(c, "inode", row, inode->off,
				"inode and index of %" PRIu64
				" bytes reach over the end at %" PRIu64,
				meta.len, end);
		return 0;
	}
	ret = mica_check_span_add(c, &meta, err);
	if (ret)
		return ret;
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode) && !S_ISLNK(inode->mode))
		return 0;
	for (uint64_t la = 0; la < inode->size; la += e.llen) {
		ret = mica_image_map(c->img, inode, la, &e, err);
		if (!ret)
			ret = extent_check(c, row, inode, &e, la, err);
		if (!ret)
			ret = index_check(c, inode, &e, err);
		if (ret)
			return mica_check_fail_err(c, "extent", row, CHECK_NO_OFFSET, err);
	}
	return 0;
}
