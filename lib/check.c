/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <inttypes.h>
#include <stdlib.h>

#include "algcfg.h"
#include "check_priv.h"
#include "util.h"

static int super_span(struct check *c, uint64_t start, uint64_t len, struct mica_err *err)
{
	struct check_span span = {.start = start, .len = len, .owner = CHECK_NO_ROW};

	return mica_check_span_add(c, &span, err);
}

static int super_check(struct check *c, struct mica_err *err)
{
	const struct mica_super *sb = c->sb;
	uint64_t size = mica_image_io(c->img)->size, bytes;
	struct mica_algcfgs cfgs;
	int ret = mica_algcfg_read(mica_image_io(c->img), sb, &cfgs, err);

	if (ret) {
		ret = mica_check_fail_err(c, "superblock", CHECK_NO_ROW, EROFS_SUPER_OFFSET, err);
		if (ret)
			return ret;
		cfgs.end = EROFS_SUPER_OFFSET + sb->sb_size;
	}
	if (mica_mul_overflows(sb->blocks, sb->block_size, &bytes) || bytes > size)
		mica_check_fail(c, "superblock", CHECK_NO_ROW, EROFS_SUPER_OFFSET,
				"%" PRIu64 " blocks of %" PRIu32
				" bytes, but the image has %" PRIu64 " bytes: it is truncated",
				sb->blocks, sb->block_size, size);
	ret = super_span(c, EROFS_SUPER_OFFSET, cfgs.end - EROFS_SUPER_OFFSET, err);
	if (!ret && sb->extra_devices)
		ret = super_span(c, sb->devt_off, (uint64_t)sb->extra_devices * EROFS_DEVSLOT_SIZE,
				 err);
	return ret;
}

/* An inode that the superblock names, not a directory. */
static int special_check(struct check *c, uint64_t nid, struct mica_inode *out,
			 struct mica_err *err)
{
	uint32_t row;
	int ret;

	if (!nid)
		return 0;
	ret = mica_image_inode(c->img, nid, out, err);
	if (ret)
		return mica_check_fail_err(c, "superblock", CHECK_NO_ROW, EROFS_SUPER_OFFSET, err);
	ret = mica_check_row_add(c, nid, 0, 0, &row, err);
	if (ret <= 0)
		return ret;
	c->rows[row].parent = row;
	c->rows[row].flags = CHECK_ROW_SPECIAL;
	return mica_check_inode(c, row, err);
}

static int tree_check(struct check *c, struct mica_err *err)
{
	uint32_t root;
	int ret = mica_check_row_add(c, c->sb->root_nid, c->row_count, 0, &root, err);

	if (ret < 0)
		return ret;
	c->res->names++;
	ret = mica_check_inode(c, root, err);
	/* the table grows while it is walked: breadth first, without a stack */
	for (uint32_t i = root; !ret && i < c->row_count; i++)
		if (c->rows[i].type == EROFS_FT_DIR && !(c->rows[i].flags & CHECK_ROW_BAD))
			ret = mica_check_dir(c, i, err);
	return ret;
}

static int image_check(struct check *c, struct mica_err *err)
{
	struct mica_inode packed;
	int ret = super_check(c, err);

	if (!ret)
		ret = special_check(c, c->sb->metabox_nid, &c->metabox, err);
	if (!ret)
		ret = special_check(c, c->sb->packed_nid, &packed, err);
	if (!ret)
		ret = tree_check(c, err);
	if (ret)
		return ret;
	mica_check_links(c);
	mica_check_overlaps(c);
	ret = c->opts->data ? mica_check_data(c, err) : 0;
	return ret || !c->opts->seal ? ret : mica_check_seal(c, err);
}

/*
 * Whether what the image cannot be opened for is damage: the superblock is known, and a
 * new feature would show in it. (It is not, where a file may be missing.)
 */
static bool open_error_is_damage(const struct mica_image_ios *ios, int code)
{
	struct mica_super sb;
	struct mica_err second = {0};

	return code == MICA_E_CORRUPT ||
	       (code == MICA_E_UNSUPPORTED && !mica_super_read(ios->io, false, &sb, &second) &&
		!sb.extra_devices);
}

/*
 * A wrong superblock is a finding, not the end: where only the checksum is
 * wrong the rest can still be looked at. 1: open, ios are taken; 0: cannot go on;
 * < 0: error
 */
static int image_open(struct check *c, struct mica_image_ios *ios, struct mica_err *err)
{
	struct mica_image_opts opts = {
		.devices = ios->devices,
		.device_count = ios->device_count,
	};
	struct mica_err second = {0};
	int ret = mica_image_open(ios->io, &opts, &c->img, err);

	if (!ret) {
		c->res->checksum =
			mica_image_super(c->img)->feature_compat & EROFS_COMPAT_SB_CHKSUM;
	} else if (open_error_is_damage(ios, ret)) {
		mica_check_fail(c, "superblock", CHECK_NO_ROW, EROFS_SUPER_OFFSET, "%s", err->msg);
		opts.skip_checksum = true;
		if (mica_image_open(ios->io, &opts, &c->img, &second))
			return 0;
	} else {
		return ret;
	}
	mica_image_ios_release(ios);
	return 1;
}

int mica_check_image(struct mica_image_ios *ios, const struct mica_check_opts *opts,
		     struct mica_check_result *out, struct mica_err *err)
{
	struct check c = {.opts = opts, .res = out, .lock = PTHREAD_MUTEX_INITIALIZER};
	int ret;

	*out = (struct mica_check_result){0};
	ret = image_open(&c, ios, err);
	if (ret > 0) {
		c.sb = mica_image_super(c.img);
		out->image_bytes = mica_image_io(c.img)->size;
		ret = image_check(&c, err);
	}
	mica_image_ios_clear(ios);
	mica_image_free(c.img);
	mica_nidmap_clear(&c.map);
	free(c.rows);
	free(c.spans.list);
	return ret;
}
