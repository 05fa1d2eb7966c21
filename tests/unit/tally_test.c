/* SPDX-License-Identifier: MIT */
/* The commonest of many times, counted in fixed space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../mkimage/tally.h"

static struct mica_tally t;

static int setup(void **state)
{
	(void)state;
	t = (struct mica_tally){0};
	return 0;
}

static void best_is(int64_t sec, uint32_t nsec)
{
	struct mica_tally_entry e = mica_tally_best(&t);

	assert_int_equal(e.sec, sec);
	assert_int_equal(e.nsec, nsec);
}

static void nothing_was_added(void **state)
{
	(void)state;
	best_is(0, 0);
	assert_int_equal(mica_tally_best(&t).count, 0);
}

static void few_times_are_counted_exactly(void **state)
{
	(void)state;
	for (int64_t k = 0; k < MICA_TALLY; k++)
		for (int64_t n = 0; n <= (k == 40 ? 100 : k); n++)
			mica_tally_add(&t, -k, 7);
	best_is(-40, 7);
	assert_int_equal(mica_tally_best(&t).count, 101);
}

static void nanoseconds_tell_times_apart(void **state)
{
	(void)state;
	mica_tally_add(&t, 5, 1);
	mica_tally_add(&t, 5, 2);
	mica_tally_add(&t, 6, 2);
	mica_tally_add(&t, 5, 2);
	best_is(5, 2);
}

/* One in 20 is common, all others are there once; in turns or in a row. */
static void a_common_time_among_strangers(void **state)
{
	(void)state;
	for (int64_t n = 0; n < 100000; n++)
		mica_tally_add(&t, n % 20 ? n : -1, 0);
	best_is(-1, 0);
	setup(NULL);
	for (int64_t n = 0; n < 100000; n++)
		mica_tally_add(&t, n < 5000 ? -1 : n, 0);
	best_is(-1, 0);
	setup(NULL);
	for (int64_t n = 0; n < 100000; n++)
		mica_tally_add(&t, n < 95000 ? n : -1, 0);
	best_is(-1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_was_added, setup),
		cmocka_unit_test_setup(few_times_are_counted_exactly, setup),
		cmocka_unit_test_setup(nanoseconds_tell_times_apart, setup),
		cmocka_unit_test_setup(a_common_time_among_strangers, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
