/* SPDX-License-Identifier: MIT */
/*
 * Encoded extents: a table of records of 4, 8, 16 or 32 bytes. The short ones
 * leave out where an extent begins in the file (each covers one lcluster), the
 * shortest also where its bytes lie (behind those of the one before).
 */
#include "image_priv.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "util.h"

#define CURSORS 64u

/* How far a table of 4-byte records was summed up, so that a file is not summed from its start. */
struct cursor {
	uint64_t nid;
	uint64_t record;
	uint64_t pa; /* of that record; 0: unused */
};

struct mica_cursors {
	pthread_mutex_t lock;
	struct cursor all[CURSORS];
};

struct record {
	uint32_t plen; /* with flags and format */
	uint64_t pa;
	uint64_t la; /* records of 16 and 32 bytes */
};

int mica_cursors_new(struct mica_cursors **out, struct mica_err *err)
{
	struct mica_cursors *cursors = calloc(1, sizeof(*cursors));

	if (!cursors)
		return mica_err_nomem(err);
	pthread_mutex_init(&cursors->lock, NULL);
	*out = cursors;
	return 0;
}

void mica_cursors_free(struct mica_cursors *cursors)
{
	if (!cursors)
		return;
	pthread_mutex_destroy(&cursors->lock);
	free(cursors);
}

static unsigned int record_size(const struct mica_inode *inode)
{
	return 4u << (inode->z_advise >> 1 & 3);
}

static int record_load(struct mica_image *img, const struct mica_inode *inode, uint64_t i,
		       struct record *out, struct mica_err *err)
{
	unsigned int size = record_size(inode);
	struct erofs_extent_disk d = {0};
	int ret;

	ret = mica_meta_read(img, inode->in_metabox, inode->z_index_off + i * size, &d, size, err);
	if (ret)
		return ret;
	*out = (struct record){
		.plen = le32_get(d.plen),
		.pa = le32_get(d.pstart_lo) | (uint64_t)le32_get(d.pstart_hi) << 32,
		.la = le32_get(d.lstart_lo) | (uint64_t)le32_get(d.lstart_hi) << 32,
	};
	return 0;
}

/* Fill r->pa of 4-byte record i: the sum of all lengths before it. */
static int record_sum(struct mica_image *img, const struct mica_inode *inode, uint64_t i,
		      struct record *r, struct mica_err *err)
{
	struct cursor *slot = &img->cursors->all[inode->nid % CURSORS];
	struct cursor at;
	le32 plens[256];
	le64 start;
	int ret;

	pthread_mutex_lock(&img->cursors->lock);
	at = *slot;
	pthread_mutex_unlock(&img->cursors->lock);
	if (!at.pa || at.nid != inode->nid || at.record > i) {
		ret = mica_meta_read(img, inode->in_metabox, inode->z_index_off - sizeof(start),
				     &start, sizeof(start), err);
		if (ret)
			return ret;
		at = (struct cursor){inode->nid, 0, le64_get(start)};
	}
	while (at.record < i) {
		uint64_t n = mica_min(i - at.record, sizeof(plens) / sizeof(plens[0]));

		ret = mica_meta_read(img, inode->in_metabox,
				     inode->z_index_off + at.record * sizeof(le32), plens,
				     n * sizeof(le32), err);
		if (ret)
			return ret;
		for (uint64_t k = 0; k < n; k++)
			at.pa += le32_get(plens[k]) & EROFS_EXT_PLEN_MASK;
		at.record += n;
	}
	r->pa = at.pa;
	pthread_mutex_lock(&img->cursors->lock);
	*slot = at;
	pthread_mutex_unlock(&img->cursors->lock);
	return 0;
}

