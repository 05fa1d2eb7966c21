/* SPDX-License-Identifier: MIT */
/*
 * The cache of decoded clusters. A cluster that is being decoded is in the
 * table already, so that whoever else wants it waits instead of decoding it
 * again; decoding itself runs without the lock. The memory of a cluster that
 * makes room goes to the one that needs it: clusters of a size, given back to
 * malloc and asked for again by other threads, would leave holes as large as the
 * cache.
 */
#include "image_priv.h"

#include <pthread.h>
#include <string.h>

#include "util.h"

#define CLUSTER_BUCKETS 4096u
#define CLUSTER_TOUCHED 256u
#define CLUSTER_GRAIN	(32u << 10) /* sizes are rounded up to it from 8 times as much on */

/* All that decides on the decoded bytes; no padding, so that it compares as memory. */
struct cluster_key {
	uint64_t pa;
	uint64_t plen;
	uint64_t llen;
	int32_t alg;
	uint16_t flags;
	uint16_t device;
};

struct mica_cluster {
	struct cluster_key key;
	struct mica_cluster *bucket_next;
	struct mica_cluster *newer, *older; /* in the list of unused ones */
	size_t size;			    /* of the allocation */
	unsigned int refs;
	bool ready;  /* else it is being decoded */
	bool failed; /* and is out of the table */
	uint8_t data[];
};

struct mica_clusters {
	pthread_mutex_t lock;
	pthread_cond_t decoded;
	uint64_t cap, used; /* bytes of all clusters in the table, with their heads */
	struct mica_cluster *newest, *oldest;
	struct mica_decoders *decoders;
	struct mica_cluster *buckets[CLUSTER_BUCKETS];
	uint64_t touched[CLUSTER_TOUCHED]; /* hashes of clusters asked for of late */
};

int mica_clusters_new(uint64_t cap, struct mica_clusters **out, struct mica_err *err)
{
	struct mica_clusters *all = calloc(1, sizeof(*all));
	int ret;

	if (!all)
		return mica_err_nomem(err);
	ret = mica_decoders_new(&all->decoders, err);
	if (ret) {
		free(all);
		return ret;
	}
	all->cap = cap;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->decoded, NULL);
	*out = all;
	return 0;
}

