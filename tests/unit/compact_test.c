/* SPDX-License-Identifier: MIT */
/*
 * The compact cluster index, read back by the rules that Linux's
 * fs/erofs/zmap.c follows, in a decoder of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../formats/erofs_compact.h"
#include "../../lib/util.h"

#define LCLUSTERS_MAX 6000
#define D0_LIMIT      2048u /* bit 11: a count of blocks, no distance */

static struct erofs_lcluster made[LCLUSTERS_MAX];
static uint8_t image[LCLUSTERS_MAX * 4 + 256];
static uint64_t rng;

static uint32_t pick(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

/* One extent of n lclusters with its pcluster of so many blocks from block on; type: of the head */
static uint64_t extent_put(uint64_t at, uint8_t type, uint32_t n, uint32_t blocks, uint32_t block)
{
	made[at] = (struct erofs_lcluster){.type = type, .block = block};
	for (uint32_t i = 1; i < n; i++)
		made[at + i] = (struct erofs_lcluster){
			.type = EROFS_LCLUSTER_NONHEAD,
			.delta0 = (uint16_t)i,
			.delta1 = (uint16_t)(n - i),
			.cblocks = (uint16_t)blocks,
		};
	return at + n;
}

/* As the index is written: plan, then pack by pack. */
static uint64_t encode(uint64_t base, uint64_t total)
{
	struct erofs_compact_plan plan;
	uint8_t *out = image;

	erofs_compact_plan(base, total, &plan);
	for (uint64_t i = 0; i < total;) {
		bool wide = i >= plan.pairs_first && i < plan.pairs_first + plan.packed;
		unsigned int width = wide ? EROFS_COMPACT_PACK : EROFS_COMPACT_PAIR;
		struct erofs_lcluster pack[EROFS_COMPACT_PACK] = {{0}};

		for (unsigned int k = 0; k < width && i + k < total; k++)
			pack[k] = made[i + k];
		erofs_compact_encode(pack, width, out);
		out += wide ? 32 : 8;
		i += width;
	}
	assert_int_equal((uint64_t)(out - image), plan.bytes);
	return plan.bytes;
}

struct pack {
	const uint8_t *bytes;
	unsigned int count, bits, index;
};

/* Where entry lcn stands. base: address of image[0] */
static struct pack pack_of(uint64_t base, uint64_t total, uint64_t lcn)
{
	uint64_t first = (32 - base % 32) / 4 & 7, wide = 0, pos = base;
	unsigned int step = 4;

	if (first < total)
		wide = (total - first) / 16 * 16;
	if (lcn >= first) {
		pos += first * 4;
		lcn -= first;
		if (lcn < wide) {
			step = 2;
		} else {
			pos += wide * 2;
			lcn -= wide;
		}
	}
	pos += lcn * step;
	struct pack p = {
		.count = step == 4 ? 2 : 16,
		.bits = step == 4 ? 16 : 14,
	};
	uint64_t size = step == 4 ? 8 : 32;

	p.index = (unsigned int)(pos % size / step);
	p.bytes = image + (pos - pos % size - base);
	return p;
}

static uint32_t entry_of(const struct pack *p, unsigned int i, unsigned int *type)
{
	unsigned int bit = i * p->bits;
	uint32_t v = 0;

	for (unsigned int b = 0; b < p->bits; b++)
		v |= (uint32_t)(p->bytes[(bit + b) / 8] >> (bit + b) % 8 & 1) << b;
	*type = v >> 12 & 3;
	return v & 0xfff;
}

struct decoded {
	unsigned int type;
	uint32_t delta0, delta1, cblocks, block, clusterofs;
};

static uint32_t decode_delta0(const struct pack *p, uint32_t low)
{
	unsigned int type;

	if (low & D0_LIMIT)
		return 1;
	if (p->index + 1 != p->count)
		return low;
	/* the last one says how far it is forward: back is one more than from the one before */
	low = entry_of(p, p->index - 1, &type);
	if (type != EROFS_LCLUSTER_NONHEAD)
		return 1;
	return (low & D0_LIMIT ? 1 : low) + 1;
}

static uint32_t decode_delta1(const struct pack *p)
{
	uint32_t low = 0, ahead = 0;
	unsigned int type;

	for (unsigned int i = p->index; i < p->count; i++) {
		low = entry_of(p, i, &type);
		if (type != EROFS_LCLUSTER_NONHEAD)
			return ahead;
		ahead++;
	}
	return low & D0_LIMIT ? ahead : ahead + low - 1;
}

static uint32_t decode_block(const struct pack *p)
{
	uint32_t blocks = 0, base;
	const uint8_t *b = p->bytes + (p->count == 2 ? 4 : 28);

	for (int i = (int)p->index; i > 0;) {
		unsigned int type;
		uint32_t low = entry_of(p, (unsigned int)--i, &type);

		if (type != EROFS_LCLUSTER_NONHEAD) {
			blocks++;
		} else if (low & D0_LIMIT) {
			blocks += low & (D0_LIMIT - 1);
			i--; /* its head is counted by this */
		} else {
			assert_true(low > 1);
			i -= (int)low - 2;
		}
	}
	base = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
	return base + blocks;
}

static struct decoded decode(uint64_t base, uint64_t total, uint64_t lcn)
{
	struct pack p = pack_of(base, total, lcn);
	struct decoded d = {0};
	uint32_t low = entry_of(&p, p.index, &d.type);

	if (d.type != EROFS_LCLUSTER_NONHEAD) {
		d.clusterofs = low;
		d.block = decode_block(&p);
		return d;
	}
	d.delta0 = decode_delta0(&p, low);
	d.delta1 = decode_delta1(&p);
	d.cblocks = low & D0_LIMIT ? low & (D0_LIMIT - 1) : 0;
	return d;
}

/*
 * How far forward an entry can tell: to the next head, but only to the end of
 * its pack when the last one there says how many blocks its pcluster has.
 */
static uint32_t forward_of(uint64_t base, uint64_t total, uint64_t i)
{
	struct pack p = pack_of(base, total, i);
	uint64_t last = i + p.count - 1 - p.index;

	if (last < i + made[i].delta1 && made[last].delta0 == 1)
		return (uint32_t)(last - i) + 1;
	return (uint32_t)mica_min(made[i].delta1, last - i + D0_LIMIT - 1);
}

static void check(uint64_t base, uint64_t total)
{
	for (uint64_t i = 0; i < total; i++) {
		const struct erofs_lcluster *m = &made[i];
		struct decoded d = decode(base, total, i);

		assert_int_equal(d.type, m->type);
		if (m->type != EROFS_LCLUSTER_NONHEAD) {
			assert_int_equal(d.block, m->block);
			assert_int_equal(d.clusterofs, 0);
			continue;
		}
		assert_int_equal(d.delta0, m->delta0);
		assert_int_equal(d.delta1, forward_of(base, total, i));
		if (m->delta0 == 1)
			assert_int_equal(d.cblocks, m->cblocks);
	}
}

static void check_at_all_alignments(uint64_t total)
{
	for (uint64_t base = 0; base < 32; base += 8) {
		encode(4096 + base, total);
		check(4096 + base, total);
	}
}

/* Extents as the packer makes them: encoded ones of any length, plain blocks. */
static uint64_t make_random(uint64_t total, uint32_t longest)
{
	uint32_t block = pick(1u << 20);
	uint64_t at = 0;

	while (at < total) {
		uint32_t n = 1 + pick((uint32_t)mica_min(longest, total - at));
		uint32_t blocks = 1 + pick(n > 256 ? 256 : n);

		if (pick(4) == 0) {
			at = extent_put(at, EROFS_LCLUSTER_PLAIN, 1, 1, block++);
			continue;
		}
		/* one lcluster alone cannot say that its pcluster has more than a block */
		blocks = n == 1 ? 1 : blocks;
		at = extent_put(at, EROFS_LCLUSTER_HEAD1, n, blocks, block);
		block += blocks;
	}
	return at;
}

static void random_lists(void **state)
{
	static const uint32_t longest[] = {1, 2, 3, 16, 17, 64, 256, 1024};

	(void)state;
	for (unsigned int seed = 0; seed < 400; seed++) {
		rng = seed;
		check_at_all_alignments(make_random(1 + pick(300), longest[pick(8)]));
	}
	for (unsigned int seed = 0; seed < 10; seed++) {
		rng = seed;
		check_at_all_alignments(make_random(LCLUSTERS_MAX, 1024));
	}
}

/* Every count from 1 on, so that each kind of pack ends everywhere. */
static void all_lengths(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 120; n++) {
		check_at_all_alignments(extent_put(0, EROFS_LCLUSTER_HEAD1, n, n > 2 ? 2 : 1, 77));
		for (uint32_t i = 0; i < n; i++)
			extent_put(i, EROFS_LCLUSTER_PLAIN, 1, 1, 500 + i);
		check_at_all_alignments(n);
	}
}

