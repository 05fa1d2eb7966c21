/* SPDX-License-Identifier: MIT */
/* One directory: order, "." and "..", types, and that no directory has two parents. */
#include <inttypes.h>
#include <string.h>

#include "check_priv.h"
#include "filetype.h"
#include "util.h"

struct dir_state {
	uint32_t row;
	bool dot, dotdot;
	char prev[256];
	unsigned int prev_len;
};

static void name_order(struct check *c, struct dir_state *s, const struct mica_dirent *e)
{
	int cmp = memcmp(s->prev, e->name, mica_min(s->prev_len, e->name_len));

	if (!cmp)
		cmp = (s->prev_len > e->name_len) - (s->prev_len < e->name_len);
	if (s->prev_len && !cmp)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET, "name '%s' is there twice",
				e->name);
	else if (s->prev_len && cmp > 0)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET,
				"name '%s' comes behind '%s', not in byte order", e->name, s->prev);
	memcpy(s->prev, e->name, sizeof(s->prev));
	s->prev_len = e->name_len;
}

static void dot_check(struct check *c, const struct dir_state *s, const struct mica_dirent *e,
		      uint64_t want)
{
	if (e->nid != want)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET,
				"entry '%s' has nid %" PRIu64 ", not %" PRIu64, e->name, e->nid,
				want);
	if (e->type != EROFS_FT_DIR)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET,
				"entry '%s' has type %u, not that of a directory (%d)", e->name,
				e->type, EROFS_FT_DIR);
}

/* 1: e was "." or ".." and is dealt with */
static bool dir_dots(struct check *c, struct dir_state *s, const struct mica_dirent *e)
{
	if (e->name_len == 1 && e->name[0] == '.') {
		s->dot = true;
		dot_check(c, s, e, c->rows[s->row].nid);
		return true;
	}
	if (e->name_len == 2 && !memcmp(e->name, "..", 2)) {
		s->dotdot = true;
		dot_check(c, s, e, c->rows[c->rows[s->row].parent].nid);
		return true;
	}
	return false;
}

static int entry_check(struct check *c, struct dir_state *s, const struct mica_dirent *e,
		       uint64_t cookie, struct mica_err *err)
{
	const struct check_row *child;
	uint32_t row;
	int added;

	added = mica_check_row_add(c, e->nid, s->row, cookie, &row, err);
	if (added < 0)
		return added;
	c->res->names++;
	if (c->rows[row].names < UINT32_MAX)
		c->rows[row].names++;
	if (added) {
		int ret = mica_check_inode(c, row, err);

		if (ret)
			return ret;
	}
	child = &c->rows[row];
	if (child->flags & CHECK_ROW_BAD)
		return 0;
	if (child->flags & CHECK_ROW_SPECIAL)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET,
				"entry '%s' names the packed inode or the metabox", e->name);
	if (child->type != e->type)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET,
				"entry '%s' says %s (%u), its inode %s (%u)", e->name,
				mica_filetype_name(e->type), e->type,
				mica_filetype_name(child->type), child->type);
	if (child->type != EROFS_FT_DIR)
		return 0;
	c->rows[s->row].subdirs++;
	if (!added)
		mica_check_fail(c, "directory", s->row, CHECK_NO_OFFSET,
				"entry '%s' is a second name of the directory with nid %" PRIu64,
				e->name, e->nid);
	return 0;
}

static int dir_read(struct check *c, struct dir_state *s, const struct mica_inode *inode,
		    struct mica_dir *dir, struct mica_err *err)
{
	struct mica_dirent e;
	uint64_t cookie = 0;
	int ret;

	while ((ret = mica_dir_next(dir, &e, err)) > 0) {
		/* a "." that the directory omits comes last, from the reader */
		if (!inode->dot_omitted || cookie < inode->size)
			name_order(c, s, &e);
		ret = dir_dots(c, s, &e) ? 0 : entry_check(c, s, &e, cookie, err);
		if (ret)
			return ret;
		cookie = e.next;
	}
	if (!ret)
		return 0;
	c->rows[s->row].flags |= CHECK_ROW_TORN;
	c->names_missing = true;
	return mica_check_fail_err(c, "directory", s->row, CHECK_NO_OFFSET, err);
}

int mica_check_dir(struct check *c, uint32_t row, struct mica_err *err)
{
	struct mica_dir *dir cleanup_dir = NULL;
	struct dir_state s = {.row = row};
	struct mica_inode inode;
	int ret = mica_image_inode(c->img, c->rows[row].nid, &inode, err);

	if (!ret)
		ret = mica_dir_open(c->img, &inode, &dir, err);
	if (ret) {
		c->rows[row].flags |= CHECK_ROW_TORN;
		c->names_missing = true;
		return mica_check_fail_err(c, "directory", row, CHECK_NO_OFFSET, err);
	}
	ret = dir_read(c, &s, &inode, dir, err);
	if (ret || c->rows[row].flags & CHECK_ROW_TORN)
		return ret;
	if (!s.dot && !inode.dot_omitted)
		mica_check_fail(c, "directory", row, CHECK_NO_OFFSET, "entry '.' is missing");
	if (!s.dotdot)
		mica_check_fail(c, "directory", row, CHECK_NO_OFFSET, "entry '..' is missing");
	return 0;
}
