/* SPDX-License-Identifier: MIT */
#include "emit.h"

#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "dirents.h"
#include "extlist.h"
#include "bases.h"
#include "metabox.h"

struct dir_blocks {
	struct mica_outfile *out;
	uint32_t left; /* what is behind them is inline */
	uint32_t block;
};

static int emit_dir_block(void *ctx, const void *block, uint32_t len, struct mica_err *err)
{
	struct dir_blocks *b = ctx;
	unsigned char full[MICA_BLOCK] = {0};

	if (!b->left)
		return 0;
	b->left--;
	memcpy(full, block, len);
	return mica_outfile_write(b->out, full, b->block, err);
}

static int visit_dir_blocks(void *ctx, struct mica_tnode *node, struct mica_err *err)
{
	struct mica_emit *e = ctx;
	const struct mica_layout *l = e->layout;
	struct dir_blocks b = {e->out, node->inode->data.blocks, l->block};

	if (!S_ISDIR(node->inode->mode) || !b.left)
		return 0;
	return mica_dirents_encode(node, !l->opts->compat.extents, l->block, emit_dir_block, &b,
				   err);
}

static uint32_t inode_u(const struct mica_layout *l, const struct mica_tinode *i,
			const struct mica_shape *s)
{
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		return i->rdev;
	switch (s->layout) {
	case EROFS_LAYOUT_COMPRESSED_COMPACT:
	case EROFS_LAYOUT_COMPRESSED_FULL:
		return i->data.blocks;
	case EROFS_LAYOUT_CHUNK:
		return s->chunk_bits - l->block_bits;
	default:
		return (uint32_t)(mica_bases_address(l->opts->bases, i->data.dev, i->data.start) >>
				  l->block_bits);
	}
}

static uint16_t inode_format(const struct mica_shape *s)
{
	return (uint16_t)(s->layout << 1 | (s->extended ? EROFS_FORMAT_EXTENDED : 0) |
			  (s->dot_omitted ? EROFS_FORMAT_BIT4 : 0));
}

static uint16_t xattr_icount(const struct mica_shape *s)
{
	return s->xattr ? (uint16_t)((s->xattr - sizeof(struct erofs_xattr_ibody_disk)) / 4 + 1)
			: 0;
}

static void inode_encode(struct mica_emit *e, const struct mica_tinode *i,
			 const struct mica_shape *s, unsigned char *buf)
{
	/* nobody reads it, and in a metabox it would be a tenth of what is left */
	uint32_t ino = e->layout->metabox ? 0 : ++e->next_ino;

	if (s->extended) {
		struct erofs_inode_extended_disk d = {
			.format = le16_make(inode_format(s)),
			.xattr_icount = le16_make(xattr_icount(s)),
			.mode = le16_make(i->mode),
			.size = le64_make(i->size),
			.u = le32_make(inode_u(e->layout, i, s)),
			.ino = le32_make(ino),
			.uid = le32_make(i->uid),
			.gid = le32_make(i->gid),
			.mtime = le64_make((uint64_t)i->mtime),
			.mtime_nsec = le32_make(i->mtime_nsec),
			.nlink = le32_make(i->nlink),
		};

		memcpy(buf, &d, sizeof(d));
		return;
	}
	struct erofs_inode_compact_disk d = {
		.format = le16_make(inode_format(s)),
		.xattr_icount = le16_make(xattr_icount(s)),
		.mode = le16_make(i->mode),
		.nb = le16_make((uint16_t)i->nlink),
		.size = le32_make((uint32_t)i->size),
		.mtime = le32_make((uint32_t)(i->mtime - e->layout->epoch)),
		.u = le32_make(inode_u(e->layout, i, s)),
		.ino = le32_make(ino),
		.uid = le16_make((uint16_t)i->uid),
		.gid = le16_make((uint16_t)i->gid),
	};

	memcpy(buf, &d, sizeof(d));
}

struct dir_tail {
	unsigned char buf[MICA_BLOCK];
	uint32_t len;
};

static int keep_dir_tail(void *ctx, const void *block, uint32_t len, struct mica_err *err)
{
	struct dir_tail *t = ctx;

	(void)err;
	memcpy(t->buf, block, len);
	t->len = len;
	return 0;
}

static int emit_tail(struct mica_emit *e, const struct mica_tnode *node, const struct mica_shape *s,
		     uint64_t off, struct mica_err *err)
{
	const struct mica_tinode *i = node->inode;
	struct dir_tail t;
	int ret;

	if (S_ISDIR(i->mode))
		ret = mica_dirents_encode(node, !s->dot_omitted, e->layout->block, keep_dir_tail,
					  &t, err);
	else
		ret = mica_spool_read(e->spool, t.buf, s->tail, mica_extlist_tail(&i->data), err);
	return ret ? ret : mica_window_write(&e->window, t.buf, s->tail, off, err);
}

