/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../mkimage/blockindex.h"

#define NONE MICA_BLOCKINDEX_NONE

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

static struct mica_blockindex *index_new(size_t memory)
{
	struct mica_blockindex *x = NULL;

	assert_int_equal(mica_blockindex_new(memory, &x, &err), 0);
	return x;
}

static void add(struct mica_blockindex *x, uint32_t low, uint32_t high, uint32_t block)
{
	assert_int_equal(mica_blockindex_add(x, digest(low, high), block, &err), 0);
}

static void the_first_one_is_found_unless_another_follows(void **state)
{
	struct mica_blockindex *x = index_new(1 << 20);
	uint32_t at;

	(void)state;
	assert_int_equal(mica_blockindex_find(x, digest(1, 1), NONE), NONE);
	add(x, 1, 1, 10);
	add(x, 2, 2, 11);
	add(x, 1, 1, 20);
	add(x, 1, 2, 21);
	add(x, 2, 2, 22);
	assert_int_equal(mica_blockindex_count(x), 5);
	assert_int_equal(mica_blockindex_find(x, digest(1, 1), NONE), 10);
	assert_int_equal(mica_blockindex_find(x, digest(2, 2), NONE), 11);
	at = mica_blockindex_find(x, digest(1, 2), NONE);
	assert_int_equal(at, 21);
	assert_int_equal(mica_blockindex_find(x, digest(2, 2), at), 22);
	/* behind the last one is nothing */
	assert_int_equal(mica_blockindex_find(x, digest(1, 1), 22), 10);
	assert_int_equal(mica_blockindex_find(x, digest(3, 1), 10), NONE);
	mica_blockindex_free(x);
}

static void what_was_cut_is_not_found(void **state)
{
	struct mica_blockindex *x = index_new(1 << 20);

	(void)state;
	add(x, 1, 1, 10);
	add(x, 2, 2, 11);
	add(x, 3, 3, 12);
	mica_blockindex_cut(x, 1);
	assert_int_equal(mica_blockindex_find(x, digest(1, 1), NONE), 10);
	assert_int_equal(mica_blockindex_find(x, digest(2, 2), 10), NONE);
	assert_int_equal(mica_blockindex_find(x, digest(3, 3), NONE), NONE);
	/* the places are taken by others, in another order */
	add(x, 3, 3, 11);
	add(x, 4, 4, 12);
	assert_int_equal(mica_blockindex_find(x, digest(2, 2), NONE), NONE);
	assert_int_equal(mica_blockindex_find(x, digest(3, 3), NONE), 11);
	assert_int_equal(mica_blockindex_find(x, digest(4, 4), NONE), 12);
	/* again and again: stale numbers do not fill the table */
	for (uint32_t i = 0; i < 100000; i++) {
		mica_blockindex_cut(x, 3);
		add(x, 100 + i, i, 13);
		assert_int_equal(mica_blockindex_find(x, digest(100 + i, i), NONE), 13);
	}
	assert_int_equal(mica_blockindex_find(x, digest(1, 1), NONE), 10);
	assert_int_equal(mica_blockindex_count(x), 4);
	mica_blockindex_free(x);
}

static void memory_bounds_it(void **state)
{
	struct mica_blockindex *x = index_new(1 << 20);
	uint32_t count;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		add(x, i * 7, i, i);
	count = mica_blockindex_count(x);
	assert_in_range(count, 10000, 99999);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(mica_blockindex_find(x, digest(i * 7, i), NONE),
				 i < count ? i : NONE);
	mica_blockindex_free(x);
	/* not even the first ones fit */
	x = index_new(100);
	add(x, 1, 1, 1);
	assert_int_equal(mica_blockindex_find(x, digest(1, 1), NONE), NONE);
	mica_blockindex_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_one_is_found_unless_another_follows),
		cmocka_unit_test(what_was_cut_is_not_found),
		cmocka_unit_test(memory_bounds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
