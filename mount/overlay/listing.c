/* SPDX-License-Identifier: MIT */
#include "listing.h"

#include <errno.h>
#include <string.h>

#include <xxhash.h>

/* Positions of names that only the upper directory has: above all others, below 2^63. */
#define UPPER_BIT  (1ULL << 62)
#define UPPER_MASK (UPPER_BIT - 1)

struct name {
	uint64_t hash; /* below UPPER_MASK, so that there is a position behind each */
	char *text;
};

/* Names, and which of them there are already. */
struct names {
	struct name *v;
	size_t count, cap;
	uint32_t *slots; /* index + 1 by hash; 0: free */
	size_t slot_count;
};

struct mica_listing {
	atomic_uint refs;
	struct names lower, upper; /* the latter sorted by hash */
};

static uint64_t hash_of(const char *text)
{
	return XXH3_64bits(text, strlen(text)) & (UPPER_MASK >> 1);
}

static void names_clear(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->v[i].text);
	free(n->v);
	free(n->slots);
	*n = (struct names){0};
}

static uint32_t *slot_of(const struct names *n, uint64_t hash, const char *text)
{
	size_t i = hash & (n->slot_count - 1);

	for (; n->slots[i]; i = (i + 1) & (n->slot_count - 1)) {
		const struct name *have = &n->v[n->slots[i] - 1];

		if (have->hash == hash && !strcmp(have->text, text))
			break;
	}
	return &n->slots[i];
}

static bool names_have(const struct names *n, uint64_t hash, const char *text)
{
	return n->slot_count && *slot_of(n, hash, text);
}

static int names_grow(struct names *n)
{
	size_t cap = n->cap ? n->cap * 2 : 16;
	struct name *v = realloc(n->v, cap * sizeof(*v));
	uint32_t *slots;

	if (!v)
		return -ENOMEM;
	n->v = v;
	slots = calloc(cap * 2, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(n->slots);
	n->slots = slots;
	n->cap = cap;
	n->slot_count = cap * 2;
	for (size_t i = 0; i < n->count; i++)
		*slot_of(n, v[i].hash, v[i].text) = (uint32_t)i + 1;
	return 0;
}

static int names_add(struct names *n, uint64_t hash, const char *text)
{
	char *copy;
	int ret = n->count == n->cap ? names_grow(n) : 0;

	if (ret)
		return ret;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	n->v[n->count++] = (struct name){.hash = hash, .text = copy};
	*slot_of(n, hash, text) = (uint32_t)n->count;
	return 0;
}

static int add_lower(void *ctx, const char *name, uint64_t ino, mode_t type)
{
	struct mica_listing *l = ctx;
	uint64_t hash = hash_of(name);

	(void)ino;
	(void)type;
	return names_have(&l->lower, hash, name) ? 0 : names_add(&l->lower, hash, name);
}

static int add_upper(void *ctx, const char *name, uint64_t ino, mode_t type)
{
	struct mica_listing *l = ctx;
	uint64_t hash = hash_of(name);

	(void)ino;
	(void)type;
	return names_have(&l->lower, hash, name) ? 0 : names_add(&l->upper, hash, name);
}

static int by_hash(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : strcmp(x->text, y->text);
}

static int upper_read(struct mica_ovl *ovl, struct mica_node *dir, struct mica_listing *l)
{
	struct mica_place at;
	int ret = mica_node_upper(ovl, dir, &at);

	if (!ret)
		ret = mica_place_list(&at, add_upper, l);
	if (!ret && l->upper.count)
		qsort(l->upper.v, l->upper.count, sizeof(*l->upper.v), by_hash);
	return ret;
}

static int lower_read(struct mica_ovl *ovl, const struct mica_node *dir, struct mica_listing *l)
{
	for (unsigned int i = 0; i < dir->lower_count; i++) {
		struct mica_place at;
		int ret = mica_node_lower(ovl, dir, i, &at);

		if (!ret)
			ret = mica_place_list(&at, add_lower, l);
		if (ret)
			return ret;
	}
	return 0;
}

void mica_listing_put(struct mica_listing *l)
{
	if (!l || atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	names_clear(&l->lower);
	names_clear(&l->upper);
	free(l);
}

static struct mica_listing *recall(struct mica_ovl *ovl, struct mica_node *dir)
{
	struct mica_listing *l;

	pthread_mutex_lock(&ovl->listings);
	l = dir->listing;
	if (l)
		atomic_fetch_add(&l->refs, 1);
	pthread_mutex_unlock(&ovl->listings);
	return l;
}

/* l may be NULL */
static void remember(struct mica_ovl *ovl, struct mica_node *dir, struct mica_listing *l)
{
	struct mica_listing *before;

	if (l)
		atomic_fetch_add(&l->refs, 1);
	pthread_mutex_lock(&ovl->listings);
	before = dir->listing;
	dir->listing = l;
	pthread_mutex_unlock(&ovl->listings);
	mica_listing_put(before);
}

int mica_listing_get(struct mica_ovl *ovl, struct mica_node *dir, bool rewind,
		     struct mica_listing **out)
{
	struct mica_listing *l = rewind ? NULL : recall(ovl, dir);
	int ret;

	*out = l;
	if (l)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	atomic_init(&l->refs, 1);
	ret = lower_read(ovl, dir, l);
	if (!ret && dir->upper)
		ret = upper_read(ovl, dir, l);
	if (ret) {
		mica_listing_put(l);
		return ret;
	}
	remember(ovl, dir, l);
	*out = l;
	return 0;
}

const char *mica_listing_at(const struct mica_listing *l, uint64_t position, uint64_t *next)
{
	size_t low = 0, high = l->upper.count;

	if (position < l->lower.count) {
		*next = position + 1;
		return l->lower.v[position].text;
	}
	position = position & UPPER_BIT ? position & UPPER_MASK : 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->upper.v[middle].hash < position)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == l->upper.count)
		return NULL;
	*next = UPPER_BIT | (l->upper.v[low].hash + 1);
	return l->upper.v[low].text;
}

void mica_listing_done(struct mica_ovl *ovl, struct mica_node *dir)
{
	remember(ovl, dir, NULL);
}

void mica_listing_drop(struct mica_node *node)
{
	mica_listing_put(node->listing);
	node->listing = NULL;
}