static int visit_inode(void *ctx, struct mica_tnode *node, struct mica_err *err)
{
	struct mica_emit *e = ctx;
	const struct mica_tinode *i = node->inode;
	uint64_t off = mica_layout_place(e->layout, i);
	unsigned char small[1024];
	cleanup_free unsigned char *large = NULL;
	unsigned char *buf = small;
	struct mica_shape s;
	int ret;

	mica_layout_shape(e->layout, i, &s);
	if (s.isize + s.xattr > sizeof(small)) {
		buf = large = malloc(s.isize + s.xattr);
		if (!large)
			return mica_err_nomem(err);
	}
	inode_encode(e, i, &s, buf);
	ret = mica_xattrs_ibody_encode(e->layout->xattrs, i->xattrs, buf + s.isize, err);
	if (!ret)
		ret = mica_window_write(&e->window, buf, s.isize + s.xattr, off, err);
	if (!ret && s.index_off)
		ret = mica_emit_index(e, i, &s, off + s.index_off, err);
	if (!ret && s.tail)
		ret = emit_tail(e, node, &s, off + s.head, err);
	return ret;
}

int mica_emit_new(struct mica_layout *layout, struct mica_outfile *out, struct mica_spool *spool,
		  struct mica_emit **result, struct mica_err *err)
{
	struct mica_emit *e = calloc(1, sizeof(*e));

	if (!e)
		return mica_err_nomem(err);
	e->layout = layout;
	e->out = out;
	e->spool = spool;
	*result = e;
	return 0;
}

void mica_emit_free(struct mica_emit *e)
{
	if (!e)
		return;
	mica_metabox_free(e->metabox);
	free(e->window.buf);
	free(e);
}

/*
 * An inode that must not be in the metabox, at the end of the image. It is addressed like
 * those of an image without one, from the image's start.
 */
static int emit_outside(struct mica_emit *e, struct mica_tinode *inode, struct mica_err *err)
{
	struct mica_layout *l = e->layout;
	unsigned char buf[sizeof(struct erofs_inode_extended_disk)];
	uint64_t pos = mica_outfile_pos(e->out), off = mica_round_up(pos, EROFS_NID_UNIT);
	struct mica_shape s;
	int ret;

	inode->nid = off / EROFS_NID_UNIT;
	mica_layout_shape(l, inode, &s);
	inode_encode(e, inode, &s, buf);
	mica_window_start(&e->window, mica_outfile_outlet(e->out), pos);
	ret = mica_window_write(&e->window, buf, s.isize, off, err);
	if (!ret && s.index_off)
		ret = mica_emit_index(e, inode, &s, off + s.index_off, err);
	return ret ? ret : mica_window_flush(&e->window, off + s.head, err);
}

static int emit_metabox_inode(struct mica_emit *e, struct mica_err *err)
{
	struct mica_layout *l = e->layout;
	struct mica_tinode inode = {
		.mode = S_IFREG,
		.mtime = l->epoch,
		.mtime_nsec = l->fixed_nsec,
		.nlink = 1,
	};
	int ret = mica_metabox_finish(e->metabox, &inode, err);

	if (!ret)
		ret = emit_outside(e, &inode, err);
	e->metabox_nid = inode.nid;
	if (!ret && l->packed)
		ret = emit_outside(e, l->packed, err);
	l->end = mica_round_up(mica_outfile_pos(e->out), MICA_BLOCK);
	return ret ? ret : mica_outfile_zeros(e->out, l->end - mica_outfile_pos(e->out), err);
}

/* Shared xattrs and inodes. */
static int emit_places(struct mica_emit *e, struct mica_err *err)
{
	struct mica_layout *l = e->layout;
	struct mica_outlet to = mica_outfile_outlet(e->out);
	int ret = 0;

	if (l->metabox) {
		ret = mica_metabox_new(l->opts, e->out, e->spool, &e->metabox, err);
		if (ret)
			return ret;
		to = mica_metabox_outlet(e->metabox);
	}
	ret = mica_xattrs_write_shared(l->xattrs, &to, err);
	mica_window_start(&e->window, to, l->xattr_start + l->xattr_bytes);
	if (!ret)
		ret = mica_layout_walk_places(l, visit_inode, e, err);
	if (!ret && l->packed && !l->metabox)
		ret = visit_inode(e, &(struct mica_tnode){.inode = l->packed}, err);
	if (!ret)
		ret = mica_window_flush(&e->window, l->metabox ? l->meta_end : l->end, err);
	return ret || !l->metabox ? ret : emit_metabox_inode(e, err);
}

int mica_emit_metadata(struct mica_emit *e, struct mica_err *err)
{
	struct mica_layout *l = e->layout;
	int ret = mica_outfile_zeros(e->out, l->meta_start - mica_outfile_pos(e->out), err);

	if (!ret && l->devt_off == l->meta_start)
		ret = mica_emit_devices(e, err);
	if (!ret)
		ret = mica_layout_walk(l->tree, true, visit_dir_blocks, e, err);
	return ret ? ret : emit_places(e, err);
}
