/* SPDX-License-Identifier: MIT */
/*
 * Records in the order in which they came, and a table of their numbers. A number
 * in the table may be stale after a cut: what it finds is compared with the record that has
 * the number now, so that it can only be of no use.
 */
#include "blockindex.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define RECORDS_FIRST 1024u

struct record {
	uint8_t digest[MICA_DIGEST];
	uint32_t block;
};

struct mica_blockindex {
	struct record *records;
	uint32_t count, cap;
	uint32_t *slots; /* number of a record + 1; 0: free; as many as cap, twice */
	uint32_t slots_used;
	uint32_t found; /* record of the block that was found last */
	size_t memory;
};

int mica_blockindex_new(size_t memory, struct mica_blockindex **out, struct mica_err *err)
{
	struct mica_blockindex *x = calloc(1, sizeof(*x));

	if (!x)
		return mica_err_nomem(err);
	x->memory = memory;
	*out = x;
	return 0;
}

void mica_blockindex_free(struct mica_blockindex *x)
{
	if (!x)
		return;
	free(x->records);
	free(x->slots);
	free(x);
}

static uint32_t slot_mask(const struct mica_blockindex *x)
{
	return 2 * x->cap - 1;
}

/* The slot of the digest, or a free one. */
static uint32_t *slot_find(const struct mica_blockindex *x, const uint8_t digest[MICA_DIGEST])
{
	uint32_t mask = slot_mask(x);
	uint64_t h;

	memcpy(&h, digest, sizeof(h));
	for (;; h++) {
		uint32_t *slot = &x->slots[h & mask];

		if (!*slot || (*slot <= x->count &&
			       !memcmp(x->records[*slot - 1].digest, digest, MICA_DIGEST)))
			return slot;
	}
}

static int slots_make(struct mica_blockindex *x, struct mica_err *err)
{
	uint32_t count = x->count;

	free(x->slots);
	x->slots_used = 0;
	x->slots = calloc((size_t)2 * x->cap, sizeof(*x->slots));
	if (!x->slots)
		return mica_err_nomem(err);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *slot = slot_find(x, x->records[i].digest);

		x->slots_used += !*slot;
		if (!*slot)
			*slot = i + 1;
	}
	return 0;
}

/* Room for one more, *room false: memory is used up. */
static int reserve(struct mica_blockindex *x, bool *room, struct mica_err *err)
{
	uint32_t cap = x->cap ? 2 * x->cap : RECORDS_FIRST;
	struct record *records;

	*room = true;
	if (x->count < x->cap) {
		/* stale numbers take slots as well */
		return x->slots_used <= x->cap / 2 * 3 ? 0 : slots_make(x, err);
	}
	/* the old records are there for a moment beside the new ones */
	*room = cap < UINT32_MAX / 4 &&
		(size_t)cap * (sizeof(*records) + sizeof(*x->slots)) * 2 <= x->memory;
	if (!*room)
		return 0;
	free(x->slots);
	x->slots = NULL;
	records = reallocarray(x->records, cap, sizeof(*records));
	if (!records)
		return mica_err_nomem(err);
	x->records = records;
	x->cap = cap;
	return slots_make(x, err);
}

int mica_blockindex_add(struct mica_blockindex *x, const uint8_t digest[MICA_DIGEST],
			uint32_t block, struct mica_err *err)
{
	uint32_t *slot;
	bool room;
	int ret = reserve(x, &room, err);

	if (ret || !room)
		return ret;
	slot = slot_find(x, digest);
	memcpy(x->records[x->count].digest, digest, MICA_DIGEST);
	x->records[x->count++].block = block;
	x->slots_used += !*slot;
	if (!*slot)
		*slot = x->count;
	return 0;
}

uint32_t mica_blockindex_find(struct mica_blockindex *x, const uint8_t digest[MICA_DIGEST],
			      uint32_t last)
{
	uint32_t next = x->found + 1;
	uint32_t slot;

	if (last != MICA_BLOCKINDEX_NONE && next < x->count && x->records[next].block == last + 1 &&
	    !memcmp(x->records[next].digest, digest, MICA_DIGEST)) {
		x->found = next;
		return last + 1;
	}
	slot = x->cap ? *slot_find(x, digest) : 0;
	if (!slot)
		return MICA_BLOCKINDEX_NONE;
	x->found = slot - 1;
	return x->records[x->found].block;
}

uint32_t mica_blockindex_count(const struct mica_blockindex *x)
{
	return x->count;
}

void mica_blockindex_cut(struct mica_blockindex *x, uint32_t count)
{
	x->count = mica_min(x->count, count);
}
