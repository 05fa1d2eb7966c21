/* SPDX-License-Identifier: MIT */
#include "repeats.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define CHUNKS_MIN (1u << 10)

struct seen {
	uint8_t digest[MICA_DIGEST];
	uint64_t at;
};

#define NONE UINT32_MAX

struct mica_repeats {
	struct seen *chunks; /* in the order in which they came */
	uint32_t *table;     /* 1 + first chunk of a digest, by that; 0: free */
	uint32_t count, cap, max, mask;
	uint64_t least, near;
	struct mica_repeat *found;
	uint32_t found_count, found_cap;
	struct mica_repeat run; /* that goes on; len 0: none does */
	uint32_t next;		/* the chunk that it goes on with */
};

int mica_repeats_new(uint64_t memory, uint64_t least, uint64_t near, struct mica_repeats **out,
		     struct mica_err *err)
{
	struct mica_repeats *r = calloc(1, sizeof(*r));
	/* the table has room for twice as many; while both grow, half of each is there twice */
	uint64_t most = memory / (3 * (sizeof(*r->chunks) + 2 * sizeof(*r->table)) / 2);

	if (!r)
		return mica_err_nomem(err);
	r->max = CHUNKS_MIN;
	while (2ull * r->max <= most && r->max < 1u << 30)
		r->max *= 2;
	r->least = least;
	r->near = near;
	*out = r;
	return 0;
}

void mica_repeats_free(struct mica_repeats *r)
{
	if (!r)
		return;
	free(r->chunks);
	free(r->table);
	free(r->found);
	free(r);
}

/* Where a digest is in the table, or would be. Digests are random numbers. */
static uint32_t table_slot(const struct mica_repeats *r, const uint8_t digest[MICA_DIGEST])
{
	uint32_t i;

	memcpy(&i, digest, sizeof(i));
	for (i &= r->mask; r->table[i]; i = (i + 1) & r->mask)
		if (!memcmp(r->chunks[r->table[i] - 1].digest, digest, MICA_DIGEST))
			break;
	return i;
}

static int chunks_grow(struct mica_repeats *r, struct mica_err *err)
{
	uint32_t cap = r->cap ? r->cap * 2 : CHUNKS_MIN;
	struct seen *chunks = reallocarray(r->chunks, cap, sizeof(*chunks));
	uint32_t *table;

	if (!chunks)
		return mica_err_nomem(err);
	r->chunks = chunks;
	table = calloc(2ul * cap, sizeof(*table));
	if (!table)
		return mica_err_nomem(err);
	free(r->table);
	r->table = table;
	r->cap = cap;
	r->mask = 2 * cap - 1;
	for (uint32_t i = 0; i < r->count; i++) {
		uint32_t *slot = &r->table[table_slot(r, r->chunks[i].digest)];

		if (!*slot)
			*slot = i + 1;
	}
	return 0;
}

static int chunk_remember(struct mica_repeats *r, const uint8_t digest[MICA_DIGEST], uint64_t at,
			  struct mica_err *err)
{
	struct seen *c;
	uint32_t *slot;
	int ret;

	if (r->count == r->max)
		return 0;
	ret = r->count == r->cap ? chunks_grow(r, err) : 0;
	if (ret)
		return ret;
	c = &r->chunks[r->count++];
	memcpy(c->digest, digest, MICA_DIGEST);
	c->at = at;
	slot = &r->table[table_slot(r, digest)];
	if (!*slot)
		*slot = r->count;
	return 0;
}

int mica_repeats_break(struct mica_repeats *r, struct mica_err *err)
{
	struct mica_repeat run = r->run;

	r->run.len = 0;
	if (run.len < r->least || run.at + run.len - run.from <= r->near)
		return 0;
	if (r->found_count == r->found_cap) {
		uint32_t cap = r->found_cap ? r->found_cap * 2 : 64;
		struct mica_repeat *found = reallocarray(r->found, cap, sizeof(*found));

		if (!found)
			return mica_err_nomem(err);
		r->found = found;
		r->found_cap = cap;
	}
	r->found[r->found_count++] = run;
	return 0;
}

/* The first chunk of that digest; NONE: there was none before. */
static uint32_t chunk_find(const struct mica_repeats *r, const uint8_t digest[MICA_DIGEST])
{
	return r->count ? r->table[table_slot(r, digest)] - 1 : NONE;
}

/* Whether the run goes on with this chunk, and not over its own beginning. */
static bool run_goes_on(const struct mica_repeats *r, const uint8_t digest[MICA_DIGEST],
			uint32_t len)
{
	return r->run.len && r->next < r->count &&
	       r->chunks[r->next].at == r->run.from + r->run.len &&
	       r->chunks[r->next].at + len <= r->run.at &&
	       !memcmp(r->chunks[r->next].digest, digest, MICA_DIGEST);
}

int mica_repeats_add(struct mica_repeats *r, const uint8_t digest[MICA_DIGEST], uint64_t at,
		     uint32_t len, struct mica_err *err)
{
	int ret = 0;

	if (!run_goes_on(r, digest, len)) {
		ret = mica_repeats_break(r, err);
		r->next = chunk_find(r, digest);
		if (r->next != NONE)
			r->run = (struct mica_repeat){.at = at, .from = r->chunks[r->next].at};
	}
	if (r->next != NONE) {
		r->run.len += len;
		r->next++;
	}
	return ret ? ret : chunk_remember(r, digest, at, err);
}

struct mica_repeat *mica_repeats_take(struct mica_repeats *r, uint32_t *count)
{
	struct mica_repeat *found = r->found;

	*count = r->found_count;
	r->found = NULL;
	r->found_count = r->found_cap = 0;
	return found;
}
