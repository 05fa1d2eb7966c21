/* SPDX-License-Identifier: MIT */
/* Where a file's bytes lie: flat and chunk layouts, and the way to the compressed ones. */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>

#include "util.h"

/* Chunks that one extent may join; more would cost every small read more than it saves. */
#define CHUNK_RUN 64u

static int map_flat(const struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		    struct mica_extent *out, struct mica_err *err)
{
	uint32_t block_size = img->sb.block_size;
	uint64_t tail = inode->size;

	if (inode->layout == EROFS_LAYOUT_FLAT_INLINE)
		tail = (mica_div_round_up(inode->size, block_size) - 1) * block_size;
	if (la >= tail) {
		*out = (struct mica_extent){
			.kind = MICA_EXTENT_INLINE,
			.la = tail,
			.llen = inode->size - tail,
			.pa = mica_inode_end(inode),
			.plen = inode->size - tail,
			.in_metabox = inode->in_metabox,
			.is_inline = true,
		};
		if (out->pa % block_size + out->plen > block_size)
			return mica_err_set(err, MICA_E_CORRUPT,
					    "inline tail of %" PRIu64 " bytes at %" PRIu64
					    " crosses a block",
					    out->plen, out->pa);
		if (!mica_range_in(out->pa, out->plen, mica_meta_size(img, out->in_metabox)))
			return mica_err_set(err, MICA_E_CORRUPT,
					    "inline tail of %" PRIu64 " bytes at %" PRIu64
					    " reaches over the end at %" PRIu64,
					    out->plen, out->pa,
					    mica_meta_size(img, out->in_metabox));
		return 0;
	}
	*out = (struct mica_extent){.kind = MICA_EXTENT_HOLE, .llen = tail};
	if (inode->startblk == UINT64_MAX)
		return 0;
	out->kind = MICA_EXTENT_PLAIN;
	out->pa = inode->startblk << img->sb.blkbits;
	out->plen = tail;
	return mica_image_resolve(img, &out->device, &out->pa, out->plen, err);
}

/* One entry of a chunk map; UINT64_MAX in *blk is a hole. */
static void chunk_decode(const struct mica_inode *inode, const uint8_t *entry, uint64_t *blk,
			 uint16_t *device)
{
	const struct erofs_chunk_index_disk *index = (const struct erofs_chunk_index_disk *)entry;
	uint64_t mask = UINT32_MAX;

	*device = 0;
	if (!(inode->chunk_format & EROFS_CHUNK_INDEXES)) {
		*blk = le32_get(*(const le32 *)entry);
	} else {
		if (inode->chunk_format & EROFS_CHUNK_48BIT)
			mask |= (uint64_t)UINT16_MAX << 32;
		*blk = (le32_get(index->startblk_lo) | (uint64_t)le16_get(index->startblk_hi)
							       << 32) &
		       mask;
		*device = le16_get(index->device_id);
	}
	if (*blk == mask)
		*blk = UINT64_MAX;
}

/* Where a chunk lies; UINT64_MAX as in chunk_decode() */
static int chunk_fill(const struct mica_image *img, uint64_t blk, uint16_t device,
		      struct mica_extent *e, struct mica_err *err)
{
	unsigned int mask = 0;

	if (blk == UINT64_MAX) {
		e->kind = MICA_EXTENT_HOLE;
		return 0;
	}
	/* ids have as many bits as the largest one needs; the rest is reserved */
	while (mask < img->sb.extra_devices)
		mask = mask << 1 | 1;
	e->kind = MICA_EXTENT_PLAIN;
	e->device = (uint16_t)(device & mask);
	e->pa = blk << img->sb.blkbits;
	if (e->device > img->sb.extra_devices)
		return mica_err_set(err, MICA_E_CORRUPT, "chunk on device %u of %u", e->device,
				    img->sb.extra_devices);
	return 0;
}

