/* SPDX-License-Identifier: MIT */
#include "hoard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../lib/util.h"
#include "data.h"

/* Files that wait at most: what is known of them takes 6 MiB. */
#define FILES_MAX 65536u

/* Slots for their values, half of them free: a power of two. */
#define FEATURES ((size_t)2 * MICA_SKETCH * FILES_MAX)

#define HUGE_PAGE ((size_t)2 << 20)

/* So many of their eight values are the same in files that are like each other. */
#define SHARED_MIN 2u

/* In huge pages where there are some: a fault for each small one costs more than the copying. */
static unsigned char *data_alloc(size_t len)
{
	void *data = NULL;

	len = mica_round_up(len, HUGE_PAGE);
	if (posix_memalign(&data, HUGE_PAGE, len))
		return NULL;
	madvise(data, len, MADV_HUGEPAGE);
	return data;
}

static int files_init(struct mica_hoard *h, uint32_t files, struct mica_err *err)
{
	h->file_cap = files;
	h->files = malloc(files * sizeof(*h->files));
	return h->files ? 0 : mica_err_nomem(err);
}

int mica_hoard_init(struct mica_hoard *h, uint32_t cap, struct mica_err *err)
{
	*h = (struct mica_hoard){.cap = cap, .feature_mask = FEATURES - 1};
	h->data = data_alloc(cap);
	h->features = malloc(FEATURES * sizeof(*h->features));
	if (h->data && h->features && !files_init(h, FILES_MAX, err))
		return 0;
	mica_hoard_free(h);
	return mica_err_nomem(err);
}

int mica_hoard_init_disk(struct mica_hoard *h, uint32_t files, struct mica_err *err)
{
	*h = (struct mica_hoard){.cap = UINT64_MAX};
	return files_init(h, files, err);
}

void mica_hoard_free(struct mica_hoard *h)
{
	free(h->data);
	free(h->files);
	free(h->features);
	*h = (struct mica_hoard){0};
}

bool mica_hoard_fits(const struct mica_hoard *h, uint64_t len)
{
	return h->count < h->file_cap && len <= h->cap - h->used;
}

static int file_compare(const void *a, const void *b)
{
	const struct mica_hoard_file *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	/* the order in which they came */
	return x->off < y->off ? -1 : x->off > y->off;
}

void mica_hoard_sort(struct mica_hoard *h)
{
	qsort(h->files, h->count, sizeof(*h->files), file_compare);
}

void mica_hoard_clear(struct mica_hoard *h)
{
	h->used = 0;
	h->count = 0;
}

/* The slot of value k of class j: the file that has it, or free. */
static uint32_t *feature_slot(const struct mica_hoard *h, const struct mica_sketch *s,
			      unsigned int j)
{
	uint32_t i = s->v[j] * 0x9e3779b1u + j;
	uint32_t *slot;

	while (*(slot = &h->features[i & h->feature_mask]) &&
	       h->files[*slot - 1].sketch.v[j] != s->v[j])
		i++;
	return slot;
}

/* The group that most of the file's values are in, if they are enough. */
static uint32_t group_find(const struct mica_hoard *h, const struct mica_sketch *s)
{
	uint32_t groups[MICA_SKETCH], best = MICA_HOARD_END;
	unsigned int counts[MICA_SKETCH], n = 0, most = SHARED_MIN - 1;

	for (unsigned int j = 0; j < MICA_SKETCH; j++) {
		uint32_t slot = s->v[j] ? *feature_slot(h, s, j) : 0;
		uint32_t group;
		unsigned int k;

		if (!slot)
			continue;
		group = h->files[slot - 1].group;
		for (k = 0; k < n && groups[k] != group; k++)
			;
		if (k == n) {
			groups[n] = group;
			counts[n++] = 0;
		}
		if (++counts[k] > most) {
			most = counts[k];
			best = group;
		}
	}
	return best;
}

uint32_t mica_hoard_order(struct mica_hoard *h)
{
	uint32_t first = MICA_HOARD_END, *end = &first;

	memset(h->features, 0, ((size_t)h->feature_mask + 1) * sizeof(*h->features));
	for (uint32_t i = 0; i < h->count; i++) {
		struct mica_hoard_file *f = &h->files[i];

		if (f->twin)
			continue;
		f->next = MICA_HOARD_END;
		f->last = i;
		f->group = group_find(h, &f->sketch);
		if (f->group == MICA_HOARD_END) {
			f->group = i;
		} else {
			struct mica_hoard_file *head = &h->files[f->group];

			h->files[head->last].next = i;
			head->last = i;
		}
		for (unsigned int j = 0; j < MICA_SKETCH; j++)
			if (f->sketch.v[j])
				*feature_slot(h, &f->sketch, j) = i + 1;
	}
	/* one group behind the other; within a group the links are there */
	for (uint32_t i = 0; i < h->count; i++) {
		struct mica_hoard_file *f = &h->files[i];

		if (f->twin || f->group != i)
			continue;
		*end = i;
		end = &h->files[f->last].next;
	}
	return first;
}

uint32_t mica_hoard_chain(struct mica_hoard *h)
{
	uint32_t first = MICA_HOARD_END, *end = &first;

	for (uint32_t i = 0; i < h->count; i++) {
		if (h->files[i].twin)
			continue;
		*end = i;
		end = &h->files[i].next;
		*end = MICA_HOARD_END;
	}
	return first;
}
