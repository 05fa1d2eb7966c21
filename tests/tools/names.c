/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static int name_compare(const void *a, const void *b)
{
	return strcmp(((const struct tool_name *)a)->name, ((const struct tool_name *)b)->name);
}

void tool_names_read(const struct tool_node *dir, const char *path, struct tool_names *names)
{
	int fd = tool_node_reopen(dir, path, O_DIRECTORY);
	DIR *d = fdopendir(fd);
	unsigned int dots = 0;
	size_t cap = 0;
	struct dirent *e;

	memset(names, 0, sizeof(*names));
	if (!d)
		tool_die_errno("%s: opendir", path);
	while (errno = 0, (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) {
			dots |= 1u << (strlen(e->d_name) - 1);
			continue;
		}
		if (names->count == cap) {
			cap = cap ? 2 * cap : 16;
			names->v = tool_grow(names->v, cap * sizeof(*names->v));
		}
		names->v[names->count++] = (struct tool_name){
			.name = strdup(e->d_name),
			.d_type = e->d_type,
			.d_ino = e->d_ino,
		};
	}
	if (errno)
		tool_die_errno("%s: readdir", path);
	closedir(d);
	names->dots = dots == 3;
	if (names->count)
		qsort(names->v, names->count, sizeof(*names->v), name_compare);
	for (size_t i = 1; i < names->count; i++)
		if (!strcmp(names->v[i - 1].name, names->v[i].name))
			tool_die("%s: the name %s is listed twice", path, names->v[i].name);
}

void tool_names_free(struct tool_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->v[i].name);
	free(names->v);
}

/* Open addressing; a slot with number 0 is free. */
struct link_slot {
	dev_t dev;
	ino_t ino;
	uint64_t number;
};

struct tool_links {
	struct link_slot *slots;
	size_t cap, count;
};

struct tool_links *tool_links_new(void)
{
	struct tool_links *links = tool_alloc(sizeof(*links));

	links->cap = 1024;
	links->slots = tool_alloc(links->cap * sizeof(*links->slots));
	return links;
}

static struct link_slot *slot_find(struct tool_links *links, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino ^ dev) * 0x9e3779b97f4a7c15ull >> 20) & (links->cap - 1);

	while (links->slots[i].number && (links->slots[i].ino != ino || links->slots[i].dev != dev))
		i = (i + 1) & (links->cap - 1);
	return &links->slots[i];
}

static void links_double(struct tool_links *links)
{
	struct link_slot *old = links->slots;
	size_t cap = links->cap;

	links->cap = 2 * cap;
	links->slots = tool_alloc(links->cap * sizeof(*links->slots));
	for (size_t i = 0; i < cap; i++)
		if (old[i].number)
			*slot_find(links, old[i].dev, old[i].ino) = old[i];
	free(old);
}

uint64_t tool_links_number(struct tool_links *links, const struct stat *st, bool *known)
{
	struct link_slot *slot;

	if (2 * links->count >= links->cap)
		links_double(links);
	slot = slot_find(links, st->st_dev, st->st_ino);
	*known = slot->number != 0;
	if (!*known)
		*slot = (struct link_slot){st->st_dev, st->st_ino, ++links->count};
	return slot->number;
}

void tool_links_free(struct tool_links *links)
{
	free(links->slots);
	free(links);
}
