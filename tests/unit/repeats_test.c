/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../mkimage/repeats.h"

#define LEN    1000u /* bytes of a chunk */
#define PLENTY (1u << 20)

static struct mica_repeats *repeats;
static struct mica_repeat *found;
static uint32_t count;
static uint64_t at;
static struct mica_err err;

static void start(uint64_t memory, uint64_t least, uint64_t near)
{
	at = 0;
	assert_int_equal(mica_repeats_new(memory, least, near, &repeats, &err), 0);
}

/* The chunks from..end - 1 of all that there could be. */
static void add(uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end; i++) {
		uint8_t digest[MICA_DIGEST] = {0};
		uint32_t v = i * 2654435761u;

		memcpy(digest, &v, sizeof(v));
		memcpy(digest + 4, &i, sizeof(i));
		assert_int_equal(mica_repeats_add(repeats, digest, at, LEN, &err), 0);
		at += LEN;
	}
}

static void stop(void)
{
	assert_int_equal(mica_repeats_break(repeats, &err), 0);
	found = mica_repeats_take(repeats, &count);
	mica_repeats_free(repeats);
}

static void is_found(uint32_t i, uint64_t where, uint64_t from, uint64_t len)
{
	assert_true(i < count);
	assert_int_equal(found[i].at, where * LEN);
	assert_int_equal(found[i].from, from * LEN);
	assert_int_equal(found[i].len, len * LEN);
}

static void runs_are_found_in_order(void **state)
{
	(void)state;
	start(PLENTY, 10 * LEN, 0);
	add(0, 3000); /* more than the table has room for at first */
	add(500, 510);
	add(5000, 5005);
	add(7, 16); /* too short */
	add(20, 40);
	add(5000, 5005);
	add(3, 13);
	stop();
	assert_int_equal(count, 3);
	is_found(0, 3000, 500, 10);
	is_found(1, 3024, 20, 20);
	is_found(2, 3049, 3, 10);
	free(found);
}

static void a_run_goes_on_over_what_came_more_often(void **state)
{
	(void)state;
	start(PLENTY, 10 * LEN, 0);
	add(900, 901);
	add(900, 901);
	add(0, 8);
	add(900, 901);
	add(8, 16);
	add(100, 200);
	add(0, 8);
	add(900, 901);
	add(8, 16);
	stop();
	assert_int_equal(count, 1);
	is_found(0, 119, 2, 17);
	free(found);
}

static void a_run_ends_where_it_begins(void **state)
{
	(void)state;
	start(PLENTY, 2 * LEN, 0);
	add(0, 4);
	for (int i = 0; i < 3; i++)
		add(0, 4);
	stop();
	/* each is before itself: no byte refers to itself, or to what comes later */
	for (uint32_t i = 0; i < count; i++)
		assert_true(found[i].from + found[i].len <= found[i].at);
	assert_int_equal(count, 2);
	is_found(0, 4, 0, 4);
	is_found(1, 8, 0, 8);
	free(found);
}

static void what_is_near_is_left_to_the_compressor(void **state)
{
	(void)state;
	start(PLENTY, 10 * LEN, 100 * LEN);
	add(0, 50);
	add(10, 50); /* ends within 100 of its first time */
	add(1000, 1100);
	add(0, 10);
	add(2000, 2001);
	stop();
	assert_int_equal(count, 1);
	is_found(0, 190, 0, 10);
	free(found);
}

static void breaks_part_runs(void **state)
{
	(void)state;
	start(PLENTY, 10 * LEN, 0);
	add(0, 40);
	add(0, 20);
	assert_int_equal(mica_repeats_break(repeats, &err), 0);
	add(20, 40);
	stop();
	assert_int_equal(count, 2);
	is_found(0, 40, 0, 20);
	is_found(1, 60, 20, 20);
	free(found);
}

static void full_memory_costs_runs_only(void **state)
{
	(void)state;
	start(0, 10 * LEN, 0);
	add(0, 5000); /* 1024 of them are kept */
	add(1000, 1100);
	add(3000, 3100);
	add(0, 10);
	stop();
	assert_int_equal(count, 2);
	is_found(0, 5000, 1000, 24);
	is_found(1, 5200, 0, 10);
	free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_found_in_order),
		cmocka_unit_test(a_run_goes_on_over_what_came_more_often),
		cmocka_unit_test(a_run_ends_where_it_begins),
		cmocka_unit_test(what_is_near_is_left_to_the_compressor),
		cmocka_unit_test(breaks_part_runs),
		cmocka_unit_test(full_memory_costs_runs_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
