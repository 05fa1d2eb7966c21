/* SPDX-License-Identifier: MIT */
#include "likeness.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "likeness_priv.h"

#define SAMPLE_BITS 6u	/* at first a sample in 64 bytes */
#define WINDOW	    32u /* bytes that a sample depends on */

/* What a sample costs while files are put in order: see order_init(). */
#define SAMPLE_COST 24u
#define SAMPLES_MIN (1u << 12)

int mica_likeness_new(uint64_t memory, struct mica_likeness **out, struct mica_err *err)
{
	struct mica_likeness *l = calloc(1, sizeof(*l));

	if (!l)
		return mica_err_nomem(err);
	l->max = (uint32_t)mica_max(SAMPLES_MIN, mica_min(memory / SAMPLE_COST, UINT32_MAX / 2));
	l->bits = SAMPLE_BITS;
	*out = l;
	return 0;
}

void mica_likeness_free(struct mica_likeness *l)
{
	if (!l)
		return;
	free(l->samples);
	free(l->ends);
	free(l);
}

static bool is_sample(uint32_t h, unsigned int bits)
{
	return !(h * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

/* Half of the samples go, the same half in each file. */
static void samples_thin(struct mica_likeness *l)
{
	uint32_t n = 0, i = 0;

	l->bits++;
	for (uint32_t f = 0; f <= l->files; f++) {
		uint32_t end = f < l->files ? l->ends[f] : l->count;

		for (; i < end; i++)
			if (is_sample(l->samples[i], l->bits))
				l->samples[n++] = l->samples[i];
		if (f < l->files)
			l->ends[f] = n;
	}
	l->count = n;
}

/* Room for one more. */
static int samples_room(struct mica_likeness *l, struct mica_err *err)
{
	uint32_t cap = (uint32_t)mica_min(mica_max(SAMPLES_MIN, 2ull * l->cap), l->max);
	uint32_t *samples;

	while (l->count == l->max && l->bits < 32)
		samples_thin(l);
	if (l->count < l->cap)
		return 0;
	samples = reallocarray(l->samples, cap, sizeof(*samples));
	if (!samples)
		return mica_err_nomem(err);
	l->samples = samples;
	l->cap = cap;
	return 0;
}

int mica_likeness_add(struct mica_likeness *l, const struct mica_gear *gear, const void *buf,
		      size_t len, struct mica_err *err)
{
	const unsigned char *p = buf;
	uint32_t h = l->h;

	for (size_t i = 0; i < len; i++) {
		int ret;

		h = (h << 1) + (uint32_t)gear->table[p[i]];
		if (!is_sample(h, l->bits) || l->fed + i < WINDOW || h == l->last)
			continue;
		l->last = h;
		ret = samples_room(l, err);
		if (ret)
			return ret;
		if (l->count < l->cap && is_sample(h, l->bits))
			l->samples[l->count++] = h;
	}
	l->h = h;
	l->fed += len;
	return 0;
}

static int sample_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int mica_likeness_end(struct mica_likeness *l, bool keep, struct mica_err *err)
{
	uint32_t first = l->files ? l->ends[l->files - 1] : 0, n = first;

	if (l->files == l->file_cap) {
		uint32_t cap = l->file_cap ? l->file_cap * 2 : 1024;
		uint32_t *ends = reallocarray(l->ends, cap, sizeof(*ends));

		if (!ends)
			return mica_err_nomem(err);
		l->ends = ends;
		l->file_cap = cap;
	}
	if (!keep)
		l->count = first;
	if (l->count > first)
		qsort(l->samples + first, l->count - first, sizeof(*l->samples), sample_compare);
	/* what comes again in a file is found by the compressor anyway */
	for (uint32_t i = first; i < l->count; i++)
		if (i == first || l->samples[i] != l->samples[n - 1])
			l->samples[n++] = l->samples[i];
	l->count = n;
	l->ends[l->files++] = n;
	l->h = l->last = 0;
	l->fed = 0;
	return 0;
}

void mica_likeness_clear(struct mica_likeness *l)
{
	l->count = l->files = 0;
	l->bits = SAMPLE_BITS;
	l->h = l->last = 0;
	l->fed = 0;
}