int mica_zextent_load(struct mica_image *img, struct mica_inode *inode, struct mica_err *err)
{
	unsigned int size = record_size(inode);
	struct record last;
	uint64_t bytes;
	int ret;

	inode->z_index_off = mica_round_up(inode->z_index_off, size);
	if (size == 4)
		inode->z_index_off += sizeof(le64);
	if (size <= 8)
		inode->z_extents = ((inode->size - 1) >> inode->z_lclusterbits) + 1;
	if (mica_mul_overflows(inode->z_extents, size, &bytes) ||
	    !mica_range_in(inode->z_index_off, bytes, mica_meta_size(img, inode->in_metabox)))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "%" PRIu64 " extents of %u bytes at %" PRIu64
				    " reach over the end at %" PRIu64,
				    inode->z_extents, size, inode->z_index_off,
				    mica_meta_size(img, inode->in_metabox));
	if (!(inode->z_advise & EROFS_ADVISE_FRAGMENT))
		return 0;
	if (!inode->z_extents)
		return mica_err_set(err, MICA_E_CORRUPT, "fragment without an extent");
	ret = record_load(img, inode, inode->z_extents - 1, &last, err);
	if (ret)
		return ret;
	inode->z_fragment_off = last.plen | (size > 4 ? last.pa << 32 : 0);
	inode->z_tail_start = size > 8 ? last.la : (inode->z_extents - 1) << inode->z_lclusterbits;
	/* mkfs.erofs ends files whose length is a multiple of an extent's with an empty one */
	if (inode->z_tail_start > inode->size)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "fragment begins at %" PRIu64 ", the file ends at %" PRIu64,
				    inode->z_tail_start, inode->size);
	return 0;
}

/* Records that say where they begin: the last one that does not begin behind la. */
static int zextent_search(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
			  struct record *r, uint64_t *start, uint64_t *end, struct mica_err *err)
{
	uint64_t lo = 0, hi = inode->z_extents;
	struct record mid;

	*r = (struct record){0}; /* before the first record lies a hole */
	*start = 0;
	*end = inode->size;
	while (lo < hi) {
		uint64_t i = lo + (hi - lo) / 2;
		int ret = record_load(img, inode, i, &mid, err);

		if (ret)
			return ret;
		if (mid.la < *start || mid.la > *end)
			return mica_err_set(err, MICA_E_CORRUPT,
					    "extent record %" PRIu64 ": start %" PRIu64
					    " is not within %" PRIu64 "..%" PRIu64,
					    i, mid.la, *start, *end);
		if (mid.la > la) {
			hi = i;
			*end = mid.la;
		} else {
			lo = i + 1;
			*start = mid.la;
			*r = mid;
		}
	}
	return 0;
}

int mica_zextent_find(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		      struct mica_extent *out, struct mica_err *err)
{
	uint64_t i = la >> inode->z_lclusterbits;
	unsigned int format;
	uint64_t start, end;
	struct record r;
	int ret;

	if (record_size(inode) > 8) {
		ret = zextent_search(img, inode, la, &r, &start, &end, err);
	} else {
		start = i << inode->z_lclusterbits;
		end = mica_min((i + 1) << inode->z_lclusterbits, inode->size);
		ret = record_load(img, inode, i, &r, err);
		if (!ret && record_size(inode) == 4)
			ret = record_sum(img, inode, i, &r, err);
	}
	if (ret)
		return ret;
	*out = (struct mica_extent){.kind = MICA_EXTENT_HOLE, .la = start, .llen = end - start};
	if (!(r.plen & EROFS_EXT_PLEN_MASK))
		return 0;
	format = r.plen >> EROFS_EXT_FMT_SHIFT;
	out->kind = MICA_EXTENT_ENCODED;
	out->pa = r.pa;
	out->plen = r.plen & EROFS_EXT_PLEN_MASK;
	out->partial = r.plen & EROFS_EXT_PLEN_PARTIAL;
	out->alg = (int)format - 1;
	out->interlaced = !format && inode->z_advise & EROFS_ADVISE_INTERLACED &&
			  !((out->pa | out->plen) & (img->sb.block_size - 1));
	return 0;
}
