/* SPDX-License-Identifier: MIT */
#include "extindex.h"

#include <stdbool.h>
#include <string.h>

#include "../lib/util.h"

#define SLOTS_FIRST 1024u
#define CHUNKS_MAX  256u /* more than an extent has */
#define ALIKE_MAX   8u	 /* extents that begin alike and are found */

struct mica_extindex {
	size_t memory;
	struct start {
		uint32_t first : 31; /* digest */
		uint32_t plain : 1;
		uint32_t next; /* 1 + extent that begins alike, 0: none */
	} * starts;	       /* by extent */
	uint32_t count, cap;
	uint8_t (*digests)[MICA_DIGEST];
	uint32_t digest_count, digest_cap;
	uint32_t *slots; /* by the first digest: 1 + extent, 0: free */
	uint32_t mask;
};

int mica_extindex_new(size_t memory, struct mica_extindex **out, struct mica_err *err)
{
	struct mica_extindex *x = calloc(1, sizeof(*x));

	if (!x)
		return mica_err_nomem(err);
	x->memory = memory;
	x->slots = calloc(SLOTS_FIRST, sizeof(*x->slots));
	x->mask = SLOTS_FIRST - 1;
	if (!x->slots) {
		mica_extindex_free(x);
		return mica_err_nomem(err);
	}
	*out = x;
	return 0;
}

void mica_extindex_free(struct mica_extindex *x)
{
	if (!x)
		return;
	free(x->starts);
	free(x->digests);
	free(x->slots);
	free(x);
}

static uint32_t *slot_find(uint32_t *slots, uint32_t mask, const struct mica_extindex *x,
			   const uint8_t digest[MICA_DIGEST])
{
	uint32_t i;

	memcpy(&i, digest, sizeof(i));
	while (slots[i & mask] &&
	       memcmp(x->digests[x->starts[slots[i & mask] - 1].first], digest, MICA_DIGEST))
		i++;
	return &slots[i & mask];
}

static int slots_grow(struct mica_extindex *x, struct mica_err *err)
{
	uint32_t mask = x->mask * 2 + 1;
	uint32_t *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (!slots)
		return mica_err_nomem(err);
	for (uint32_t i = 0; i <= x->mask; i++)
		if (x->slots[i])
			*slot_find(slots, mask, x, x->digests[x->starts[x->slots[i] - 1].first]) =
				x->slots[i];
	free(x->slots);
	x->slots = slots;
	x->mask = mask;
	return 0;
}

/* Nothing must grow, or what grows still fits: both copies of it exist for a moment. */
static bool room(const struct mica_extindex *x)
{
	size_t bytes = ((size_t)x->mask + 1) * sizeof(*x->slots) + x->cap * sizeof(*x->starts) +
		       x->digest_cap * sizeof(*x->digests);

	return 3 * bytes < x->memory || (x->count < x->cap && x->count <= x->mask / 2 &&
					 x->digest_count + CHUNKS_MAX <= x->digest_cap);
}

static int grow(void *array, uint32_t *cap, size_t size, struct mica_err *err)
{
	uint32_t want = *cap ? *cap * 2 : 1024;
	void *v = reallocarray(*(void **)array, want, size);

	if (!v)
		return mica_err_nomem(err);
	*(void **)array = v;
	*cap = want;
	return 0;
}

int mica_extindex_begin(struct mica_extindex *x, bool plain, uint32_t *id, struct mica_err *err)
{
	int ret = 0;

	*id = MICA_EXT_NONE;
	if (!room(x))
		return 0;
	if (x->count == x->cap)
		ret = grow(&x->starts, &x->cap, sizeof(*x->starts), err);
	if (!ret && x->count > x->mask / 2)
		ret = slots_grow(x, err);
	if (ret)
		return ret;
	*id = x->count;
	x->starts[x->count++] = (struct start){.first = x->digest_count, .plain = plain};
	return 0;
}

/* The last extent is found by its first chunk. */
static void start_link(struct mica_extindex *x, const uint8_t digest[MICA_DIGEST])
{
	uint32_t *link = slot_find(x->slots, x->mask, x, digest);

	for (unsigned int i = 0; *link && i < ALIKE_MAX; i++)
		link = &x->starts[*link - 1].next;
	if (!*link)
		*link = x->count;
}

int mica_extindex_chunk(struct mica_extindex *x, const uint8_t digest[MICA_DIGEST],
			struct mica_err *err)
{
	int ret = 0;

	if (x->digest_count == x->digest_cap)
		ret = grow(&x->digests, &x->digest_cap, sizeof(*x->digests), err);
	if (ret)
		return ret;
	memcpy(x->digests[x->digest_count++], digest, MICA_DIGEST);
	if (x->starts[x->count - 1].first == x->digest_count - 1)
		start_link(x, digest);
	return 0;
}

uint32_t mica_extindex_find(const struct mica_extindex *x, const uint8_t digest[MICA_DIGEST])
{
	return *slot_find(x->slots, x->mask, x, digest) - 1;
}

uint32_t mica_extindex_next(const struct mica_extindex *x, uint32_t id)
{
	return x->starts[id].next - 1;
}

bool mica_extindex_plain(const struct mica_extindex *x, uint32_t id)
{
	return x->starts[id].plain;
}

const uint8_t *mica_extindex_digest(const struct mica_extindex *x, uint32_t id, uint32_t i)
{
	uint32_t end = id + 1 < x->count ? x->starts[id + 1].first : x->digest_count;

	return i < end - x->starts[id].first ? x->digests[x->starts[id].first + i] : NULL;
}
