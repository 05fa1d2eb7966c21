/* SPDX-License-Identifier: MIT */
#include "warm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/trace.h"
#include "../lib/util.h"

#define ITEMS_MAX   (1u << 24)
#define THREADS_MAX 16u

/* Bytes of a file. */
struct warm_item {
	char *path; /* owned by the first item in a row that has it */
	bool first;
	uint64_t off, len; /* len 0: all */
};

struct mica_warm {
	struct mica_image **images; /* owned array */
	unsigned int image_count;
	uint64_t decode_max; /* bytes in an image's cache */
	unsigned int thread_max;
	struct warm_item *items;
	size_t count, cap;
	pthread_t threads[THREADS_MAX];
	unsigned int thread_count;
	atomic_size_t next; /* to be decoded */
	atomic_bool stop;
};

static int item_add(void *ctx, const struct mica_trace_line *line, struct mica_err *err)
{
	struct mica_warm *w = ctx;
	struct warm_item *last = w->count ? &w->items[w->count - 1] : NULL, *items;
	bool first = !last || strcmp(last->path, line->path) != 0;
	char *path;

	if (w->count == ITEMS_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "more than %u lines", ITEMS_MAX);
	path = first ? strdup(line->path) : last->path;
	if (w->count == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 256;

		items = reallocarray(w->items, cap, sizeof(*items));
		if (items) {
			w->items = items;
			w->cap = cap;
		}
	}
	if (!path || w->count == w->cap) {
		if (first)
			free(path);
		return mica_err_nomem(err);
	}
	w->items[w->count++] = (struct warm_item){path, first, line->off, line->len};
	return 0;
}

int mica_warm_new(const struct mica_warm_opts *opts, struct mica_warm **out, struct mica_err *err)
{
	struct mica_warm *w = calloc(1, sizeof(*w));
	size_t images_size = opts->image_count * sizeof(struct mica_image *);
	int ret = 0;

	if (!w)
		return mica_err_nomem(err);
	w->images = malloc(images_size + 1);
	if (!w->images) {
		mica_warm_free(w);
		return mica_err_nomem(err);
	}
	if (images_size)
		memcpy(w->images, opts->images, images_size);
	w->image_count = opts->image_count;
	/* what comes next must not push out what comes first */
	w->decode_max = opts->cache_bytes / 4 * 3;
	w->thread_max = (unsigned int)mica_min(mica_max(opts->threads, 1), THREADS_MAX);
	ret = mica_trace_load(opts->file, item_add, w, err);
	if (ret) {
		mica_warm_free(w);
		return ret;
	}
	*out = w;
	return 0;
}

/* The topmost that has the path; what is hidden by whiteouts is warmed in vain. */
static struct mica_image *item_find(const struct mica_warm *w, const struct warm_item *item,
				    struct mica_inode *inode)
{
	for (unsigned int i = 0; i < w->image_count; i++)
		if (!mica_image_walk(w->images[i], item->path, inode, NULL))
			return S_ISREG(inode->mode) ? w->images[i] : NULL;
	return NULL;
}

/* Failures are met again, and named, by whoever reads. */
static void item_warm(struct mica_warm *w, const struct warm_item *item, bool decode)
{
	struct mica_inode inode;
	struct mica_image *img = item_find(w, item, &inode);
	uint64_t len = item->len ? item->len : UINT64_MAX;

	if (!img)
		return;
	if (!decode || mica_image_cache_used(img) >= w->decode_max)
		mica_image_hint(img, &inode, item->off, len, NULL);
	else
		mica_image_ahead(img, &inode, item->off, len, NULL);
}

static void *warm_loop(void *arg)
{
	struct mica_warm *w = arg;
	size_t i;

	while (!w->stop && (i = atomic_fetch_add(&w->next, 1)) < w->count)
		item_warm(w, &w->items[i], true);
	return NULL;
}

void mica_warm_start(struct mica_warm *w)
{
	while (w && w->count && w->thread_count < w->thread_max &&
	       !pthread_create(&w->threads[w->thread_count], NULL, warm_loop, w))
		w->thread_count++;
}

void mica_warm_wait(struct mica_warm *w)
{
	for (; w->thread_count; w->thread_count--)
		pthread_join(w->threads[w->thread_count - 1], NULL);
}

void mica_warm_free(struct mica_warm *w)
{
	if (!w)
		return;
	w->stop = true;
	mica_warm_wait(w);
	for (size_t i = 0; i < w->count; i++)
		if (w->items[i].first)
			free(w->items[i].path);
	free(w->items);
	free(w->images);
	free(w);
}
