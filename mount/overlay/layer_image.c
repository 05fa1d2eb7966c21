/* SPDX-License-Identifier: MIT */
/* An image as a layer. */
#include "layer_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../log.h"
#include "../../lib/filetype.h"
#include "../nodes.h"

static int fail(const struct mica_place *at, const char *what, const struct mica_err *err)
{
	if (err->code == MICA_E_NOENT)
		return -ENOENT;
	mica_log_failure("%s: %s nid %" PRIu64 ": %s", at->layer->name, what, at->nid, err->msg);
	return -mica_err_errno(err);
}

static int inode_read(const struct mica_place *at, struct mica_inode *inode)
{
	struct mica_err err;

	if (mica_image_inode(at->layer->image, at->nid, inode, &err))
		return fail(at, "read inode", &err);
	return 0;
}

int mica_in_image_stat(const struct mica_place *at, struct stat *st)
{
	struct mica_inode inode;
	int ret = inode_read(at, &inode);

	if (!ret)
		mica_node_stat(at->layer->sb, &inode, st);
	return ret;
}

int mica_in_image_lookup(const struct mica_place *dir, const char *name, struct mica_found *out)
{
	struct mica_place at = {.layer = dir->layer};
	struct mica_inode inode;
	struct mica_err err;
	uint8_t type;
	int ret = inode_read(dir, &inode);

	if (ret)
		return ret;
	ret = mica_dir_lookup(dir->layer->image, &inode, name, strlen(name), &at.nid, &type, &err);
	if (ret)
		return fail(dir, "look up a name in", &err);
	out->nid = at.nid;
	return mica_in_image_stat(&at, &out->st);
}

int mica_in_image_readlink(const struct mica_place *at, char *buf, size_t cap)
{
	struct mica_inode inode;
	long n;
	int ret = inode_read(at, &inode);

	if (ret)
		return ret;
	if (inode.size >= cap)
		return -ENAMETOOLONG;
	n = mica_in_image_read(at, buf, inode.size, 0);
	if (n < 0)
		return (int)n;
	buf[n] = 0;
	return 0;
}

long mica_in_image_getxattr(const struct mica_place *at, const char *name, void *buf, size_t cap)
{
	struct mica_inode inode;
	struct mica_err err;
	long n = inode_read(at, &inode);

	if (n)
		return n;
	n = mica_xattr_get(at->layer->image, &inode, name, buf, cap, &err);
	if (n == MICA_E_NOENT)
		return -ENODATA;
	if (n == MICA_E_LIMIT)
		return -ERANGE;
	return n < 0 ? fail(at, "read an xattr of", &err) : n;
}

long mica_in_image_listxattr(const struct mica_place *at, char *buf, size_t cap)
{
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	struct mica_xattr xattr;
	struct mica_inode inode;
	struct mica_err err;
	size_t used = 0;
	long ret = inode_read(at, &inode);

	if (ret)
		return ret;
	if (mica_xattr_iter_new(at->layer->image, &inode, &it, &err))
		return fail(at, "list the xattrs of", &err);
	while ((ret = mica_xattr_iter_next(it, &xattr, &err)) > 0) {
		size_t len = strlen(xattr.name) + 1;

		if (cap && len > cap - used)
			return -ERANGE;
		if (cap)
			memcpy(buf + used, xattr.name, len);
		used += len;
	}
	return ret < 0 ? fail(at, "list the xattrs of", &err) : (long)used;
}

int mica_in_image_list(const struct mica_place *dir, mica_place_each *each, void *ctx)
{
	cleanup_dir struct mica_dir *cursor = NULL;
	struct mica_dirent de;
	struct mica_inode inode;
	struct mica_err err;
	int ret = inode_read(dir, &inode);

	if (ret)
		return ret;
	if (mica_dir_open(dir->layer->image, &inode, &cursor, &err))
		return fail(dir, "read directory", &err);
	while ((ret = mica_dir_next(cursor, &de, &err)) > 0) {
		if (!strcmp(de.name, ".") || !strcmp(de.name, ".."))
			continue;
		ret = each(ctx, de.name, mica_super_ino(dir->layer->sb, de.nid),
			   mica_filetype_mode(de.type));
		if (ret)
			return ret;
	}
	return ret < 0 ? fail(dir, "read directory", &err) : 0;
}

long mica_in_image_read(const struct mica_place *at, void *buf, size_t len, uint64_t off)
{
	struct mica_inode inode;
	struct mica_err err;
	long n = inode_read(at, &inode);

	if (n)
		return n;
	n = mica_image_read(at->layer->image, &inode, buf, len, off, &err);
	return n < 0 ? fail(at, "read data of", &err) : n;
}

off_t mica_in_image_seek(const struct mica_place *at, uint64_t off, bool hole)
{
	struct mica_inode inode;
	struct mica_err err;
	uint64_t to;
	int ret = inode_read(at, &inode);

	if (ret)
		return ret;
	if (off >= inode.size)
		return -ENXIO;
	if (mica_image_seek(at->layer->image, &inode, off, hole, &to, &err))
		return fail(at, "seek in", &err);
	return !hole && to >= inode.size ? -ENXIO : (off_t)to;
}