/* The entries that go on where the first one ends: *out grows over them. */
static void chunks_join(const struct mica_image *img, const struct mica_inode *inode,
			const uint8_t *entries, unsigned int unit, uint64_t count, uint64_t chunk,
			struct mica_extent *out)
{
	for (uint64_t i = 1; i < count; i++) {
		struct mica_extent next = {0};
		uint16_t device;
		uint64_t blk;

		chunk_decode(inode, entries + i * unit, &blk, &device);
		if (chunk_fill(img, blk, device, &next, NULL) || next.kind != out->kind ||
		    next.device != out->device ||
		    (next.kind == MICA_EXTENT_PLAIN && next.pa != out->pa + out->llen))
			break;
		out->llen += chunk;
	}
}

/* Chunks side by side in the unified address space may be on two devices: then the first alone. */
static int chunks_resolve(const struct mica_image *img, const struct mica_inode *inode,
			  uint64_t chunk, struct mica_extent *e, struct mica_err *err)
{
	struct mica_extent all = *e;

	all.plen = all.llen = mica_min(e->llen, inode->size - e->la);
	if (!mica_image_resolve(img, &all.device, &all.pa, all.plen, NULL)) {
		*e = all;
		return 0;
	}
	e->plen = e->llen = mica_min(chunk, inode->size - e->la);
	return mica_image_resolve(img, &e->device, &e->pa, e->plen, err);
}

static int map_chunk(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		     struct mica_extent *out, struct mica_err *err)
{
	unsigned int bits = img->sb.blkbits + (inode->chunk_format & EROFS_CHUNK_BLKBITS_MASK);
	unsigned int unit = inode->chunk_format & EROFS_CHUNK_INDEXES
				    ? (unsigned int)sizeof(struct erofs_chunk_index_disk)
				    : (unsigned int)sizeof(le32);
	uint64_t first = la >> bits;
	uint64_t count = mica_min(((inode->size - 1) >> bits) - first + 1, CHUNK_RUN);
	uint8_t entries[CHUNK_RUN * sizeof(struct erofs_chunk_index_disk)];
	uint64_t pos, blk, chunk = 1ULL << bits;
	uint16_t device;
	int ret;

	if (mica_mul_overflows(first, unit, &pos) ||
	    mica_add_overflows(pos, mica_round_up(mica_inode_end(inode), unit), &pos))
		return mica_err_set(err, MICA_E_CORRUPT, "chunk %" PRIu64 " is out of range",
				    first);
	ret = mica_meta_read(img, inode->in_metabox, pos, entries, count * unit, err);
	if (ret)
		return mica_err_wrap(err, "chunk map");
	*out = (struct mica_extent){.la = first << bits, .llen = chunk};
	chunk_decode(inode, entries, &blk, &device);
	ret = chunk_fill(img, blk, device, out, err);
	if (ret)
		return ret;
	chunks_join(img, inode, entries, unit, count, chunk, out);
	if (out->kind == MICA_EXTENT_PLAIN)
		return chunks_resolve(img, inode, chunk, out, err);
	out->llen = mica_min(out->llen, inode->size - out->la);
	return 0;
}

int mica_image_map(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		   struct mica_extent *out, struct mica_err *err)
{
	struct mica_extent tmp;
	int ret;

	if (!mica_inode_has_data(inode) || la >= inode->size)
		return mica_err_set(err, MICA_E_USAGE,
				    "inode %" PRIu64 ": no byte %" PRIu64 " in %" PRIu64 " bytes",
				    inode->nid, la, inode->size);
	if (mica_inode_compressed(inode))
		ret = mica_zmap_find(img, inode, la, &tmp, err);
	else if (inode->layout == EROFS_LAYOUT_CHUNK)
		ret = map_chunk(img, inode, la, &tmp, err);
	else
		ret = map_flat(img, inode, la, &tmp, err);
	if (ret)
		return mica_err_wrap(err, "inode %" PRIu64 ", byte %" PRIu64, inode->nid, la);
	*out = tmp;
	return 0;
}
