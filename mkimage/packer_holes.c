/* SPDX-License-Identifier: MIT */
/*
 * What declared holes cost. Where encoded extents do not exist, a file's map grows with
 * its size, however little of it is data: chunks are chosen such that map and data are
 * small together, and what would still be large is refused before anything of it is stored.
 */
#include <inttypes.h>

#include "../lib/util.h"
#include "packer_int.h"

#define CHUNK_MIN MICA_BLOCK
#define CHUNK_MAX (1ULL << (MICA_BLOCK_BITS + EROFS_CHUNK_BLKBITS_MASK))
/*
 * Before encoded extents: files from this size on and with at most a 16th of
 * data are stored as chunks, so that holes cost nothing.
 */
#define SPARSE_SIZE  (64u << 20)
#define SPARSE_RATIO 16
/* What holes of other files cost at most: 8 bytes of index for a block, zeros to decode. */
#define SPARSE_COST 256
/* Holes of all files may take so much beside as much as there is data. */
#define HOLES_MAX (1ULL << 30)

/* Bytes that a file with these data runs takes when it is stored in chunks of this size. */
static uint64_t chunk_cost(const struct mica_run *runs, size_t count, uint64_t size, uint64_t chunk)
{
	uint64_t cost = mica_div_round_up(size, chunk) * sizeof(le32);
	uint64_t next = 0; /* first chunk that is not counted yet */

	for (size_t i = 0; i < count; i++) {
		uint64_t first = mica_max(runs[i].off / chunk, next);
		uint64_t end = mica_div_round_up(runs[i].off + runs[i].len, chunk);

		if (!runs[i].len || end <= first)
			continue;
		cost += mica_min(end * chunk, size) - first * chunk;
		next = end;
	}
	return cost;
}

/* In order and inside the file: what follows counts on it. */
int packer_runs_check(const struct mica_run *runs, size_t count, uint64_t size,
		      struct mica_err *err)
{
	uint64_t end = 0;

	for (size_t i = 0; i < count; i++) {
		if (runs[i].off < end || !mica_range_in(runs[i].off, runs[i].len, size))
			return mica_err_set(err, MICA_E_INPUT,
					    "data run %zu: %" PRIu64 " bytes at %" PRIu64
					    " are not within %" PRIu64 "..%" PRIu64,
					    i, runs[i].len, runs[i].off, end, size);
		end = runs[i].off + runs[i].len;
	}
	return 0;
}

static uint64_t runs_bytes(const struct mica_run *runs, size_t count)
{
	uint64_t data = 0;

	for (size_t i = 0; i < count; i++)
		data += runs[i].len;
	return data;
}

/* The best chunk size for these runs, and what the file takes then. */
static uint64_t chunk_choose(const struct mica_run *runs, size_t count, uint64_t size,
			     uint64_t *cost)
{
	uint64_t chunk = 0;

	*cost = UINT64_MAX;
	for (uint64_t c = CHUNK_MIN; c <= CHUNK_MAX; c *= 2) {
		uint64_t n = chunk_cost(runs, count, size, c);

		if (n < *cost) {
			*cost = n;
			chunk = c;
		}
	}
	return chunk;
}

int packer_holes_plan(struct mica_packer *p, const struct mica_run *runs, size_t count,
		      uint64_t size, uint64_t *chunk, struct mica_err *err)
{
	uint64_t data = runs ? runs_bytes(runs, count) : size, cost, most;

	p->bytes_data += data;
	if (!runs)
		return 0;
	/* nothing but a hole is a short map, or one extent */
	cost = data ? data + (size - data) / SPARSE_COST : 0;
	if (size >= SPARSE_SIZE && data <= size / SPARSE_RATIO)
		*chunk = chunk_choose(runs, count, size, &cost);
	cost -= mica_min(cost, data);
	most = HOLES_MAX + p->bytes_data;
	if (cost <= most - mica_min(most, p->bytes_holes)) {
		p->bytes_holes += cost;
		return 0;
	}
	return mica_err_set(err, MICA_E_LIMIT,
			    "its holes would take %" PRIu64 " bytes in the image, those of all "
			    "files before it %" PRIu64 "; the limit is %" PRIu64
			    " (they take none when it is compressed for Linux 6.15 or later)",
			    cost, p->bytes_holes, most);
}
