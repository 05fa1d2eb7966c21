/* SPDX-License-Identifier: MIT */
#include "nidmap.h"

#include <stdbool.h>
#include <stdlib.h>

struct mica_nidmap_slot {
	uint64_t nid;
	uint32_t value;
	uint32_t used;
};

/* The mixer of splitmix64: neighbours spread over the table. */
static uint64_t nid_hash(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static struct mica_nidmap_slot *slot_find(const struct mica_nidmap *map, uint64_t nid)
{
	size_t i = nid_hash(nid) & (map->cap - 1);

	while (map->slots[i].used && map->slots[i].nid != nid)
		i = (i + 1) & (map->cap - 1);
	return &map->slots[i];
}

static int nidmap_grow(struct mica_nidmap *map, struct mica_err *err)
{
	struct mica_nidmap next = {.cap = map->cap ? map->cap * 2 : 64, .count = map->count};

	next.slots = calloc(next.cap, sizeof(*next.slots));
	if (!next.slots)
		return mica_err_nomem(err);
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].used)
			*slot_find(&next, map->slots[i].nid) = map->slots[i];
	free(map->slots);
	*map = next;
	return 0;
}

int mica_nidmap_add(struct mica_nidmap *map, uint64_t nid, uint32_t value, uint32_t *found,
		    struct mica_err *err)
{
	struct mica_nidmap_slot *slot;
	int ret;

	if (map->count >= map->cap / 4 * 3) {
		ret = nidmap_grow(map, err);
		if (ret)
			return ret;
	}
	slot = slot_find(map, nid);
	if (slot->used) {
		*found = slot->value;
		return 0;
	}
	*slot = (struct mica_nidmap_slot){.nid = nid, .value = value, .used = 1};
	map->count++;
	return 1;
}

void mica_nidmap_clear(struct mica_nidmap *map)
{
	free(map->slots);
	*map = (struct mica_nidmap){0};
}
