/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../mkimage/data.h"
#include "../../mkimage/hoard.h"

#define CAP 100000u

static struct mica_hoard hoard;
static struct mica_err err;

static void start(void)
{
	assert_int_equal(mica_hoard_init(&hoard, CAP, &err), 0);
}

/* A file of 100 bytes; its sketch has a value in each class that is not 0. */
static void add(uint32_t first, uint32_t second, uint32_t third)
{
	assert_true(mica_hoard_fits(&hoard, 100));
	hoard.files[hoard.count++] = (struct mica_hoard_file){
		.off = hoard.used,
		.len = 100,
		.sketch.v = {first, second, third},
	};
	hoard.used += 100;
}

/* The order of storage, as text. */
static const char *order(void)
{
	static char text[1000];
	size_t n = 0;

	text[0] = 0;
	for (uint32_t i = mica_hoard_order(&hoard); i != MICA_HOARD_END; i = hoard.files[i].next)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", i);
	return text;
}

static void files_alike_come_together(void **state)
{
	(void)state;
	start();
	assert_string_equal(order(), "");
	add(1, 2, 3); /* 0 */
	add(4, 5, 6); /* 1 */
	add(0, 0, 0); /* 2: nothing is known of it */
	add(1, 2, 7); /* 3: like 0 */
	add(4, 2, 9); /* 4: one value of each is not enough */
	add(8, 5, 6); /* 5: like 1 */
	add(1, 9, 7); /* 6: like 3, hence with 0 */
	add(0, 0, 0); /* 7: what is unknown is like nothing */
	assert_string_equal(order(), "0 3 6 1 5 2 4 7");
	/* nothing is left of it */
	assert_string_equal(order(), "0 3 6 1 5 2 4 7");
	mica_hoard_free(&hoard);
}

/* The same value in another class is another value. */
static void classes_are_not_mixed_up(void **state)
{
	(void)state;
	start();
	add(1, 2, 3);
	add(9, 9, 9);
	add(2, 3, 1);
	assert_string_equal(order(), "0 1 2");
	mica_hoard_free(&hoard);
}

static void the_group_with_most_in_common_wins(void **state)
{
	(void)state;
	start();
	add(1, 2, 3);
	add(4, 5, 6);
	hoard.files[0].sketch.v[3] = 10;
	hoard.files[0].sketch.v[4] = 11;
	add(4, 5, 6);
	hoard.files[2].sketch.v[3] = 10;
	hoard.files[2].sketch.v[4] = 11;
	assert_string_equal(order(), "0 1 2");
	hoard.files[2].sketch.v[0] = 1;
	assert_string_equal(order(), "0 2 1");
	mica_hoard_free(&hoard);
}

static void twins_are_left_out(void **state)
{
	static const struct mica_tinode somewhere;

	(void)state;
	start();
	add(1, 2, 3);
	add(5, 6, 7);
	add(1, 2, 3);
	add(1, 2, 3);
	hoard.files[0].twin = &somewhere;
	hoard.files[2].twin = &somewhere;
	assert_string_equal(order(), "1 3");
	mica_hoard_free(&hoard);
}

static void a_chain_is_as_they_came(void **state)
{
	uint32_t i;

	(void)state;
	start();
	assert_int_equal(mica_hoard_chain(&hoard), MICA_HOARD_END);
	add(1, 2, 3);
	add(4, 5, 6);
	add(1, 2, 3);
	hoard.files[1].twin = hoard.files[0].inode = &(struct mica_tinode){0};
	i = mica_hoard_chain(&hoard);
	assert_int_equal(i, 0);
	assert_int_equal(hoard.files[i].next, 2);
	assert_int_equal(hoard.files[2].next, MICA_HOARD_END);
	mica_hoard_free(&hoard);
}

static void limits(void **state)
{
	(void)state;
	start();
	assert_true(mica_hoard_fits(&hoard, CAP));
	assert_false(mica_hoard_fits(&hoard, CAP + 1));
	assert_false(mica_hoard_fits(&hoard, UINT64_MAX));
	hoard.used = CAP - 10;
	assert_true(mica_hoard_fits(&hoard, 10));
	assert_false(mica_hoard_fits(&hoard, 11));
	hoard.count = hoard.file_cap;
	assert_false(mica_hoard_fits(&hoard, 1));
	mica_hoard_clear(&hoard);
	assert_true(mica_hoard_fits(&hoard, CAP));
	mica_hoard_free(&hoard);
}

/* As many as there may be, all in one table of values. */
static void a_full_hoard_is_in_order(void **state)
{
	uint32_t n = 0, before = 0;

	(void)state;
	start();
	for (uint32_t i = 0; i < hoard.file_cap; i++) {
		hoard.files[hoard.count] = (struct mica_hoard_file){.len = 1};
		for (uint32_t k = 0; k < MICA_SKETCH; k++)
			hoard.files[hoard.count].sketch.v[k] = i / 2 * MICA_SKETCH + k + 1;
		hoard.count++;
	}
	for (uint32_t i = mica_hoard_order(&hoard); i != MICA_HOARD_END; i = hoard.files[i].next) {
		assert_true(!n || i == before + 1);
		before = i;
		n++;
	}
	assert_int_equal(n, hoard.file_cap);
	mica_hoard_free(&hoard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_alike_come_together),
		cmocka_unit_test(classes_are_not_mixed_up),
		cmocka_unit_test(the_group_with_most_in_common_wins),
		cmocka_unit_test(twins_are_left_out),
		cmocka_unit_test(a_chain_is_as_they_came),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_full_hoard_is_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
