/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../mkimage/kind.h"
#include "../../mkimage/likeness.h"
#include "../../mkimage/likeness_priv.h"

#define LEN    (40u << 10) /* bytes of a file */
#define PLENTY (8u << 20)  /* bytes of memory */
#define FAMILY 1000u	   /* files of a family have numbers from its first one on */

static struct mica_gear gear;
static struct mica_hoard hoard;
static struct mica_likeness *likeness;
static struct mica_err err;

static void start(uint64_t memory)
{
	mica_gear_init(&gear, 1u << 20);
	assert_int_equal(mica_hoard_init_disk(&hoard, 1024, &err), 0);
	assert_int_equal(mica_likeness_new(memory, &likeness, &err), 0);
}

static void stop(void)
{
	mica_hoard_free(&hoard);
	mica_likeness_free(likeness);
}

static void noise(unsigned char *p, size_t len, uint64_t seed)
{
	uint64_t v = seed * 2 + 1;

	for (size_t i = 0; i < len; i++) {
		v ^= v << 13;
		v ^= v >> 7;
		v ^= v << 17;
		p[i] = (unsigned char)(v * 0x2545f4914f6cdd1du >> 56);
	}
}

/* Three quarters are the family's, behind so many bytes of its own. */
static void add_kept(unsigned int number, uint8_t kind, bool keep)
{
	static unsigned char text[LEN];
	uint32_t own = LEN / 4 + number % FAMILY;

	noise(text, own, 77 + number);
	noise(text + own, LEN - own, number / FAMILY);
	/* in two pieces: what was cut must not matter */
	assert_int_equal(mica_likeness_add(likeness, &gear, text, own / 2, &err), 0);
	assert_int_equal(mica_likeness_add(likeness, &gear, text + own / 2, LEN - own / 2, &err),
			 0);
	assert_int_equal(mica_likeness_end(likeness, keep, &err), 0);
	hoard.files[hoard.count] = (struct mica_hoard_file){
		.off = hoard.used, .len = LEN, .kind = kind, .number = hoard.count};
	hoard.count++;
	hoard.used += LEN;
}

static void add(unsigned int number)
{
	add_kept(number, 0, true);
}

static const char *order(uint64_t window)
{
	static char text[4000];
	uint32_t first;
	size_t n = 0;

	text[0] = 0;
	assert_int_equal(mica_likeness_order(likeness, &hoard, window, &first, &err), 0);
	for (uint32_t i = first; i != MICA_HOARD_END; i = hoard.files[i].next)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "",
				      hoard.files[i].number);
	return text;
}

/* The families in the order of storage, a letter for each file: its number's rest. */
static const char *families(uint64_t window, unsigned int count)
{
	static char text[100];
	uint32_t first, n = 0;

	assert_int_equal(mica_likeness_order(likeness, &hoard, window, &first, &err), 0);
	for (uint32_t i = first; i != MICA_HOARD_END; i = hoard.files[i].next)
		text[n++] = (char)('a' + hoard.files[i].number % count);
	text[n] = 0;
	return text;
}

static void like_follows_like(void **state)
{
	(void)state;
	start(PLENTY);
	assert_string_equal(order(4 * LEN), "");
	for (unsigned int i = 1; i <= 3; i++)
		for (unsigned int family = 1; family <= 3; family++)
			add(family * FAMILY + i);
	assert_string_equal(families(4 * LEN, 3), "aaabbbccc");
	/* the numbers say which file's samples are whose, not the place in the hoard */
	for (uint32_t i = 0; i < hoard.count / 2; i++) {
		struct mica_hoard_file f = hoard.files[i];

		hoard.files[i] = hoard.files[hoard.count - 1 - i];
		hoard.files[hoard.count - 1 - i] = f;
	}
	assert_string_equal(families(4 * LEN, 3), "cccbbbaaa");
	stop();
}

static void kinds_and_settings_are_not_mixed(void **state)
{
	(void)state;
	start(PLENTY);
	for (unsigned int i = 0; i < 6; i++)
		add_kept(FAMILY + i, i % 2 ? MICA_KIND_PROGRAM : MICA_KIND_OTHER, true);
	mica_hoard_sort(&hoard);
	assert_string_equal(families(8 * LEN, 2), "aaabbb");
	assert_int_equal(hoard.files[2].number, 4);
	for (uint32_t i = 0; i < hoard.count; i++)
		hoard.files[i].kind = 0;
	mica_hoard_sort(&hoard);
	for (uint32_t i = 0; i < hoard.count; i++)
		hoard.files[i].setting = (uint8_t)(i % 2);
	assert_string_equal(families(8 * LEN, 2), "aaabbb");
	stop();
}

static void twins_and_what_is_packed_stay_out(void **state)
{
	struct mica_tinode twin = {0};

	(void)state;
	start(PLENTY);
	add(FAMILY);
	add_kept(FAMILY + 1, 0, false);
	add(2 * FAMILY);
	add(FAMILY + 2);
	add(FAMILY + 3);
	hoard.files[4].twin = &twin;
	assert_string_equal(order(4 * LEN), "0 3 1 2");
	stop();
}

/* With little memory there are fewer samples, of all files alike. */
static void memory_is_bounded(void **state)
{
	(void)state;
	start(0);
	for (unsigned int i = 0; i < 40; i++)
		for (unsigned int family = 1; family <= 10; family++)
			add(family * FAMILY + i);
	assert_true(likeness->bits > 6);
	assert_true(likeness->count <= likeness->max && likeness->cap <= likeness->max);
	order(4 * LEN);
	for (uint32_t i = 0, n = 0; i != MICA_HOARD_END; i = hoard.files[i].next, n++)
		assert_int_equal(hoard.files[i].number % 10, n / 40);
	mica_likeness_clear(likeness);
	mica_hoard_clear(&hoard);
	add(FAMILY);
	assert_string_equal(order(LEN), "0");
	assert_true(likeness->count > LEN / 128);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_follows_like),
		cmocka_unit_test(kinds_and_settings_are_not_mixed),
		cmocka_unit_test(twins_and_what_is_packed_stay_out),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
