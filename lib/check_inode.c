/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "check_priv.h"
#include "filetype.h"
#include "util.h"

/* Longest target that Linux resolves, without the NUL. */
#define SYMLINK_MAX 4095

int mica_check_read_meta(struct check *c, bool in_metabox, void *buf, size_t len, uint64_t off,
			 struct mica_err *err)
{
	long n;

	if (!in_metabox)
		return mica_io_read(mica_image_io(c->img), buf, len, off, err);
	n = mica_image_read(c->img, &c->metabox, buf, len, off, err);
	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "metabox offset 0x%" PRIx64 " lies behind its end", off);
	return 0;
}

static int symlink_check(struct check *c, uint32_t row, const struct mica_inode *inode,
			 struct mica_err *err)
{
	char target[SYMLINK_MAX + 1];
	long n;

	if (!inode->size || inode->size > SYMLINK_MAX) {
		mica_check_fail(c, "inode", row, inode->off,
				"symlink target of %" PRIu64 " bytes is not within 1..%d",
				inode->size, SYMLINK_MAX);
		return 0;
	}
	n = mica_image_read(c->img, inode, target, inode->size, 0, err);
	if (n < 0)
		return mica_check_fail_err(c, "data", row, CHECK_NO_OFFSET, err);
	if (memchr(target, 0, (size_t)n))
		mica_check_fail(c, "data", row, CHECK_NO_OFFSET,
				"symlink target of %" PRIu64 " bytes has a NUL at byte %zu",
				inode->size, strlen(target));
	return 0;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	while (len && !*p) {
		p++;
		len--;
	}
	return !len;
}

/*
 * What the reader has no use for: reserved bytes, and fields that came with the
 * 48-bit layout, which kernels before it read as reserved.
 */
static int reserved_check(struct check *c, uint32_t row, const struct mica_inode *inode,
			  struct mica_err *err)
{
	union {
		struct erofs_inode_compact_disk compact;
		struct erofs_inode_extended_disk extended;
	} d;
	bool wide = c->sb->feature_incompat & EROFS_INCOMPAT_48BIT;
	int ret = mica_check_read_meta(c, inode->in_metabox, &d, inode->isize, inode->off, err);

	if (ret)
		return mica_check_fail_err(c, "inode", row, inode->off, err);
	if (!wide && le16_get(d.compact.format) & EROFS_FORMAT_BIT4)
		mica_check_fail(c, "inode", row, inode->off,
				"format 0x%x has bit 4 without the 48-bit layout",
				le16_get(d.compact.format));
	if (!wide && !inode->extended && le32_get(d.compact.mtime))
		mica_check_fail(c, "inode", row, inode->off,
				"mtime %" PRIu32
				" in a compact inode without the 48-bit layout, not 0",
				le32_get(d.compact.mtime));
	/* a feature that this mica does not know may have given them a meaning */
	if (c->sb->feature_compat & ~(uint32_t)EROFS_COMPAT_ALL)
		return 0;
	if (inode->extended ? !all_zero(d.extended.reserved, sizeof(d.extended.reserved))
			    : le32_get(d.compact.reserved) != 0)
		mica_check_fail(c, "inode", row, inode->off, "reserved bytes are not zero");
	return 0;
}

static void inode_count(struct check *c, const struct mica_inode *inode)
{
	c->res->inodes++;
	if (S_ISREG(inode->mode) || S_ISLNK(inode->mode))
		c->res->bytes_logical += inode->size;
	if (S_ISDIR(inode->mode))
		c->res->dirs++;
	else if (S_ISREG(inode->mode))
		c->res->files++;
	else if (S_ISLNK(inode->mode))
		c->res->symlinks++;
	else
		c->res->others++;
}

int mica_check_inode(struct check *c, uint32_t row, struct mica_err *err)
{
	struct check_row *r = &c->rows[row];
	struct mica_inode inode;
	int ret = mica_image_inode(c->img, r->nid, &inode, err);

	if (ret) {
		r->flags |= CHECK_ROW_BAD;
		c->names_missing = true;
		return mica_check_fail_err(c, "inode", row, CHECK_NO_OFFSET, err);
	}
	r->type = mica_filetype_of(inode.mode);
	r->nlink = inode.nlink;
	if (!(r->flags & CHECK_ROW_SPECIAL))
		inode_count(c, &inode);
	ret = reserved_check(c, row, &inode, err);
	if (!ret)
		ret = mica_check_xattrs(c, row, &inode, err);
	if (!ret)
		ret = mica_check_extents(c, row, &inode, err);
	if (!ret && r->type == EROFS_FT_LNK)
		ret = symlink_check(c, row, &inode, err);
	return ret;
}
