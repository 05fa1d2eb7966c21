/* SPDX-License-Identifier: MIT */
/* Which names are extracted, and which of them are further names of an inode. */
#include "extract.h"

#include <string.h>
#include <sys/stat.h>

#include "../lib/nidmap.h"
#include "show.h"

#define COPY_BYTES (1u << 20)

/* Files with several names: path of the first one that was extracted. */
struct links {
	struct mica_nidmap map;
	char **paths;
	size_t count, cap;
};

static int links_find(struct links *links, const struct mica_walk_item *item, const char **out,
		      struct mica_err *err)
{
	uint32_t found;
	int ret;

	*out = NULL;
	if (item->inode.nlink < 2)
		return 0;
	if (links->count == UINT32_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "too many hard links");
	if (links->count == links->cap) {
		size_t cap = links->cap ? links->cap * 2 : 64;
		char **paths = realloc(links->paths, cap * sizeof(*paths));

		if (!paths)
			return mica_err_nomem(err);
		links->paths = paths;
		links->cap = cap;
	}
	ret = mica_nidmap_add(&links->map, item->inode.nid, (uint32_t)links->count, &found, err);
	if (ret < 0)
		return ret;
	if (!ret) {
		*out = links->paths[found];
		return 0;
	}
	links->paths[links->count] = strdup(item->path);
	if (!links->paths[links->count])
		return mica_err_nomem(err);
	links->count++;
	return 0;
}

static void links_clear(struct links *links)
{
	mica_nidmap_clear(&links->map);
	for (size_t i = 0; i < links->count; i++)
		free(links->paths[i]);
	free(links->paths);
}

/* path is dir or lies below it */
static bool path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !len || (!strncmp(path, dir, len) && (!path[len] || path[len] == '/'));
}

static bool path_wanted(const struct mica_extract *x, const char *path)
{
	for (size_t i = 0; i < x->path_count; i++)
		if (path_below(path, x->paths[i]))
			return true;
	return !x->path_count;
}

static bool path_leads(const struct mica_extract *x, const char *path)
{
	for (size_t i = 0; i < x->path_count; i++)
		if (path_below(x->paths[i], path))
			return true;
	return false;
}

static int extract_item(struct mica_extract *x, const struct mica_extract_sink *ops, void *sink,
			struct mica_walk *walk, const struct mica_walk_item *item,
			struct links *links, struct mica_err *err)
{
	bool wanted = path_wanted(x, item->path);
	const char *link;
	int ret;

	if (item->event == MICA_WALK_LEAVE)
		return ops->leave(sink, item, wanted, err);
	if (!wanted && !(item->event == MICA_WALK_ENTER && path_leads(x, item->path))) {
		if (item->event == MICA_WALK_ENTER)
			mica_walk_skip(walk);
		return 0;
	}
	if (x->names && wanted) {
		mica_show_text(x->names, item->path[0] ? item->path : ".");
		fputc('\n', x->names);
	}
	if (item->event == MICA_WALK_ENTER)
		return ops->enter(sink, item, wanted, err);
	ret = links_find(links, item, &link, err);
	return ret ? ret : ops->entry(sink, item, link, err);
}

int mica_extract_walk(struct mica_extract *x, const struct mica_extract_sink *ops, void *sink,
		      struct mica_err *err)
{
	struct mica_walk *walk cleanup_walk = NULL;
	struct mica_walk_item item;
	struct links links = {0};
	int ret = mica_walk_new(x->img, "", &walk, err);

	if (ret)
		return ret;
	while ((ret = mica_walk_next(walk, &item, err)) > 0) {
		ret = extract_item(x, ops, sink, walk, &item, &links, err);
		if (ret) {
			ret = mica_err_wrap(err, "/%s", item.path);
			break;
		}
	}
	links_clear(&links);
	return ret;
}

int mica_extract_data(struct mica_image *img, const struct mica_inode *inode,
		      int (*put)(void *ctx, const void *buf, uint64_t len, uint64_t off, bool hole,
				 struct mica_err *err),
		      void *ctx, struct mica_err *err)
{
	unsigned char *buf cleanup_free = malloc(COPY_BYTES);
	uint64_t off = 0, data, hole;
	int ret = 0;

	if (!buf)
		return mica_err_nomem(err);
	while (!ret && off < inode->size) {
		ret = mica_image_seek(img, inode, off, false, &data, err);
		if (!ret && data > off)
			ret = put(ctx, NULL, data - off, off, true, err);
		if (ret || data >= inode->size)
			break;
		ret = mica_image_seek(img, inode, data, true, &hole, err);
		for (off = data; !ret && off < hole;) {
			long n = mica_image_read(img, inode, buf, mica_min(COPY_BYTES, hole - off),
						 off, err);

			if (n <= 0)
				return n ? (int)n
					 : mica_err_set(err, MICA_E_CORRUPT, "file ends early");
			ret = put(ctx, buf, (uint64_t)n, off, false, err);
			off += (uint64_t)n;
		}
	}
	return ret;
}

int mica_extract_target(struct mica_image *img, const struct mica_inode *inode, char **out,
			struct mica_err *err)
{
	char *target cleanup_free = NULL;
	long n;

	if (!inode->size || inode->size > 65535)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "symlink target of %llu bytes is not within 1..65535",
				    (unsigned long long)inode->size);
	target = calloc(1, inode->size + 1);
	if (!target)
		return mica_err_nomem(err);
	n = mica_image_read(img, inode, target, inode->size, 0, err);
	if (n < 0)
		return (int)n;
	if (strlen(target) != inode->size)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "symlink target has a NUL at byte %zu of %llu", strlen(target),
				    (unsigned long long)inode->size);
	*out = mica_steal_pointer(&target);
	return 0;
}
