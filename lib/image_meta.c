/* SPDX-License-Identifier: MIT */
/*
 * Metadata is read in pieces of 4 to 64 bytes that lie near each other. They
 * come from chunks, which a small set-associative cache keeps: a tree walk
 * then costs one read for each chunk of inodes and directories.
 */
#include "image_priv.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "util.h"

#define META_CHUNK 16384u
#define META_SETS  64u
#define META_WAYS  4u /* 4 MiB in all */

struct meta_way {
	uint8_t *data; /* NULL: empty */
	size_t len;
	uint64_t chunk;
	uint64_t used;
	bool in_metabox;
};

struct meta_set {
	pthread_mutex_t lock;
	uint64_t clock;
	struct meta_way ways[META_WAYS];
};

struct mica_meta {
	struct meta_set sets[META_SETS];
};

int mica_meta_new(struct mica_meta **out, struct mica_err *err)
{
	struct mica_meta *meta = calloc(1, sizeof(*meta));

	if (!meta)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < META_SETS; i++)
		pthread_mutex_init(&meta->sets[i].lock, NULL);
	*out = meta;
	return 0;
}

void mica_meta_free(struct mica_meta *meta)
{
	if (!meta)
		return;
	for (unsigned int i = 0; i < META_SETS; i++) {
		for (unsigned int w = 0; w < META_WAYS; w++)
			free(meta->sets[i].ways[w].data);
		pthread_mutex_destroy(&meta->sets[i].lock);
	}
	free(meta);
}

uint64_t mica_meta_size(const struct mica_image *img, bool in_metabox)
{
	if (!in_metabox)
		return img->io->size;
	return img->sb.metabox_nid ? img->metabox.size : 0;
}

static bool set_copy(struct meta_set *set, bool in_metabox, uint64_t chunk, size_t skip, void *buf,
		     size_t len)
{
	bool found = false;

	pthread_mutex_lock(&set->lock);
	for (unsigned int w = 0; w < META_WAYS && !found; w++) {
		struct meta_way *way = &set->ways[w];

		if (!way->data || way->chunk != chunk || way->in_metabox != in_metabox)
			continue;
		memcpy(buf, way->data + skip, len);
		way->used = ++set->clock;
		found = true;
	}
	pthread_mutex_unlock(&set->lock);
	return found;
}

/* Takes data. Another thread may have put the same chunk: a second copy does no harm. */
static void set_put(struct meta_set *set, bool in_metabox, uint64_t chunk, uint8_t *data,
		    size_t len)
{
	struct meta_way *way = &set->ways[0];
	uint8_t *old;

	pthread_mutex_lock(&set->lock);
	for (unsigned int w = 1; w < META_WAYS; w++)
		if (set->ways[w].used < way->used)
			way = &set->ways[w];
	old = way->data;
	*way = (struct meta_way){data, len, chunk, ++set->clock, in_metabox};
	pthread_mutex_unlock(&set->lock);
	free(old);
}

static int meta_fill(struct mica_image *img, struct meta_set *set, bool in_metabox, uint64_t chunk,
		     size_t skip, void *buf, size_t len, struct mica_err *err)
{
	uint64_t off = chunk * META_CHUNK;
	size_t size = mica_min(META_CHUNK, mica_meta_size(img, in_metabox) - off);
	cleanup_free uint8_t *data = malloc(size);
	int ret;

	if (!data)
		return mica_err_nomem(err);
	if (in_metabox)
		ret = mica_image_read_all(img, &img->metabox, data, size, off, err);
	else
		ret = mica_io_read(img->io, data, size, off, err);
	if (ret)
		return ret;
	memcpy(buf, data + skip, len);
	set_put(set, in_metabox, chunk, mica_steal_pointer(&data), size);
	return 0;
}

int mica_meta_read(struct mica_image *img, bool in_metabox, uint64_t off, void *buf, size_t len,
		   struct mica_err *err)
{
	uint64_t size = mica_meta_size(img, in_metabox);
	uint8_t *p = buf;

	if (!mica_range_in(off, len, size))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "truncated: %zu bytes at %" PRIu64
				    " reach over the end%s at %" PRIu64,
				    len, off, in_metabox ? " of the metabox" : "", size);
	while (len) {
		uint64_t chunk = off / META_CHUNK;
		size_t skip = (size_t)(off % META_CHUNK);
		size_t n = mica_min(len, META_CHUNK - skip);
		struct meta_set *set = &img->meta->sets[chunk % META_SETS];

		if (!set_copy(set, in_metabox, chunk, skip, p, n)) {
			int ret = meta_fill(img, set, in_metabox, chunk, skip, p, n, err);

			if (ret)
				return ret;
		}
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}
