/* SPDX-License-Identifier: MIT */
/*
 * What a rolling hash ("gear": shift and add a table's value for each byte) says
 * about contents: where to cut them, so that a shifted copy is cut at the same
 * places, and which files are like each other. Decides what an image looks like,
 * so the table is fixed for all times.
 */
#ifndef MICA_MKIMAGE_GEAR_H
#define MICA_MKIMAGE_GEAR_H

#include <stddef.h>
#include <stdint.h>

struct mica_gear {
	uint32_t chunk_min, chunk_max; /* bytes; twice the least is the average */
	unsigned int cut_shift;
	uint64_t table[256];
};

/* extent: bytes that chunks are put together to, 64 KiB or more */
void mica_gear_init(struct mica_gear *g, uint32_t extent);

/* Length of the first chunk: chunk_min..chunk_max, or all there is. */
size_t mica_gear_cut(const struct mica_gear *g, const unsigned char *p, size_t len);

#define MICA_SKETCH	8u
#define MICA_SKETCH_MAX (16u << 10) /* bytes that are looked at */

/*
 * The smallest of a content's sampled hashes, in classes; 0: none. Two contents
 * share about as many of them as they have text in common (one-permutation
 * minwise hashing).
 */
struct mica_sketch {
	uint32_t v[MICA_SKETCH];
};

void mica_gear_sketch(const struct mica_gear *g, const unsigned char *p, size_t len,
		      struct mica_sketch *out);

#endif
