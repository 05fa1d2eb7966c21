/* SPDX-License-Identifier: MIT */
/* Putting sampled files in order: samples, files that have them, and a window that slides. */
#include <stdlib.h>

#include "../lib/util.h"
#include "likeness.h"
#include "likeness_priv.h"

/* What more files have says little, and costs as much as it has files each time. */
#define FILES_MAX 200u

/* Files that are looked at for one place. */
#define CANDIDATES 4096u

/* Less in common than a part of so many counts as nothing. */
#define COMMON_PART 20u

/* Fewer samples say half as much. */
#define SAMPLES_SURE 4u

struct order_file {
	uint32_t first, end; /* of its groups */
	uint32_t samples;
	uint32_t common; /* groups that are in the window */
	bool placed, waits;
};

/* A group is a sample that several files have. */
struct order {
	struct mica_hoard *h;
	uint64_t window;
	uint64_t *pairs; /* sample << 32 | file; then files of the groups, one behind the other */
	uint32_t pair_count;
	uint32_t *group_of;	/* by file: its groups */
	uint32_t *group_ends;	/* in pairs */
	uint32_t *group_inside; /* files in the window that have it */
	struct order_file *files;
	uint32_t *placed;	      /* in order */
	uint32_t placed_count, left;  /* left: first one that is in the window */
	uint64_t inside;	      /* bytes in the window */
	uint32_t waiting[CANDIDATES]; /* files that have something in common with the window */
	uint32_t waiting_count;
};

static void order_free(struct order *o)
{
	if (!o)
		return;
	free(o->pairs);
	free(o->group_of);
	free(o->group_ends);
	free(o->group_inside);
	free(o->files);
	free(o->placed);
	free(o);
}

static void cleanup_order_free(struct order **o)
{
	order_free(*o);
}

static int pair_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorted pairs of sample and file become groups of files; returns their number. */
static uint32_t groups_make(struct order *o)
{
	uint32_t n = 0, groups = 0, end;

	for (uint32_t i = 0; i < o->pair_count; i = end) {
		for (end = i + 1; end < o->pair_count && o->pairs[end] >> 32 == o->pairs[i] >> 32;)
			end++;
		if (end - i < 2 || end - i > FILES_MAX)
			continue;
		for (uint32_t k = i; k < end; k++)
			o->pairs[n++] = (uint32_t)o->pairs[k];
		o->group_ends[groups++] = n;
	}
	o->pair_count = n;
	return groups;
}

static void files_groups(struct order *o, uint32_t groups)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < o->pair_count; i++)
		o->files[o->pairs[i]].end++;
	for (uint32_t i = 0; i < o->h->count; i++) {
		struct order_file *f = &o->files[i];

		f->first = n;
		n += f->end;
		f->end = f->first;
	}
	for (uint32_t g = 0, i = 0; g < groups; g++)
		for (; i < o->group_ends[g]; i++) {
			struct order_file *f = &o->files[o->pairs[i]];

			o->group_of[f->end++] = g;
		}
}

/* 8 bytes a sample for pairs, 4 in l, at most 4 for each of the three arrays below. */
static int order_init(struct order *o, const struct mica_likeness *l, struct mica_err *err)
{
	struct mica_hoard *h = o->h;

	o->pairs = calloc(l->count + 1ul, sizeof(*o->pairs));
	o->group_of = calloc(l->count + 1ul, sizeof(*o->group_of));
	o->group_ends = calloc(l->count / 2 + 1ul, sizeof(*o->group_ends));
	o->group_inside = calloc(l->count / 2 + 1ul, sizeof(*o->group_inside));
	o->files = calloc(h->count + 1ul, sizeof(*o->files));
	o->placed = calloc(h->count + 1ul, sizeof(*o->placed));
	if (!o->pairs || !o->group_of || !o->group_ends || !o->group_inside || !o->files ||
	    !o->placed)
		return mica_err_nomem(err);
	for (uint32_t i = 0; i < h->count; i++) {
		const struct mica_hoard_file *f = &h->files[i];
		uint32_t first = f->number ? l->ends[f->number - 1] : 0;

		if (f->twin)
			continue;
		o->files[i].samples = l->ends[f->number] - first;
		for (uint32_t k = first; k < l->ends[f->number]; k++)
			o->pairs[o->pair_count++] = (uint64_t)l->samples[k] << 32 | i;
	}
	qsort(o->pairs, o->pair_count, sizeof(*o->pairs), pair_compare);
	files_groups(o, groups_make(o));
	return 0;
}

