/* SPDX-License-Identifier: MIT */
/* How inodes look from outside: to stat(2), readlink(2) and mmap(2). */
#include "image_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

#define SECTOR 512u

uint64_t mica_super_ino(const struct mica_super *sb, uint64_t nid)
{
	uint64_t offset = nid & ~EROFS_NID_METABOX;

	if (!(sb->feature_incompat & EROFS_INCOMPAT_METABOX))
		return nid;
	/*
	 * With a metabox the kernel tells the two kinds of nids apart by bit 31
	 * and moves all above it up by one, so that numbers stay small.
	 */
	return (offset & 0x7fffffffu) | (nid >> 63) << 31 | (offset >> 31) << 32;
}

void mica_inode_stat(const struct mica_super *sb, const struct mica_inode *inode,
		     struct mica_stat *out)
{
	uint64_t blocks = mica_inode_compressed(inode)
				  ? inode->cblocks
				  : mica_div_round_up(inode->size, sb->block_size);

	*out = (struct mica_stat){
		.nid = inode->nid,
		.ino = mica_super_ino(sb, inode->nid),
		.size = inode->size,
		.blocks = blocks * (sb->block_size / SECTOR),
		.mtime = inode->mtime,
		.mtime_nsec = inode->mtime_nsec,
		.mode = inode->mode,
		.nlink = inode->nlink,
		.uid = inode->uid,
		.gid = inode->gid,
		.block_size = sb->block_size,
	};
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		out->rdev_major = mica_rdev_major(inode->rdev);
		out->rdev_minor = mica_rdev_minor(inode->rdev);
	}
}

long mica_image_readlink(struct mica_image *img, const struct mica_inode *inode, char *buf,
			 size_t cap, struct mica_err *err)
{
	int ret;

	if (!S_ISLNK(inode->mode))
		return mica_err_set(err, MICA_E_USAGE, "inode %" PRIu64 " is not a symlink",
				    inode->nid);
	if (inode->size >= PATH_MAX)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "inode %" PRIu64 ": symlink size %" PRIu64 " exceeds %d",
				    inode->nid, inode->size, PATH_MAX - 1);
	if (!cap)
		return (long)inode->size;
	if (inode->size >= cap)
		return mica_err_set(err, MICA_E_LIMIT,
				    "a symlink's target of %" PRIu64
				    " bytes and a NUL do not fit into %zu",
				    inode->size, cap);
	ret = mica_image_read_all(img, inode, buf, (size_t)inode->size, 0, err);
	if (ret)
		return ret;
	buf[inode->size] = 0;
	return (long)inode->size;
}

/* The bytes of an extent from its skip'th on, if they are stored as they are. */
static const uint8_t *extent_bytes(struct mica_image *img, const struct mica_extent *e,
				   uint64_t skip)
{
	bool stored = e->kind == MICA_EXTENT_PLAIN || e->kind == MICA_EXTENT_INLINE ||
		      (e->kind == MICA_EXTENT_ENCODED && e->alg < 0 && !e->interlaced);

	if (!stored || e->in_metabox)
		return NULL;
	return mica_io_map(mica_image_device_io(img, e->device), e->pa + skip, e->llen - skip);
}

int mica_image_bytes(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		     uint64_t len, const void **data, uint64_t *got, struct mica_err *err)
{
	const uint8_t *first = NULL, *p;
	uint64_t end, n = 0;
	struct mica_extent e;
	int ret;

	if (!mica_inode_has_data(inode))
		return mica_err_set(err, MICA_E_USAGE, "inode %" PRIu64 " holds no data",
				    inode->nid);
	if (off >= inode->size || !len)
		return 0;
	end = off + mica_min(len, inode->size - off);
	while (off + n < end) {
		ret = mica_image_map(img, inode, off + n, &e, err);
		if (ret && !first)
			return ret;
		/* what is there before an error is good; who goes on meets it */
		if (ret)
			break;
		if (!first && e.kind == MICA_EXTENT_FRAGMENT)
			return mica_image_bytes(img, &img->packed, e.pa + (off - e.la),
						mica_min(end - off, e.la + e.llen - off), data, got,
						err);
		p = extent_bytes(img, &e, off + n - e.la);
		if (!p || (first && p != first + n))
			break;
		if (!first)
			first = p;
		n = mica_min(e.la + e.llen, end) - off;
	}
	if (!first)
		return 0;
	*data = first;
	*got = n;
	return 1;
}
