/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../mkimage/gear.h"

#define SIZE  (1u << 20)
#define SHIFT 12345u

static unsigned char data[SHIFT + SIZE];

/* Bytes of every value; the same ones on every machine. */
static void noise_fill(unsigned char *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (unsigned char)(seed >> 24);
	}
}

/* ends[i]: where chunk i ends; how many there are. */
static size_t cuts_find(const struct mica_gear *g, const unsigned char *p, size_t len, size_t *ends)
{
	size_t count = 0;

	for (size_t off = 0; off < len;) {
		size_t n = mica_gear_cut(g, p + off, len - off);

		assert_in_range(n, 1, g->chunk_max);
		/* the last one is what is left */
		assert_true(n >= g->chunk_min || off + n == len);
		ends[count++] = off += n;
	}
	return count;
}

static void chunks_are_within_limits(void **state)
{
	static const uint32_t extents[][2] = {
		{64u << 10, 2048},  {128u << 10, 2048}, {256u << 10, 4096},
		{512u << 10, 8192}, {1u << 20, 8192},
	};
	static size_t ends[SIZE / 2048 + 1];

	(void)state;
	noise_fill(data, SIZE, 1);
	for (size_t i = 0; i < sizeof(extents) / sizeof(extents[0]); i++) {
		struct mica_gear g;
		size_t count;

		mica_gear_init(&g, extents[i][0]);
		assert_int_equal(g.chunk_min, extents[i][1]);
		assert_int_equal(g.chunk_max, 8 * g.chunk_min);
		count = cuts_find(&g, data, SIZE, ends);
		/* twice the least is the average */
		assert_in_range(SIZE / count, g.chunk_min * 3 / 2, g.chunk_min * 3);
	}
}

static void what_is_all_the_same_is_cut_at_the_most(void **state)
{
	struct mica_gear g;

	(void)state;
	mica_gear_init(&g, 64u << 10);
	memset(data, 0, SIZE);
	assert_int_equal(mica_gear_cut(&g, data, SIZE), g.chunk_max);
	assert_int_equal(mica_gear_cut(&g, data, g.chunk_min), g.chunk_min);
	assert_int_equal(mica_gear_cut(&g, data, 1), 1);
}

static void a_shifted_copy_is_cut_at_the_same_places(void **state)
{
	static size_t plain[SIZE / 2048 + 1], shifted[SIZE / 2048 + 16];
	size_t count, shifted_count, same = 0, k = 0;
	struct mica_gear g;

	(void)state;
	mica_gear_init(&g, 64u << 10);
	noise_fill(data, SHIFT, 2);
	noise_fill(data + SHIFT, SIZE, 1);
	count = cuts_find(&g, data + SHIFT, SIZE, plain);
	shifted_count = cuts_find(&g, data, SHIFT + SIZE, shifted);
	for (size_t i = 0; i < count; i++) {
		while (k < shifted_count && shifted[k] < plain[i] + SHIFT)
			k++;
		same += k < shifted_count && shifted[k] == plain[i] + SHIFT;
	}
	assert_true(same > count * 9 / 10);
}

/* Images must not change by accident: these are what they are for all times. */
static void cuts_and_sketches_are_what_they_were(void **state)
{
	static const size_t cuts[2][4] = {{3929, 2906, 2130, 6596}, {43769, 21703, 11775, 12672}};
	static const uint32_t sketch[MICA_SKETCH] = {0x037cdd81, 0x08581741, 0x1a8449d5,
						     0x14ce5209, 0x1a46fb81, 0x0675b36f,
						     0x13ca49c7, 0x0fe7556b};
	static const uint32_t extents[2] = {64u << 10, 512u << 10};
	struct mica_sketch s;
	struct mica_gear g;

	(void)state;
	noise_fill(data, SIZE, 1);
	for (size_t i = 0; i < 2; i++) {
		size_t off = 0;

		mica_gear_init(&g, extents[i]);
		for (size_t k = 0; k < 4; k++) {
			size_t n = mica_gear_cut(&g, data + off, SIZE - off);

			assert_int_equal(n, cuts[i][k]);
			off += n;
		}
	}
	mica_gear_sketch(&g, data, 5000, &s);
	for (size_t i = 0; i < MICA_SKETCH; i++)
		assert_int_equal(s.v[i], sketch[i]);
}

static unsigned int sketches_share(const struct mica_sketch *a, const struct mica_sketch *b)
{
	unsigned int n = 0;

	for (size_t i = 0; i < MICA_SKETCH; i++)
		n += a->v[i] && a->v[i] == b->v[i];
	return n;
}

static void sketches_tell_likeness(void **state)
{
	static unsigned char other[20000];
	struct mica_sketch a, b;
	struct mica_gear g;

	(void)state;
	mica_gear_init(&g, 64u << 10);
	noise_fill(data, 20000, 1);
	mica_gear_sketch(&g, data, 20000, &a);
	/* a tenth of it is another, and all is shifted */
	noise_fill(other, 2000, 3);
	memcpy(other + 2000, data, 18000);
	mica_gear_sketch(&g, other, 20000, &b);
	assert_in_range(sketches_share(&a, &b), 5, MICA_SKETCH);
	noise_fill(other, 20000, 4);
	mica_gear_sketch(&g, other, 20000, &b);
	assert_in_range(sketches_share(&a, &b), 0, 1);
	/* too short to say anything */
	mica_gear_sketch(&g, data, 40, &a);
	for (size_t i = 0; i < MICA_SKETCH; i++)
		assert_int_equal(a.v[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_are_within_limits),
		cmocka_unit_test(what_is_all_the_same_is_cut_at_the_most),
		cmocka_unit_test(a_shifted_copy_is_cut_at_the_same_places),
		cmocka_unit_test(cuts_and_sketches_are_what_they_were),
		cmocka_unit_test(sketches_tell_likeness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
