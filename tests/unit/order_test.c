/* SPDX-License-Identifier: MIT */
/* Which files are fetched ahead: those that a reader of them all comes to next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mount/order.h"

#define SMALL  1000u
#define WINDOW 100000u
#define FILES  3000u

static struct mica_order *order;
static bool taken[FILES];

static int setup(void **state)
{
	(void)state;
	memset(taken, 0, sizeof(taken));
	return mica_order_new(SMALL, WINDOW, &order, NULL);
}

static int teardown(void **state)
{
	(void)state;
	mica_order_free(order);
	return 0;
}

/* Not in the order of nids: what counts is the order of names. */
static uint64_t nid_of(unsigned int i)
{
	return (i ^ 0x155u) + 100;
}

static void name_all(uint64_t size)
{
	for (unsigned int i = 0; i < FILES; i++)
		mica_order_named(order, nid_of(i), size, true);
}

static unsigned int take_all(void)
{
	struct mica_order_file files[8];
	unsigned int n, count = 0;

	while ((n = mica_order_take(order, files, 8)) > 0) {
		count += n;
		while (n--) {
			unsigned int i = (unsigned int)(files[n].nid - 100) ^ 0x155u;

			assert_in_range(i, 0, FILES - 1);
			assert_false(taken[i]);
			taken[i] = true;
		}
	}
	return count;
}

static void a_reader_of_all_files_asks_for_few(void **state)
{
	unsigned int asked = 0;

	(void)state;
	name_all(100);
	for (unsigned int i = 0; i < FILES; i++) {
		if (taken[i])
			continue;
		asked++;
		mica_order_read(order, nid_of(i));
		take_all();
	}
	assert_in_range(asked, 1, FILES / 50);
}

static void a_window_is_bounded_by_bytes(void **state)
{
	(void)state;
	name_all(SMALL * 50); /* each counts as SMALL */
	for (unsigned int i = 0; i < 2000; i++)
		mica_order_read(order, nid_of(i));
	assert_in_range(take_all(), 50, WINDOW / SMALL);
}

static void random_reads_fetch_nothing(void **state)
{
	unsigned int i = 0;

	(void)state;
	name_all(100);
	for (unsigned int n = 0; n < FILES; n++) {
		i = (i + 1237) % FILES;
		mica_order_read(order, nid_of(i));
	}
	assert_int_equal(take_all(), 0);
}

static void every_fifth_file_fetches_nothing(void **state)
{
	(void)state;
	name_all(100);
	for (unsigned int i = 0; i < FILES; i += 5)
		mica_order_read(order, nid_of(i));
	assert_int_equal(take_all(), 0);
}

/* Who passes by the wire gets no second window, nor one soon. */
static void a_reader_who_leaves_files_out_is_found(void **state)
{
	unsigned int first, i;

	(void)state;
	name_all(100);
	for (i = 0; !take_all(); i++)
		mica_order_read(order, nid_of(i));
	for (first = i; taken[i + 3] || i < first + 3; i++)
		;
	i += 6;
	mica_order_read(order, nid_of(i));
	assert_int_equal(take_all(), 0);
	mica_order_read(order, nid_of(i + 5));
	assert_int_equal(take_all(), 0);
}

static void two_readers_have_a_window_each(void **state)
{
	(void)state;
	name_all(100);
	for (unsigned int i = 0; i < 6; i++) {
		mica_order_read(order, nid_of(i));
		mica_order_read(order, nid_of(1500 + i));
	}
	take_all();
	assert_true(taken[12]);
	assert_true(taken[1512]);
	assert_false(taken[1000]);
}

static void empty_and_unknown_files_are_no_files(void **state)
{
	(void)state;
	name_all(0);
	for (unsigned int i = 0; i < 100; i++)
		assert_false(mica_order_read(order, nid_of(i)));
	assert_int_equal(take_all(), 0);
}

/* A name that is looked up alone does not lose its place in the listing. */
static void a_lookup_keeps_the_order(void **state)
{
	(void)state;
	name_all(100);
	for (unsigned int i = 0; i < 6; i++) {
		mica_order_named(order, nid_of(i), 100, false);
		mica_order_read(order, nid_of(i));
	}
	assert_true(take_all() > 0);
}

/* Far more names than are remembered. */
static void old_names_are_forgotten(void **state)
{
	(void)state;
	name_all(100);
	for (uint64_t nid = 0; nid < 200000; nid++)
		mica_order_named(order, nid + 100000, 100, true);
	for (unsigned int i = 0; i < 100; i++)
		assert_false(mica_order_read(order, nid_of(i)));
	for (uint64_t nid = 0; nid < 100; nid++)
		mica_order_read(order, nid + 299000);
	assert_int_equal(mica_order_take(order, &(struct mica_order_file){0}, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_reader_of_all_files_asks_for_few, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_window_is_bounded_by_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(random_reads_fetch_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(every_fifth_file_fetches_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_who_leaves_files_out_is_found, setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_readers_have_a_window_each, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_and_unknown_files_are_no_files, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_lookup_keeps_the_order, setup, teardown),
		cmocka_unit_test_setup_teardown(old_names_are_forgotten, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
