/* SPDX-License-Identifier: MIT */
/*
 * Many small tables: when one grows, only its entries stand in memory twice,
 * and threads seldom wait for each other.
 */
#include "dedupe.h"

#include <pthread.h>
#include <string.h>

#include "../lib/util.h"

#define SHARDS	    256u
#define SLOTS_FIRST 16u

struct slot {
	uint8_t key[MICA_DIGEST];
	const struct mica_tinode *inode; /* NULL: free */
};

struct shard {
	pthread_mutex_t lock;
	struct slot *slots; /* NULL: none yet */
	uint64_t mask;
	uint64_t used;
};

struct mica_dedupe {
	struct shard shards[SHARDS];
};

int mica_dedupe_new(struct mica_dedupe **out, struct mica_err *err)
{
	struct mica_dedupe *d = calloc(1, sizeof(*d));

	if (!d)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < SHARDS; i++)
		pthread_mutex_init(&d->shards[i].lock, NULL);
	*out = d;
	return 0;
}

/* The shard by the last byte of the key, the place in it by the first ones. */
static struct shard *shard_of(struct mica_dedupe *d, const uint8_t *key)
{
	return &d->shards[key[MICA_DIGEST - 1] % SHARDS];
}

static struct slot *shard_probe(struct slot *slots, uint64_t mask, const uint8_t *key)
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	while (slots[h & mask].inode && memcmp(slots[h & mask].key, key, MICA_DIGEST))
		h++;
	return &slots[h & mask];
}

const struct mica_tinode *mica_dedupe_find(struct mica_dedupe *d, const uint8_t digest[MICA_DIGEST])
{
	struct shard *s = shard_of(d, digest);
	const struct mica_tinode *inode = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->slots)
		inode = shard_probe(s->slots, s->mask, digest)->inode;
	pthread_mutex_unlock(&s->lock);
	return inode;
}

/* Room for one more, and a free slot to end every search. */
static int shard_reserve(struct shard *s, struct mica_err *err)
{
	uint64_t mask = s->slots ? s->mask * 2 + 1 : SLOTS_FIRST - 1;
	struct slot *slots;

	if (s->slots && s->used < (s->mask + 1) / 4 * 3)
		return 0;
	slots = calloc(mask + 1, sizeof(*slots));
	if (!slots)
		return mica_err_nomem(err);
	for (uint64_t i = 0; s->slots && i <= s->mask; i++)
		if (s->slots[i].inode)
			*shard_probe(slots, mask, s->slots[i].key) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->mask = mask;
	return 0;
}

int mica_dedupe_add(struct mica_dedupe *d, const uint8_t digest[MICA_DIGEST],
		    const struct mica_tinode *inode, struct mica_err *err)
{
	struct shard *s = shard_of(d, digest);
	struct slot *slot;
	int ret;

	pthread_mutex_lock(&s->lock);
	ret = shard_reserve(s, err);
	if (!ret) {
		slot = shard_probe(s->slots, s->mask, digest);
		memcpy(slot->key, digest, MICA_DIGEST);
		s->used += !slot->inode;
		slot->inode = inode;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

void mica_dedupe_free(struct mica_dedupe *d)
{
	if (!d)
		return;
	for (unsigned int i = 0; i < SHARDS; i++) {
		pthread_mutex_destroy(&d->shards[i].lock);
		free(d->shards[i].slots);
	}
	free(d);
}
