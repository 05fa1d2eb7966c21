/* SPDX-License-Identifier: MIT */
#include "dirents.h"

#include <string.h>
#include <sys/stat.h>

#include "../formats/erofs.h"
#include "../lib/filetype.h"
#include "data.h"

#define ENTRY ((uint32_t)sizeof(struct erofs_dirent_disk))

struct name {
	const char *bytes;
	uint32_t len;
	uint64_t nid;
	uint8_t type;
};

/* A cursor over the names of a directory with "." and ".." in their places. */
struct cursor {
	const struct mica_tnode *dir;
	const struct mica_tnode *child;
	unsigned int dots; /* how many of the two are done */
};

static bool cursor_next(struct cursor *c, struct name *out)
{
	static const char dots[] = "..";
	uint32_t len = c->dots + 1;

	if (c->dots < 2 && (!c->child || strcmp(c->child->name, dots + 2 - len) > 0)) {
		const struct mica_tnode *up = c->dir->parent ? c->dir->parent : c->dir;

		*out = (struct name){
			.bytes = dots + 2 - len,
			.len = len,
			.nid = c->dots ? up->inode->nid : c->dir->inode->nid,
			.type = EROFS_FT_DIR,
		};
		c->dots++;
		return true;
	}
	if (!c->child)
		return false;
	*out = (struct name){
		.bytes = c->child->name,
		.len = c->child->name_len,
		.nid = c->child->inode->nid,
		.type = mica_filetype_of(c->child->inode->mode),
	};
	c->child = c->child->sibling;
	return true;
}

static struct cursor cursor_start(const struct mica_tnode *dir, bool dot)
{
	return (struct cursor){.dir = dir, .child = dir->inode->children, .dots = !dot};
}

uint64_t mica_dirents_size(const struct mica_tnode *dir, bool dot, uint32_t block)
{
	struct cursor c = cursor_start(dir, dot);
	uint64_t full = 0;
	uint32_t used = 0;
	struct name n;

	while (cursor_next(&c, &n)) {
		if (used + ENTRY + n.len > block) {
			full += block;
			used = 0;
		}
		used += ENTRY + n.len;
	}
	return full + used;
}

/* How many names from c on fit into one block of that many bytes, and their bytes. */
static unsigned int block_fill(struct cursor c, uint32_t block, uint32_t *used)
{
	unsigned int count = 0;
	struct name n;

	*used = 0;
	while (cursor_next(&c, &n) && *used + ENTRY + n.len <= block) {
		*used += ENTRY + n.len;
		count++;
	}
	return count;
}

static void block_encode(struct cursor *c, unsigned int count, unsigned char *block)
{
	uint32_t nameoff = count * ENTRY;

	for (unsigned int i = 0; i < count; i++) {
		struct erofs_dirent_disk d = {.nameoff = le16_make((uint16_t)nameoff)};
		struct name n;

		cursor_next(c, &n);
		d.nid = le64_make(n.nid);
		d.file_type = n.type;
		memcpy(block + i * ENTRY, &d, ENTRY);
		memcpy(block + nameoff, n.bytes, n.len);
		nameoff += n.len;
	}
}

int mica_dirents_encode(const struct mica_tnode *dir, bool dot, uint32_t block,
			int (*emit)(void *ctx, const void *block, uint32_t len,
				    struct mica_err *err),
			void *ctx, struct mica_err *err)
{
	struct cursor c = cursor_start(dir, dot);
	int ret = 0;

	while (!ret && (c.child || c.dots < 2)) {
		unsigned char buf[MICA_BLOCK] = {0};
		uint32_t used;
		unsigned int count = block_fill(c, block, &used);

		block_encode(&c, count, buf);
		ret = emit(ctx, buf, c.child || c.dots < 2 ? block : used, err);
	}
	return ret;
}
