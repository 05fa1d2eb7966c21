/* SPDX-License-Identifier: MIT */
#include "gear.h"

#include <string.h>

#include "../lib/util.h"

/* About a 32th of an extent: it ends at a chunk's end, and should end near its full length. */
#define CHUNKS	      64u
#define CHUNK_MIN_MIN (2u << 10)
#define CHUNK_MIN_MAX (8u << 10)
#define CHUNK_SPREAD  8u  /* the longest chunk by the shortest one */
#define SAMPLE_BITS   5	  /* a sample in 32 bytes */
#define WINDOW	      32u /* bytes that a sample's upper bits depend on, about */
#define SAMPLES_MIN   4u  /* below it nothing can be said */

/* Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators" (SplitMix64). */
static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
	v = (v ^ v >> 27) * 0x94d049bb133111ebu;
	return v ^ v >> 31;
}

void mica_gear_init(struct mica_gear *g, uint32_t extent)
{
	uint64_t state = 0;

	g->chunk_min = mica_max(mica_min(extent / CHUNKS, CHUNK_MIN_MAX), CHUNK_MIN_MIN);
	g->chunk_max = g->chunk_min * CHUNK_SPREAD;
	/* behind the shortest length a cut comes once in as many bytes again */
	g->cut_shift = 64 - (31 - (unsigned int)__builtin_clz(g->chunk_min));
	for (unsigned int i = 0; i < 256; i++)
		g->table[i] = mix(state += 0x9e3779b97f4a7c15u);
}

size_t mica_gear_cut(const struct mica_gear *g, const unsigned char *p, size_t len)
{
	size_t end = mica_min(len, g->chunk_max);
	uint64_t h = 0;
	size_t i;

	if (len <= g->chunk_min)
		return len;
	/* the bits that count need the last 64 bytes only */
	for (i = g->chunk_min - 64; i < g->chunk_min; i++)
		h = (h << 1) + g->table[p[i]];
	for (; i < end; i++) {
		if (!(h >> g->cut_shift))
			return i;
		h = (h << 1) + g->table[p[i]];
	}
	return end;
}

void mica_gear_sketch(const struct mica_gear *g, const unsigned char *p, size_t len,
		      struct mica_sketch *out)
{
	unsigned int samples = 0;
	uint64_t h = 0;

	memset(out, 0, sizeof(*out));
	len = mica_min(len, MICA_SKETCH_MAX);
	for (size_t i = 0; i < len; i++) {
		uint64_t v;
		uint32_t *least;

		h = (h << 1) + g->table[p[i]];
		if (h >> (64 - SAMPLE_BITS) || i < WINDOW)
			continue;
		v = mix(h);
		least = &out->v[v % MICA_SKETCH];
		v = v >> 32 | 1;
		if (!*least || v < *least)
			*least = (uint32_t)v;
		samples++;
	}
	if (samples < SAMPLES_MIN)
		memset(out, 0, sizeof(*out));
}
