/* SPDX-License-Identifier: MIT */
/* One inode with its extended attributes. */
#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/filetype.h"
#include "../lib/utf8.h"
#include "../lib/util.h"
#include "show.h"

static void inode_device(struct mica_dump *d, const struct mica_inode *inode)
{
	if (!S_ISCHR(inode->mode) && !S_ISBLK(inode->mode))
		return;
	mica_dump_u64(d, "Major", "major", mica_rdev_major(inode->rdev));
	mica_dump_u64(d, "Minor", "minor", mica_rdev_minor(inode->rdev));
}

static void inode_layout(struct mica_dump *d, const struct mica_inode *inode)
{
	if (d->json)
		mica_json_u64(&d->j, "layout", inode->layout);
	mica_dump_str(d, "Layout", "layout_name", mica_show_layout(inode->layout));
	switch (inode->layout) {
	case EROFS_LAYOUT_FLAT_PLAIN:
	case EROFS_LAYOUT_FLAT_INLINE:
		if (inode->startblk == UINT64_MAX)
			mica_dump_str(d, "Start block", "start_block", "none");
		else
			mica_dump_u64(d, "Start block", "start_block", inode->startblk);
		break;
	case EROFS_LAYOUT_CHUNK:
		mica_dump_hex(d, "Chunk format", "chunk_format", inode->chunk_format);
		break;
	case EROFS_LAYOUT_COMPRESSED_FULL:
	case EROFS_LAYOUT_COMPRESSED_COMPACT:
		mica_dump_u64(d, "Encoded blocks", "encoded_blocks", inode->cblocks);
		mica_dump_hex(d, "Advise", "advise", inode->z_advise);
		mica_dump_u64(d, "Lcluster bits", "lcluster_bits", inode->z_lclusterbits);
		if (inode->z_extents)
			mica_dump_u64(d, "Extent records", "extent_records", inode->z_extents);
		if (inode->z_idata_size)
			mica_dump_u64(d, "Inline pcluster bytes", "inline_pcluster",
				      inode->z_idata_size);
		if (inode->z_advise & EROFS_ADVISE_FRAGMENT || inode->z_fragment_whole)
			mica_dump_u64(d, "Fragment offset", "fragment_offset",
				      inode->z_fragment_off);
		break;
	}
}

static int inode_target(struct mica_dump *d, const struct mica_inode *inode, struct mica_err *err)
{
	char *target cleanup_free = NULL;
	long n;

	if (!S_ISLNK(inode->mode) || inode->size > 65535)
		return 0;
	target = calloc(1, inode->size + 1);
	if (!target)
		return mica_err_nomem(err);
	n = mica_image_read(d->img, inode, target, inode->size, 0, err);
	if (n < 0)
		return (int)n;
	mica_dump_str(d, "Target", "target", target);
	return 0;
}

static bool value_is_text(const unsigned char *v, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = mica_utf8_char(v + i, len - i);

		if (!n || v[i] < 0x20 || v[i] == 0x7f)
			return false;
		i += n;
	}
	return true;
}

static void xattr_show(struct mica_dump *d, const struct mica_xattr *x)
{
	const unsigned char *v = x->value;
	bool text = value_is_text(v, x->value_len);

	if (d->json) {
		mica_json_object(&d->j, NULL);
		mica_json_str(&d->j, "name", x->name);
		mica_json_hex(&d->j, "hex", v, x->value_len);
		if (text)
			mica_json_bytes(&d->j, "text", v, x->value_len);
		mica_json_bool(&d->j, "shared", x->shared);
		if (x->shared)
			mica_json_u64(&d->j, "shared_id", x->shared_id);
		mica_json_object_end(&d->j);
		return;
	}
	fputs("  ", stdout);
	mica_show_text(stdout, x->name);
	putchar('=');
	if (text) {
		putchar('"');
		mica_show_bytes(stdout, v, x->value_len);
		putchar('"');
	} else {
		fputs("0x", stdout);
		for (uint32_t i = 0; i < x->value_len; i++)
			printf("%02x", v[i]);
	}
	if (x->shared)
		printf(" (shared, id %" PRIu32 ")", x->shared_id);
	putchar('\n');
}

static int inode_xattrs(struct mica_dump *d, const struct mica_inode *inode, struct mica_err *err)
{
	struct mica_xattr_iter *it cleanup_xattr_iter = NULL;
	struct mica_xattr x;
	int ret = 0;

	mica_dump_u64(d, "Xattr bytes", "xattr_bytes", inode->xattr_isize);
	if (d->json)
		mica_json_array(&d->j, "xattrs");
	if (inode->xattr_isize)
		ret = mica_xattr_iter_new(d->img, inode, &it, err);
	while (it && !ret) {
		ret = mica_xattr_iter_next(it, &x, err);
		if (ret <= 0)
			break;
		xattr_show(d, &x);
		ret = 0;
	}
	if (d->json)
		mica_json_array_end(&d->j);
	return ret;
}

static void inode_fields(struct mica_dump *d, const struct mica_inode *inode)
{
	char mode[MICA_SHOW_MODE_LEN], text[64], when[MICA_SHOW_TIME_LEN];

	mica_show_mode(inode->mode, mode);
	mica_show_time(inode->mtime, inode->mtime_nsec, when);
	snprintf(text, sizeof(text), "%06o (%s)", inode->mode, mode);
	mica_dump_u64(d, "Nid", "nid", inode->nid);
	mica_dump_hex(d, inode->in_metabox ? "Offset in metabox" : "Offset", "offset", inode->off);
	if (d->json)
		mica_json_bool(&d->j, "in_metabox", inode->in_metabox);
	mica_dump_str(d, "Form", "form", inode->extended ? "extended" : "compact");
	mica_dump_str(d, "Type", "type", mica_filetype_name(mica_filetype_of(inode->mode)));
	if (d->json)
		mica_json_u64(&d->j, "mode", inode->mode);
	else
		mica_dump_str(d, "Mode", NULL, text);
	mica_dump_u64(d, "Links", "nlink", inode->nlink);
	mica_dump_u64(d, "Uid", "uid", inode->uid);
	mica_dump_u64(d, "Gid", "gid", inode->gid);
	mica_dump_u64(d, "Ino", "ino", inode->ino);
	mica_dump_u64(d, "Size", "size", inode->size);
	if (d->json) {
		mica_json_i64(&d->j, "mtime", inode->mtime);
		mica_json_u64(&d->j, "mtime_nsec", inode->mtime_nsec);
	} else {
		mica_dump_str(d, "Modified", NULL, when);
	}
}

int mica_dump_inode(struct mica_dump *d, const char *path, struct mica_err *err)
{
	struct mica_inode inode;
	int ret = mica_image_walk(d->img, path, &inode, err);

	if (ret)
		return ret;
	mica_dump_str(d, "Path", "path", path);
	inode_fields(d, &inode);
	inode_device(d, &inode);
	if (S_ISREG(inode.mode) || S_ISDIR(inode.mode) || S_ISLNK(inode.mode))
		inode_layout(d, &inode);
	ret = inode_target(d, &inode, err);
	if (!ret)
		ret = inode_xattrs(d, &inode, err);
	return ret ? mica_err_wrap(err, "%s", path) : 0;
}
