/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../mkimage/extindex.h"

static struct mica_err err;

/* low: where in the table it comes; digests that agree in it are told apart all the same */
static const uint8_t *digest(uint32_t low, uint32_t high)
{
	static uint8_t d[MICA_DIGEST];

	memset(d, 0, sizeof(d));
	memcpy(d, &low, sizeof(low));
	memcpy(d + MICA_DIGEST - sizeof(high), &high, sizeof(high));
	return d;
}

static struct mica_extindex *index_new(size_t memory)
{
	struct mica_extindex *x = NULL;

	assert_int_equal(mica_extindex_new(memory, &x, &err), 0);
	return x;
}

static uint32_t begin(struct mica_extindex *x, bool plain)
{
	uint32_t id;

	assert_int_equal(mica_extindex_begin(x, plain, &id, &err), 0);
	return id;
}

static void chunk(struct mica_extindex *x, uint32_t low, uint32_t high)
{
	assert_int_equal(mica_extindex_chunk(x, digest(low, high), &err), 0);
}

static void extents_are_found_by_their_first_chunk(void **state)
{
	struct mica_extindex *x = index_new(1 << 20);

	(void)state;
	assert_int_equal(mica_extindex_find(x, digest(1, 1)), MICA_EXT_NONE);
	assert_int_equal(begin(x, false), 0);
	chunk(x, 1, 1);
	chunk(x, 2, 2);
	assert_int_equal(begin(x, true), 1);
	chunk(x, 1, 2);
	/* begins like the first one, which stays the first that is found */
	assert_int_equal(begin(x, false), 2);
	chunk(x, 1, 1);
	chunk(x, 3, 3);
	assert_int_equal(mica_extindex_find(x, digest(1, 1)), 0);
	assert_int_equal(mica_extindex_next(x, 0), 2);
	assert_int_equal(mica_extindex_next(x, 2), MICA_EXT_NONE);
	assert_int_equal(mica_extindex_find(x, digest(1, 2)), 1);
	assert_int_equal(mica_extindex_next(x, 1), MICA_EXT_NONE);
	assert_int_equal(mica_extindex_find(x, digest(2, 2)), MICA_EXT_NONE);
	assert_int_equal(mica_extindex_find(x, digest(1, 3)), MICA_EXT_NONE);
	assert_false(mica_extindex_plain(x, 0));
	assert_true(mica_extindex_plain(x, 1));
	mica_extindex_free(x);
}

/* However many begin alike, a search among them takes no longer than among a few. */
static void few_of_many_alike_are_found(void **state)
{
	struct mica_extindex *x = index_new(1 << 20);
	uint32_t id, count = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(begin(x, false), i);
		chunk(x, 7, 7);
		chunk(x, 8, i);
	}
	for (id = mica_extindex_find(x, digest(7, 7)); id != MICA_EXT_NONE;
	     id = mica_extindex_next(x, id))
		assert_int_equal(id, count++);
	assert_in_range(count, 2, 16);
	assert_int_equal(begin(x, false), 1000);
	chunk(x, 9, 9);
	assert_int_equal(mica_extindex_find(x, digest(9, 9)), 1000);
	mica_extindex_free(x);
}

static void chunks_end_with_their_extent(void **state)
{
	struct mica_extindex *x = index_new(1 << 20);

	(void)state;
	begin(x, false);
	chunk(x, 1, 1);
	chunk(x, 2, 2);
	assert_null(mica_extindex_digest(x, 0, 2));
	begin(x, false);
	chunk(x, 3, 3);
	assert_memory_equal(mica_extindex_digest(x, 0, 0), digest(1, 1), MICA_DIGEST);
	assert_memory_equal(mica_extindex_digest(x, 0, 1), digest(2, 2), MICA_DIGEST);
	assert_null(mica_extindex_digest(x, 0, 2));
	assert_memory_equal(mica_extindex_digest(x, 1, 0), digest(3, 3), MICA_DIGEST);
	assert_null(mica_extindex_digest(x, 1, 1));
	assert_null(mica_extindex_digest(x, 1, UINT32_MAX));
	mica_extindex_free(x);
}

/* What does not fit is not found; what is found is right, and growing changes nothing. */
static void memory_has_an_end(void **state)
{
	static const size_t memory[] = {0, 100000, 1 << 20, 8 << 20};
	uint32_t last = 0;

	(void)state;
	for (size_t m = 0; m < sizeof(memory) / sizeof(memory[0]); m++) {
		struct mica_extindex *x = index_new(memory[m]);
		uint32_t stored = 0;

		for (uint32_t i = 0; i < 100000; i++) {
			uint32_t id = begin(x, i % 2);

			if (id == MICA_EXT_NONE)
				continue;
			assert_int_equal(id, stored++);
			/* numbers that come to lie in few places of the table */
			chunk(x, i * 256, i);
			chunk(x, i, UINT32_MAX);
		}
		for (uint32_t i = 0; i < 100000; i++) {
			uint32_t id = mica_extindex_find(x, digest(i * 256, i));

			assert_int_equal(id, i < stored ? i : MICA_EXT_NONE);
			if (id == MICA_EXT_NONE)
				continue;
			assert_int_equal(mica_extindex_plain(x, id), i % 2);
			assert_memory_equal(mica_extindex_digest(x, id, 1), digest(i, UINT32_MAX),
					    MICA_DIGEST);
			assert_null(mica_extindex_digest(x, id, 2));
		}
		/* with its two chunks and its slots an extent takes 44 bytes at least */
		assert_true(stored * 44ull <= memory[m]);
		assert_true(m == 0 ? !stored : stored > last);
		last = stored;
		mica_extindex_free(x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extents_are_found_by_their_first_chunk),
		cmocka_unit_test(few_of_many_alike_are_found),
		cmocka_unit_test(chunks_end_with_their_extent),
		cmocka_unit_test(memory_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