void mica_clusters_free(struct mica_clusters *all)
{
	if (!all)
		return;
	for (struct mica_cluster *c = all->newest, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	mica_decoders_free(all->decoders);
	pthread_cond_destroy(&all->decoded);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

uint64_t mica_image_cache_used(struct mica_image *img)
{
	uint64_t used;

	pthread_mutex_lock(&img->clusters->lock);
	used = img->clusters->used;
	pthread_mutex_unlock(&img->clusters->lock);
	return used;
}

static struct cluster_key cluster_key(const struct mica_extent *e)
{
	return (struct cluster_key){
		.pa = e->pa,
		.plen = e->plen,
		.llen = e->llen,
		.alg = e->alg,
		.flags = (uint16_t)(e->in_metabox | e->partial << 1),
		.device = e->device,
	};
}

/* With its head: an image may well have millions of clusters of one byte. */
static size_t cluster_size(const struct cluster_key *key)
{
	size_t size = sizeof(struct mica_cluster) + (size_t)key->llen;

	return size < CLUSTER_GRAIN * 8 ? size : mica_round_up(size, CLUSTER_GRAIN);
}

static uint64_t cluster_hash(const struct cluster_key *key)
{
	return (key->pa ^ key->llen << 40 ^ (uint64_t)key->device << 24) * 0x9e3779b97f4a7c15ULL;
}

static struct mica_cluster **cluster_bucket(struct mica_clusters *all,
					    const struct cluster_key *key)
{
	return &all->buckets[cluster_hash(key) >> 52 & (CLUSTER_BUCKETS - 1)];
}

static void unused_add(struct mica_clusters *all, struct mica_cluster *c)
{
	c->newer = NULL;
	c->older = all->newest;
	if (all->newest)
		all->newest->newer = c;
	else
		all->oldest = c;
	all->newest = c;
}

static void unused_remove(struct mica_clusters *all, struct mica_cluster *c)
{
	*(c->newer ? &c->newer->older : &all->newest) = c->older;
	*(c->older ? &c->older->newer : &all->oldest) = c->newer;
}

static void table_remove(struct mica_clusters *all, struct mica_cluster *c)
{
	struct mica_cluster **p = cluster_bucket(all, &c->key);

	while (*p != c)
		p = &(*p)->bucket_next;
	*p = c->bucket_next;
	all->used -= c->size;
}

/*
 * Make room for need bytes more, under the lock; what is in use stays, so the cap can
 * be passed for a while. Returns an evicted cluster whose memory fits them, or NULL.
 */
static struct mica_cluster *clusters_shrink(struct mica_clusters *all, size_t need)
{
	struct mica_cluster *fits = NULL;

	while (all->used + need > all->cap && all->oldest) {
		struct mica_cluster *c = all->oldest;

		unused_remove(all, c);
		table_remove(all, c);
		if (!fits && need && c->size >= need && c->size - need <= need / 4)
			fits = c;
		else
			free(c);
	}
	return fits;
}

/* With a reference, under the lock; waits while it is being decoded. */
static struct mica_cluster *cluster_lookup(struct mica_clusters *all, const struct cluster_key *key)
{
	struct mica_cluster *c = *cluster_bucket(all, key);

	while (c && memcmp(&c->key, key, sizeof(*key)))
		c = c->bucket_next;
	if (!c)
		return NULL;
	if (!c->refs++ && c->ready)
		unused_remove(all, c);
	while (!c->ready && !c->failed)
		pthread_cond_wait(&all->decoded, &all->lock);
	if (!c->failed)
		return c;
	if (!--c->refs)
		free(c);
	return NULL;
}

static int cluster_insert(struct mica_clusters *all, const struct cluster_key *key,
			  struct mica_cluster **out, struct mica_err *err)
{
	size_t size = cluster_size(key);
	struct mica_cluster *c = clusters_shrink(all, size);
	struct mica_cluster **bucket = cluster_bucket(all, key);

	if (c)
		size = c->size;
	else
		c = malloc(size);
	if (!c)
		return mica_err_nomem(err);
	*c = (struct mica_cluster){.key = *key, .bucket_next = *bucket, .size = size, .refs = 1};
	*bucket = c;
	all->used += size;
	*out = c;
	return 0;
}

struct mica_cluster *mica_cluster_find(struct mica_image *img, const struct mica_extent *e)
{
	struct cluster_key key = cluster_key(e);
	struct mica_cluster *c;

	pthread_mutex_lock(&img->clusters->lock);
	c = cluster_lookup(img->clusters, &key);
	pthread_mutex_unlock(&img->clusters->lock);
	return c;
}

bool mica_cluster_touch(struct mica_image *img, const struct mica_extent *e)
{
	struct mica_clusters *all = img->clusters;
	struct cluster_key key = cluster_key(e);
	uint64_t hash = cluster_hash(&key);
	uint64_t *slot = &all->touched[hash >> 40 & (CLUSTER_TOUCHED - 1)];
	struct mica_cluster *c;
	bool seen;

	pthread_mutex_lock(&all->lock);
	c = *cluster_bucket(all, &key);
	while (c && memcmp(&c->key, &key, sizeof(key)))
		c = c->bucket_next;
	seen = c || *slot == hash;
	*slot = hash;
	pthread_mutex_unlock(&all->lock);
	return seen;
}

int mica_cluster_get(struct mica_image *img, const struct mica_extent *e, struct mica_cluster **out,
		     struct mica_err *err)
{
	struct mica_clusters *all = img->clusters;
	struct cluster_key key = cluster_key(e);
	struct mica_cluster *c;
	int ret = 0;

	pthread_mutex_lock(&all->lock);
	c = cluster_lookup(all, &key);
	if (!c) {
		ret = cluster_insert(all, &key, &c, err);
		pthread_mutex_unlock(&all->lock);
		if (ret)
			return ret;
		ret = mica_cluster_decode(img, e, c->data, err);
		pthread_mutex_lock(&all->lock);
		c->ready = !ret;
		c->failed = ret;
		if (ret) {
			table_remove(all, c);
			if (!--c->refs)
				free(c);
		}
		pthread_cond_broadcast(&all->decoded);
	}
	pthread_mutex_unlock(&all->lock);
	if (ret)
		return ret;
	*out = c;
	return 0;
}

const uint8_t *mica_cluster_data(const struct mica_cluster *c)
{
	return c->data;
}

void mica_cluster_put(struct mica_image *img, struct mica_cluster *c)
{
	struct mica_clusters *all = img->clusters;

	pthread_mutex_lock(&all->lock);
	if (!--c->refs) {
		unused_add(all, c);
		clusters_shrink(all, 0);
	}
	pthread_mutex_unlock(&all->lock);
}

int mica_cluster_decode(struct mica_image *img, const struct mica_extent *e, void *dst,
			struct mica_err *err)
{
	return mica_decoders_decode(img->clusters->decoders, img, e, dst, err);
}
