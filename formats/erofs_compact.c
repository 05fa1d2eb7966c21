/* SPDX-License-Identifier: MIT */
#include "erofs_compact.h"

#include <stdbool.h>
#include <string.h>

#define LOW_BITS 12u /* delta or cluster offset; the type's 2 bits stand above */

void erofs_compact_plan(uint64_t base, uint64_t total, struct erofs_compact_plan *out)
{
	uint64_t first = ((32 - base % 32) / 4) & 7;

	out->pairs_first = first < total ? first : total;
	out->packed = (total - out->pairs_first) / EROFS_COMPACT_PACK * EROFS_COMPACT_PACK;
	out->pairs_last = total - out->pairs_first - out->packed;
	out->bytes =
		(out->pairs_first + 1) / 2 * 8 + out->packed * 2 + (out->pairs_last + 1) / 2 * 8;
}

static uint32_t entry_low(const struct erofs_lcluster *e, bool last)
{
	if (e->type != EROFS_LCLUSTER_NONHEAD)
		return e->clusterofs;
	if (e->delta0 == 1)
		return EROFS_LI_D0_CBLKCNT | e->cblocks;
	/* the last entry of a pack tells the way forward; back is found from the one before */
	if (last)
		return e->delta1 < EROFS_LI_D0_CBLKCNT ? e->delta1 : EROFS_LI_D0_CBLKCNT - 1;
	return e->delta0;
}

/* The block that readers count from: they add the blocks of pclusters met in the pack. */
static uint32_t pack_base(const struct erofs_lcluster *e, unsigned int count)
{
	uint32_t before =
		e[0].type == EROFS_LCLUSTER_NONHEAD && e[0].delta0 == 1 ? e[0].cblocks : 0;

	for (unsigned int i = 0; i < count; i++)
		if (e[i].type != EROFS_LCLUSTER_NONHEAD)
			return e[i].block - before;
	return 0;
}

void erofs_compact_encode(const struct erofs_lcluster *e, unsigned int count, uint8_t *out)
{
	unsigned int size = count == EROFS_COMPACT_PAIR ? 8 : 32;
	unsigned int bits = (size - 4) * 8 / count;
	le32 base = le32_make(pack_base(e, count));

	memset(out, 0, size);
	for (unsigned int i = 0; i < count; i++) {
		uint32_t v = entry_low(&e[i], i + 1 == count) | (uint32_t)e[i].type << LOW_BITS;
		unsigned int pos = i * bits;

		/* an entry of 14 or 16 bits touches at most three bytes */
		v <<= pos % 8;
		out[pos / 8] |= (uint8_t)v;
		out[pos / 8 + 1] |= (uint8_t)(v >> 8);
		if (v >> 16)
			out[pos / 8 + 2] |= (uint8_t)(v >> 16);
	}
	memcpy(out + size - 4, &base, sizeof(base));
}