static uint32_t group_first(const struct order *o, uint32_t group)
{
	return group ? o->group_ends[group - 1] : 0;
}

static void group_enters(struct order *o, uint32_t group)
{
	if (o->group_inside[group]++)
		return;
	for (uint32_t i = group_first(o, group); i < o->group_ends[group]; i++) {
		uint32_t n = (uint32_t)o->pairs[i];
		struct order_file *f = &o->files[n];

		f->common++;
		if (f->placed || f->waits || o->waiting_count == CANDIDATES)
			continue;
		f->waits = true;
		o->waiting[o->waiting_count++] = n;
	}
}

static void group_leaves(struct order *o, uint32_t group)
{
	if (--o->group_inside[group])
		return;
	for (uint32_t i = group_first(o, group); i < o->group_ends[group]; i++)
		o->files[o->pairs[i]].common--;
}

static void file_place(struct order *o, uint32_t n)
{
	struct order_file *f = &o->files[n];

	f->placed = true;
	o->placed[o->placed_count++] = n;
	o->inside += o->h->files[n].len;
	for (uint32_t i = f->first; i < f->end; i++)
		group_enters(o, o->group_of[i]);
	while (o->inside > o->window && o->left + 1 < o->placed_count) {
		const struct order_file *first = &o->files[o->placed[o->left]];

		o->inside -= o->h->files[o->placed[o->left++]].len;
		for (uint32_t i = first->first; i < first->end; i++)
			group_leaves(o, o->group_of[i]);
	}
}

static bool files_mix(const struct mica_hoard_file *a, const struct mica_hoard_file *b)
{
	return a->setting == b->setting && a->kind == b->kind;
}

/* More of a than of b is in the window; of the same part, the earlier one is taken. */
static bool file_beats(const struct order *o, uint32_t a, uint32_t b)
{
	const struct order_file *x = &o->files[a], *y = &o->files[b];
	uint64_t of_x = (uint64_t)x->common * (x->samples < SAMPLES_SURE ? 1 : 2) * y->samples;
	uint64_t of_y = (uint64_t)y->common * (y->samples < SAMPLES_SURE ? 1 : 2) * x->samples;

	return of_x == of_y ? a < b : of_x > of_y;
}

/* The file that most of is in the window; MICA_HOARD_END: none has enough there. */
static uint32_t file_find(struct order *o)
{
	const struct mica_hoard_file *last = &o->h->files[o->placed[o->placed_count - 1]];
	uint32_t best = MICA_HOARD_END, n = 0;

	for (uint32_t i = 0; i < o->waiting_count; i++) {
		uint32_t k = o->waiting[i];
		struct order_file *f = &o->files[k];

		f->waits = !f->placed && f->common;
		if (!f->waits)
			continue;
		o->waiting[n++] = k;
		if ((uint64_t)f->common * COMMON_PART < f->samples ||
		    !files_mix(last, &o->h->files[k]))
			continue;
		if (best == MICA_HOARD_END || file_beats(o, k, best))
			best = k;
	}
	o->waiting_count = n;
	return best;
}

int mica_likeness_order(const struct mica_likeness *l, struct mica_hoard *h, uint64_t window,
			uint32_t *first, struct mica_err *err)
{
	cleanup(cleanup_order_free) struct order *o = calloc(1, sizeof(*o));
	uint32_t *end = first;
	int ret;

	*first = MICA_HOARD_END;
	if (!o)
		return mica_err_nomem(err);
	o->h = h;
	o->window = window;
	ret = order_init(o, l, err);
	if (ret)
		return ret;
	for (uint32_t next = 0;;) {
		uint32_t n = o->placed_count ? file_find(o) : MICA_HOARD_END;

		while (n == MICA_HOARD_END && next < h->count &&
		       (h->files[next].twin || o->files[next].placed))
			next++;
		n = n == MICA_HOARD_END ? next : n;
		if (n == h->count)
			return 0;
		file_place(o, n);
		h->files[n].next = MICA_HOARD_END;
		*end = n;
		end = &h->files[n].next;
	}
}
