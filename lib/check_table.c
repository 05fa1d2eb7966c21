/* SPDX-License-Identifier: MIT */
/* The table of inodes: found by nid, named through their parents. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check_priv.h"
#include "util.h"

/* Longer paths are of no use in a message. */
#define PATH_LEVELS 64

int mica_check_row_add(struct check *c, uint64_t nid, uint32_t parent, uint64_t cookie,
		       uint32_t *row, struct mica_err *err)
{
	int ret;

	if (c->row_count == CHECK_NO_ROW)
		return mica_err_set(err, MICA_E_LIMIT, "more than %" PRIu32 " inodes",
				    CHECK_NO_ROW);
	if (c->row_count == c->row_cap) {
		size_t cap = c->row_cap ? c->row_cap * 2 : 256;
		struct check_row *rows = realloc(c->rows, cap * sizeof(*rows));

		if (!rows)
			return mica_err_nomem(err);
		c->rows = rows;
		c->row_cap = cap;
	}
	ret = mica_nidmap_add(&c->map, nid, c->row_count, row, err);
	if (ret <= 0)
		return ret;
	*row = c->row_count++;
	c->rows[*row] = (struct check_row){.nid = nid, .parent = parent, .cookie = cookie};
	return 1;
}

/* The name that led to a row; false when it cannot be read again. */
static bool row_name(struct check *c, const struct check_row *row, struct mica_dirent *out)
{
	struct mica_dir *dir cleanup_dir = NULL;
	struct mica_err err = {0};
	struct mica_inode inode;

	if (mica_image_inode(c->img, c->rows[row->parent].nid, &inode, &err) ||
	    mica_dir_open(c->img, &inode, &dir, &err))
		return false;
	mica_dir_seek(dir, row->cookie);
	return mica_dir_next(dir, out, &err) > 0;
}

char *mica_check_row_path(struct check *c, uint32_t row)
{
	size_t cap = PATH_LEVELS * 256 + 8, at = cap - 1;
	char *buf cleanup_free = malloc(cap);
	struct mica_dirent entry;

	if (!buf || c->rows[row].flags & CHECK_ROW_SPECIAL)
		return NULL;
	buf[at] = 0;
	while (c->rows[row].parent != row) {
		if (at < 256 + 8) {
			memcpy(buf + (at -= 4), "/...", 4);
			break;
		}
		if (!row_name(c, &c->rows[row], &entry))
			return NULL;
		at -= entry.name_len;
		memcpy(buf + at, entry.name, entry.name_len);
		buf[--at] = '/';
		row = c->rows[row].parent;
	}
	return strdup(buf[at] ? buf + at : "/");
}

/* Directories with more than 65,535 links may say 1: "not counted". */
static void dir_links(struct check *c, uint32_t i)
{
	const struct check_row *row = &c->rows[i];
	uint64_t want = 2ULL + row->subdirs;

	if (row->flags & CHECK_ROW_TORN || row->nlink == want ||
	    (row->nlink == 1 && want > UINT16_MAX))
		return;
	mica_check_fail(c, "inode", i, CHECK_NO_OFFSET,
			"nlink %" PRIu32 ", but 2 + %" PRIu32 " subdirectories", row->nlink,
			row->subdirs);
}

void mica_check_links(struct check *c)
{
	for (uint32_t i = 0; i < c->row_count; i++) {
		const struct check_row *row = &c->rows[i];

		if (row->flags & (CHECK_ROW_BAD | CHECK_ROW_SPECIAL))
			continue;
		if (row->type == EROFS_FT_DIR)
			dir_links(c, i);
		else if (row->nlink != row->names && !c->names_missing)
			mica_check_fail(c, "inode", i, CHECK_NO_OFFSET,
					"nlink %" PRIu32 ", but %" PRIu32 " names", row->nlink,
					row->names);
	}
}
