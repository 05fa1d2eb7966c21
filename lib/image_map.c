/* SPDX-License-Identifier: MIT */
/* Where a file's bytes lie: flat and chunk layouts, and the way to the compressed ones. */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>

#include "util.h"

/* Chunks that one extent may join; more would cost every small read more than it saves. */
#define CHUNK_RUN 64u

/* The extra device (from 1 on) that has unified address pa, 0: none. */
static unsigned int device_at(const struct mica_image *img, uint64_t pa)
{
	for (unsigned int i = 0; i < img->sb.extra_devices; i++) {
		const struct mica_device *d = &img->devices[i];

		if (d->start && pa >= d->start && pa - d->start < d->size)
			return i + 1;
	}
	return 0;
}

static int device_elsewhere(unsigned int device, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_UNSUPPORTED,
			    "extra device %u is another file, which is not supported", device);
}

int mica_image_check_range(const struct mica_image *img, unsigned int device, uint64_t pa,
			   uint64_t len, struct mica_err *err)
{
	if (mica_range_in(pa, len, img->io->size))
		return 0;
	if (!device)
		device = device_at(img, pa);
	if (device)
		return device_elsewhere(device, err);
	return mica_err_set(err, MICA_E_CORRUPT,
			    "%" PRIu64 " bytes at %" PRIu64
			    " reach over the end of the image at %" PRIu64,
			    len, pa, img->io->size);
}

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
	return mica_image_check_range(img, 0, out->pa, out->plen, err);
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

/* The unified byte address of a block of a device. */
static int chunk_address(const struct mica_image *img, uint64_t blk, uint16_t *device, uint64_t *pa,
			 struct mica_err *err)
{
	unsigned int mask = 0;

	/* ids have as many bits as the largest one needs; the rest is reserved */
	while (mask < img->sb.extra_devices)
		mask = mask << 1 | 1;
	*device = (uint16_t)(*device & mask);
	*pa = blk << img->sb.blkbits;
	if (!*device)
		return 0;
	if (*device > img->sb.extra_devices)
		return mica_err_set(err, MICA_E_CORRUPT, "chunk on device %u of %u", *device,
				    img->sb.extra_devices);
	if (!img->devices[*device - 1].start)
		return device_elsewhere(*device, err);
	if (mica_add_overflows(*pa, img->devices[*device - 1].start, pa))
		return mica_err_set(err, MICA_E_CORRUPT, "chunk at block %" PRIu64 " of device %u",
				    blk, *device);
	return 0;
}

static int chunk_fill(const struct mica_image *img, uint64_t blk, uint16_t device,
		      struct mica_extent *e, struct mica_err *err)
{
	if (blk == UINT64_MAX) {
		e->kind = MICA_EXTENT_HOLE;
		return 0;
	}
	e->kind = MICA_EXTENT_PLAIN;
	e->device = device;
	return chunk_address(img, blk, &e->device, &e->pa, err);
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
	for (uint64_t i = 1; i < count; i++) {
		struct mica_extent next = {0};

		chunk_decode(inode, entries + i * unit, &blk, &device);
		if (chunk_fill(img, blk, device, &next, NULL) || next.kind != out->kind ||
		    next.device != out->device ||
		    (next.kind == MICA_EXTENT_PLAIN && next.pa != out->pa + out->llen))
			break;
		out->llen += chunk;
	}
	out->llen = mica_min(out->llen, inode->size - out->la);
	if (out->kind == MICA_EXTENT_HOLE)
		return 0;
	out->plen = out->llen;
	return mica_image_check_range(img, out->device, out->pa, out->plen, err);
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