/* Distances from 2048 on do not fit; 3072 lclusters are the longest extent of 12 MiB. */
static void distances_stay_within_their_bits(void **state)
{
	uint64_t total;

	(void)state;
	total = extent_put(0, EROFS_LCLUSTER_HEAD1, 2047, 256, 9);
	total = extent_put(total, EROFS_LCLUSTER_HEAD1, 1024, 1, 265);
	check_at_all_alignments(total);
	total = extent_put(0, EROFS_LCLUSTER_HEAD1, 2048, 2047, 9);
	check_at_all_alignments(total);
}

static void plan_of_alignments(void **state)
{
	static const struct {
		uint64_t base, total, first, packed, last, bytes;
	} cases[] = {
		{0, 1, 0, 0, 1, 8},	{0, 16, 0, 16, 0, 32},	{0, 17, 0, 16, 1, 40},
		{8, 5, 5, 0, 0, 24},	{8, 6, 6, 0, 0, 24},	{8, 22, 6, 16, 0, 56},
		{16, 20, 4, 16, 0, 48}, {24, 2, 2, 0, 0, 8},	{24, 1, 1, 0, 0, 8},
		{24, 18, 2, 16, 0, 40}, {24, 35, 2, 32, 1, 80}, {4096, 33, 0, 32, 1, 72},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct erofs_compact_plan plan;

		erofs_compact_plan(cases[i].base, cases[i].total, &plan);
		assert_int_equal(plan.pairs_first, cases[i].first);
		assert_int_equal(plan.packed, cases[i].packed);
		assert_int_equal(plan.pairs_last, cases[i].last);
		assert_int_equal(plan.bytes, cases[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_of_alignments),
		cmocka_unit_test(all_lengths),
		cmocka_unit_test(random_lists),
		cmocka_unit_test(distances_stay_within_their_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
