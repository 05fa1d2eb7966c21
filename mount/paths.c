/* SPDX-License-Identifier: MIT */
#include "paths.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define SLOTS_MIN 1024u
#define DEPTH_MAX PATH_MAX /* a broken image may have directories in each other */

struct path_slot {
	uint64_t nid, parent;
	char *name; /* owned; NULL: free */
};

struct mica_paths {
	uint64_t root;
	struct path_slot *slots; /* a power of two of them, at most half of them used */
	size_t slot_count, used;
};

int mica_paths_new(uint64_t root, struct mica_paths **out, struct mica_err *err)
{
	struct mica_paths *paths = calloc(1, sizeof(*paths));

	if (paths)
		paths->slots = calloc(SLOTS_MIN, sizeof(*paths->slots));
	if (!paths || !paths->slots) {
		free(paths);
		return mica_err_nomem(err);
	}
	paths->root = root;
	paths->slot_count = SLOTS_MIN;
	*out = paths;
	return 0;
}

void mica_paths_free(struct mica_paths *paths)
{
	if (!paths)
		return;
	for (size_t i = 0; i < paths->slot_count; i++)
		free(paths->slots[i].name);
	free(paths->slots);
	free(paths);
}

/* Where nid is, or would be. */
static struct path_slot *slot_find(struct path_slot *slots, size_t count, uint64_t nid)
{
	size_t i = nid * 0x9e3779b97f4a7c15ULL >> 20;

	while (slots[i & (count - 1)].name && slots[i & (count - 1)].nid != nid)
		i++;
	return &slots[i & (count - 1)];
}

static int slots_grow(struct mica_paths *paths, struct mica_err *err)
{
	size_t count = 2 * paths->slot_count;
	struct path_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return mica_err_nomem(err);
	for (size_t i = 0; i < paths->slot_count; i++)
		if (paths->slots[i].name)
			*slot_find(slots, count, paths->slots[i].nid) = paths->slots[i];
	free(paths->slots);
	paths->slots = slots;
	paths->slot_count = count;
	return 0;
}

int mica_paths_add(struct mica_paths *paths, uint64_t nid, uint64_t parent, const char *name,
		   struct mica_err *err)
{
	struct path_slot *slot = slot_find(paths->slots, paths->slot_count, nid);
	char *copy;

	if (slot->name || nid == paths->root)
		return 0;
	if (2 * (paths->used + 1) > paths->slot_count) {
		int ret = slots_grow(paths, err);

		if (ret)
			return ret;
		slot = slot_find(paths->slots, paths->slot_count, nid);
	}
	copy = strdup(name);
	if (!copy)
		return mica_err_nomem(err);
	*slot = (struct path_slot){nid, parent, copy};
	paths->used++;
	return 0;
}

bool mica_paths_get(const struct mica_paths *paths, uint64_t nid, char path[PATH_MAX])
{
	size_t at = PATH_MAX - 1;

	path[at] = '\0';
	for (unsigned int depth = 0; nid != paths->root; depth++) {
		const struct path_slot *slot = slot_find(paths->slots, paths->slot_count, nid);
		size_t len = slot->name ? strlen(slot->name) : 0;

		if (!len || depth == DEPTH_MAX || at < len + 1)
			return false;
		if (path[at])
			path[--at] = '/';
		at -= len;
		memcpy(path + at, slot->name, len);
		nid = slot->parent;
	}
	memmove(path, path + at, PATH_MAX - at);
	return true;
}
