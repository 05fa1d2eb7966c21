/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "nidmap.h"

/*
 * Open cursors hold a block each: those of the levels nearest the root stay
 * open, deeper ones are opened again at their cookie when the walk comes back.
 */
#define WALK_OPEN_LEVELS 64

struct level {
	uint64_t nid;
	uint64_t cookie; /* next entry */
	size_t path_len;
	struct mica_dir *dir; /* NULL: to be opened */
};

struct mica_walk {
	struct mica_image *img;
	struct mica_nidmap seen; /* directories */
	struct level *levels;
	size_t depth, cap;
	char *path;
	size_t path_len, path_cap;
	size_t name_at; /* of the last part of path */
	bool started;
};

int mica_walk_new(struct mica_image *img, const char *start, struct mica_walk **out,
		  struct mica_err *err)
{
	struct mica_walk *walk cleanup_walk = calloc(1, sizeof(*walk));
	const char *p = start;

	if (!walk)
		return mica_err_nomem(err);
	walk->img = img;
	walk->path_cap = strlen(start) + 1;
	walk->path = malloc(walk->path_cap);
	if (!walk->path)
		return mica_err_nomem(err);
	while (*p) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (!len)
			break;
		if (len == 2 && !memcmp(p, "..", 2))
			return mica_err_set(err, MICA_E_USAGE, "path '%s' has a '..'", start);
		if (len == 1 && *p == '.') {
			p++;
			continue;
		}
		if (walk->path_len)
			walk->path[walk->path_len++] = '/';
		walk->name_at = walk->path_len;
		memcpy(walk->path + walk->path_len, p, len);
		walk->path_len += len;
		p += len;
	}
	walk->path[walk->path_len] = 0;
	*out = mica_steal_pointer(&walk);
	return 0;
}

static int path_push(struct mica_walk *walk, const char *name, size_t len, struct mica_err *err)
{
	size_t need = walk->path_len + 1 + len + 1;

	if (need > walk->path_cap) {
		size_t cap = need * 2;
		char *path = realloc(walk->path, cap);

		if (!path)
			return mica_err_nomem(err);
		walk->path = path;
		walk->path_cap = cap;
	}
	if (walk->path_len)
		walk->path[walk->path_len++] = '/';
	walk->name_at = walk->path_len;
	memcpy(walk->path + walk->path_len, name, len);
	walk->path_len += len;
	walk->path[walk->path_len] = 0;
	return 0;
}

static void path_cut(struct mica_walk *walk, size_t len)
{
	const char *slash;

	walk->path_len = len;
	walk->path[len] = 0;
	slash = memrchr(walk->path, '/', len);
	walk->name_at = slash ? (size_t)(slash - walk->path) + 1 : 0;
}

static int level_push(struct mica_walk *walk, const struct mica_inode *inode, struct mica_err *err)
{
	uint32_t unused;
	int ret = mica_nidmap_add(&walk->seen, inode->nid, 0, &unused, err);

	if (ret < 0)
		return ret;
	if (!ret)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "directory nid %" PRIu64 " has a second name", inode->nid);
	if (walk->depth == walk->cap) {
		size_t cap = walk->cap ? walk->cap * 2 : 32;
		struct level *levels = realloc(walk->levels, cap * sizeof(*levels));

		if (!levels)
			return mica_err_nomem(err);
		walk->levels = levels;
		walk->cap = cap;
	}
	walk->levels[walk->depth++] = (struct level){.nid = inode->nid, .path_len = walk->path_len};
	return 0;
}

static int level_open(struct mica_walk *walk, struct level *level, struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	if (level->dir)
		return 0;
	ret = mica_image_inode(walk->img, level->nid, &inode, err);
	if (!ret)
		ret = mica_dir_open(walk->img, &inode, &level->dir, err);
	if (!ret)
		mica_dir_seek(level->dir, level->cookie);
	return ret;
}

static void level_close(struct level *level)
{
	mica_dir_free(level->dir);
	level->dir = NULL;
}

/* An inode under walk->path becomes the next item; directories are entered. */
static int item_take(struct mica_walk *walk, struct mica_walk_item *out, struct mica_err *err)
{
	out->depth = walk->depth;
	out->path = walk->path;
	out->name = walk->path + walk->name_at;
	out->event = MICA_WALK_ENTRY;
	if (!S_ISDIR(out->inode.mode))
		return 1;
	if (walk->depth > WALK_OPEN_LEVELS)
		level_close(&walk->levels[walk->depth - 1]);
	out->event = MICA_WALK_ENTER;
	return level_push(walk, &out->inode, err) ?: 1;
}

static int dirent_next(struct mica_walk *walk, struct level *level, struct mica_dirent *entry,
		       struct mica_err *err)
{
	int ret = level_open(walk, level, err);

	if (ret)
		return ret;
	do {
		ret = mica_dir_next(level->dir, entry, err);
		if (ret <= 0)
			return ret;
		level->cookie = entry->next;
	} while (!strcmp(entry->name, ".") || !strcmp(entry->name, ".."));
	return 1;
}

static int walk_step(struct mica_walk *walk, struct mica_walk_item *out, struct mica_err *err)
{
	struct level *level;
	struct mica_dirent entry;
	int ret;

	if (!walk->started) {
		walk->started = true;
		ret = mica_image_walk(walk->img, walk->path, &out->inode, err);
		return ret ? ret : item_take(walk, out, err);
	}
	if (!walk->depth)
		return 0;
	level = &walk->levels[walk->depth - 1];
	path_cut(walk, level->path_len);
	ret = dirent_next(walk, level, &entry, err);
	if (ret < 0)
		return ret;
	if (!ret) {
		ret = mica_image_inode(walk->img, level->nid, &out->inode, err);
		mica_walk_skip(walk);
		out->event = MICA_WALK_LEAVE;
		out->depth = walk->depth;
		out->path = walk->path;
		out->name = walk->path + walk->name_at;
		return ret ? ret : 1;
	}
	ret = path_push(walk, entry.name, entry.name_len, err);
	if (ret)
		return ret;
	ret = mica_image_inode(walk->img, entry.nid, &out->inode, err);
	return ret ? ret : item_take(walk, out, err);
}

int mica_walk_next(struct mica_walk *walk, struct mica_walk_item *out, struct mica_err *err)
{
	int ret = walk_step(walk, out, err);

	return ret < 0 ? mica_err_wrap(err, "/%s", walk->path) : ret;
}

void mica_walk_skip(struct mica_walk *walk)
{
	level_close(&walk->levels[--walk->depth]);
}

void mica_walk_free(struct mica_walk *walk)
{
	if (!walk)
		return;
	while (walk->depth)
		mica_walk_skip(walk);
	mica_nidmap_clear(&walk->seen);
	free(walk->levels);
	free(walk->path);
	free(walk);
}
