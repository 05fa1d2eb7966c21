/* SPDX-License-Identifier: MIT */
#include "image_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

#define SMALL_READ 32768u

int mica_image_read_stored(struct mica_image *img, const struct mica_extent *e, void *buf,
			   size_t len, uint64_t skip, struct mica_err *err)
{
	if (e->is_inline)
		return mica_meta_read(img, e->in_metabox, e->pa + skip, buf, len, err);
	return mica_io_read(mica_image_device_io(img, e->device), buf, len, e->pa + skip, err);
}

/* The same, for readers of files. */
static int read_stored(struct mica_image *img, const struct mica_inode *inode,
		       const struct mica_extent *e, void *buf, size_t len, uint64_t skip,
		       struct mica_err *err)
{
	/* directories are read again and again */
	if (S_ISDIR(inode->mode) && !e->device)
		return mica_meta_read(img, e->in_metabox, e->pa + skip, buf, len, err);
	return mica_image_read_stored(img, e, buf, len, skip, err);
}

/*
 * A plain pcluster that is rotated so that its bytes keep their place in a
 * block: what comes before the first block boundary of the file stands at its
 * end, the rest at its start.
 */
static int read_interlaced(struct mica_image *img, const struct mica_inode *inode,
			   const struct mica_extent *e, uint8_t *buf, size_t len, uint64_t skip,
			   struct mica_err *err)
{
	uint64_t head = img->sb.block_size - e->la % img->sb.block_size;
	struct mica_extent end = *e;

	end.pa = e->pa + e->plen - head;
	if (skip < head) {
		size_t n = mica_min(len, head - skip);
		int ret = read_stored(img, inode, &end, buf, n, skip, err);

		if (ret)
			return ret;
		buf += n;
		len -= n;
		skip += n;
	}
	return len ? read_stored(img, inode, e, buf, len, skip - head, err) : 0;
}

/* Decode no more than is needed, past the cache. */
static int read_prefix(struct mica_image *img, const struct mica_extent *e, void *buf, size_t len,
		       uint64_t skip, struct mica_err *err)
{
	struct mica_extent prefix = *e;
	cleanup_free uint8_t *data = malloc(skip + len);
	int ret;

	if (!data)
		return mica_err_nomem(err);
	prefix.llen = skip + len;
	prefix.partial = true;
	ret = mica_cluster_decode(img, &prefix, data, err);
	if (!ret)
		memcpy(buf, data + skip, len);
	return ret;
}

/*
 * Small reads at random places seldom meet a cluster twice; all others do, and
 * soon. So the first small read of a cluster decodes as far as it must, and the
 * second one decodes all of it for the cache.
 */
static bool read_is_stray(struct mica_image *img, const struct mica_extent *e, size_t len,
			  uint64_t skip)
{
	return len <= SMALL_READ && skip + len <= e->llen / 4 * 3 && !mica_cluster_touch(img, e);
}

static int read_encoded(struct mica_image *img, const struct mica_extent *e, void *buf, size_t len,
			uint64_t skip, struct mica_err *err)
{
	struct mica_cluster *c = NULL;
	int ret;

	if (len == e->llen) {
		c = mica_cluster_find(img, e);
		if (!c)
			return mica_cluster_decode(img, e, buf, err);
	} else if (read_is_stray(img, e, len, skip)) {
		return read_prefix(img, e, buf, len, skip, err);
	} else {
		ret = mica_cluster_get(img, e, &c, err);
		if (ret)
			return ret;
	}
	memcpy(buf, mica_cluster_data(c) + skip, len);
	mica_cluster_put(img, c);
	return 0;
}

static int read_extent(struct mica_image *img, const struct mica_inode *inode,
		       const struct mica_extent *e, void *buf, size_t len, uint64_t skip,
		       struct mica_err *err)
{
	switch (e->kind) {
	case MICA_EXTENT_HOLE:
		memset(buf, 0, len);
		return 0;
	case MICA_EXTENT_PLAIN:
	case MICA_EXTENT_INLINE:
		return read_stored(img, inode, e, buf, len, skip, err);
	case MICA_EXTENT_FRAGMENT:
		return mica_image_read_all(img, &img->packed, buf, len, e->pa + skip, err);
	default:
		break;
	}
	if (e->alg >= 0)
		return read_encoded(img, e, buf, len, skip, err);
	if (e->interlaced)
		return read_interlaced(img, inode, e, buf, len, skip, err);
	return read_stored(img, inode, e, buf, len, skip, err);
}

int mica_image_read_all(struct mica_image *img, const struct mica_inode *inode, void *buf,
			size_t len, uint64_t off, struct mica_err *err)
{
	uint8_t *p = buf;

	while (len) {
		struct mica_extent e;
		size_t n;
		int ret = mica_image_map(img, inode, off, &e, err);

		if (ret)
			return ret;
		n = mica_min(len, e.la + e.llen - off);
		ret = read_extent(img, inode, &e, p, n, off - e.la, err);
		if (ret)
			return mica_err_wrap(err, "inode %" PRIu64 ", extent at %" PRIu64,
					     inode->nid, e.la);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int ahead_range(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		       uint64_t len, bool decode, struct mica_err *err);

static int ahead_extent(struct mica_image *img, const struct mica_extent *e, uint64_t skip,
			uint64_t len, bool decode, struct mica_err *err)
{
	struct mica_cluster *c;
	int ret;

	if (e->kind == MICA_EXTENT_FRAGMENT)
		return ahead_range(img, &img->packed, e->pa + skip, len, decode, err);
	if (e->kind == MICA_EXTENT_HOLE || e->is_inline)
		return 0;
	if (!decode && !e->in_metabox && e->alg >= 0) {
		mica_io_ahead(mica_image_device_io(img, e->device), e->pa, e->plen);
		return 0;
	}
	if (e->kind == MICA_EXTENT_PLAIN || e->alg < 0) {
		mica_io_ahead(mica_image_device_io(img, e->device), e->pa + skip, len);
		return 0;
	}
	ret = mica_cluster_get(img, e, &c, err);
	if (!ret)
		mica_cluster_put(img, c);
	return ret;
}

static int ahead_range(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		       uint64_t len, bool decode, struct mica_err *err)
{
	if (!mica_inode_has_data(inode) || off >= inode->size)
		return 0;
	for (uint64_t end = off + mica_min(len, inode->size - off); off < end;) {
		struct mica_extent e;
		uint64_t n;
		int ret = mica_image_map(img, inode, off, &e, err);

		if (ret)
			return ret;
		n = mica_min(end - off, e.la + e.llen - off);
		ret = ahead_extent(img, &e, off - e.la, n, decode, err);
		if (ret)
			return ret;
		off += n;
	}
	return 0;
}

int mica_image_ahead(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		     uint64_t len, struct mica_err *err)
{
	return ahead_range(img, inode, off, len, true, err);
}

int mica_image_hint(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		    uint64_t len, struct mica_err *err)
{
	return ahead_range(img, inode, off, len, false, err);
}

long mica_image_read(struct mica_image *img, const struct mica_inode *inode, void *buf, size_t len,
		     uint64_t off, struct mica_err *err)
{
	int ret;

	if (!mica_inode_has_data(inode))
		return mica_err_set(err, MICA_E_USAGE, "inode %" PRIu64 " holds no data",
				    inode->nid);
	if (off >= inode->size)
		return 0;
	len = mica_min(mica_min(len, LONG_MAX), inode->size - off);
	ret = mica_image_read_all(img, inode, buf, len, off, err);
	return ret ? ret : (long)len;
}
