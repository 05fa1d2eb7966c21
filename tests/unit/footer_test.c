/* SPDX-License-Identifier: MIT */
/* Footers: what stands at the end of a file whose image is not the first thing in it. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../formats/footer.h"
#include "../../lib/image.h"

#define FILE_SIZE 8192u

static unsigned char file[FILE_SIZE];

static void put(struct mica_footer f)
{
	struct mica_footer_disk d;

	memset(file, 0, sizeof(file));
	mica_footer_encode(&f, &d);
	memcpy(file + sizeof(file) - sizeof(d), &d, sizeof(d));
}

static int find(size_t from, struct mica_footer *f, struct mica_err *err)
{
	struct mica_io *io = NULL;
	int ret;

	assert_int_equal(mica_io_open_mem("file", file + from, sizeof(file) - from, &io, err), 0);
	ret = mica_footer_find(io, f, err);
	mica_io_free(io);
	return ret;
}

/* The bytes, as docs/format.md has them. */
static void the_form_on_disk(void **state)
{
	static const unsigned char want[64] = {
		'm', 'i', 'c', 'a', 'f', 'o', 'o', 't', 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0,
		0,   0,	  0,   0,   0,	 8,   0,   0,	0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
	};
	struct mica_footer_disk d;

	(void)state;
	mica_footer_encode(&(struct mica_footer){.image = 512, .length = 2048, .device = 256}, &d);
	/* the checksum apart */
	assert_memory_equal(&d, want, 12);
	assert_memory_equal((unsigned char *)&d + 16, want + 16, 48);
}

static void a_footer_is_found(void **state)
{
	static const struct mica_footer good[] = {
		{512, 4096, 512},
		{0, FILE_SIZE - 64, 0},
		{4096, FILE_SIZE - 64 - 4096, 4096},
		{4096, 0, 0},
	};
	struct mica_footer f;
	struct mica_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		put(good[i]);
		assert_int_equal(find(0, &f, &err), 1);
		assert_memory_equal(&f, &good[i], sizeof(f));
	}
}

static void what_is_none(void **state)
{
	struct mica_footer f;
	struct mica_err err = {0};

	(void)state;
	memset(file, 0, sizeof(file));
	assert_int_equal(find(0, &f, &err), 0);
	assert_int_equal(find(sizeof(file), &f, &err), 0);
	assert_int_equal(find(sizeof(file) - 63, &f, &err), 0);
	/* any bit that changes makes it none */
	for (size_t i = 0; i < 64; i++) {
		put((struct mica_footer){512, 4096, 512});
		file[sizeof(file) - 64 + i] ^= (unsigned char)(1 << i % 8);
		assert_int_equal(find(0, &f, &err), 0);
	}
}

static void numbers_that_do_not_fit(void **state)
{
	static const struct mica_footer bad[] = {
		{513, 100, 0},		{512, FILE_SIZE - 64 - 511, 0}, {FILE_SIZE, 0, 0},
		{512, UINT64_MAX, 0},	{0 - (uint64_t)512, 1024, 0},	{512, 100, 513},
		{512, 100, UINT64_MAX},
	};
	struct mica_footer f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct mica_err err = {0};

		put(bad[i]);
		assert_int_equal(find(0, &f, &err), MICA_E_CORRUPT);
		assert_non_null(strstr(err.msg, "file: footer at 0x1fc0: image of "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_form_on_disk),
		cmocka_unit_test(a_footer_is_found),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(numbers_that_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
