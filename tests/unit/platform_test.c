/* SPDX-License-Identifier: MIT */
#include "../../mkimage/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct mica_platform of(const char *text)
{
	struct mica_platform p;
	struct mica_err err;

	assert_int_equal(mica_platform_parse(text, &p, &err), 0);
	return p;
}

static unsigned int rank(const char *want, const char *has)
{
	struct mica_platform w = of(want), h = of(has);

	return mica_platform_rank(&w, &h);
}

static void test_parse(void **state)
{
	struct mica_platform p = of("linux/arm/v7");
	char text[MICA_PLATFORM_TEXT];

	(void)state;
	assert_string_equal(p.os, "linux");
	assert_string_equal(p.arch, "arm");
	assert_string_equal(p.variant, "v7");
	mica_platform_format(&p, text);
	assert_string_equal(text, "linux/arm/v7");
	p = of("freebsd/amd64");
	assert_string_equal(p.variant, "");
	mica_platform_format(&p, text);
	assert_string_equal(text, "freebsd/amd64");
}

static void test_parse_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"linux",
		"linux/",
		"/amd64",
		"linux//v7",
		"linux/arm/",
		"linux/arm/v7/",
		"linux/arm/v7/x",
		"//",
		"linux/0123456789012345678901234567890123456789",
	};
	struct mica_platform p;
	struct mica_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (mica_platform_parse(bad[i], &p, &err) != MICA_E_USAGE)
			fail_msg("'%s' was taken", bad[i]);
}

static void test_rank(void **state)
{
	(void)state;
	assert_true(rank("linux/amd64", "linux/amd64") > 0);
	assert_int_equal(rank("linux/amd64", "linux/arm64"), 0);
	assert_int_equal(rank("linux/amd64", "windows/amd64"), 0);
	/* the usual variant said or not */
	assert_int_equal(rank("linux/arm64", "linux/arm64/v8"),
			 rank("linux/arm64/v8", "linux/arm64"));
	assert_int_equal(rank("linux/arm", "linux/arm/v7"), rank("linux/arm/v7", "linux/arm/v7"));
	/* lower ones run, higher ones do not, the highest is best */
	assert_true(rank("linux/arm/v7", "linux/arm/v6") > rank("linux/arm/v7", "linux/arm/v5"));
	assert_true(rank("linux/arm/v7", "linux/arm/v7") > rank("linux/arm/v7", "linux/arm/v6"));
	assert_int_equal(rank("linux/arm/v6", "linux/arm/v7"), 0);
	assert_int_equal(rank("linux/amd64", "linux/amd64/v2"), 0);
	assert_true(rank("linux/amd64/v3", "linux/amd64") > 0);
	/* other variants are equal or not */
	assert_true(rank("linux/ppc64le/power9", "linux/ppc64le/power9") > 0);
	assert_int_equal(rank("linux/ppc64le/power9", "linux/ppc64le/power8"), 0);
	assert_int_equal(rank("linux/ppc64le", "linux/ppc64le/power8"), 0);
	assert_int_equal(rank("linux/arm/v7", "linux/arm/v"), 0);
	assert_int_equal(rank("linux/arm/v7", "linux/arm/v6x"), 0);
	assert_int_equal(rank("linux/arm/v7", "linux/arm/v4294967302"), 0);
}

static void test_host(void **state)
{
	struct mica_platform host, again;
	char text[MICA_PLATFORM_TEXT];

	(void)state;
	mica_platform_host(&host);
	assert_string_equal(host.os, "linux");
	mica_platform_format(&host, text);
	again = of(text);
	assert_true(mica_platform_rank(&host, &again) > 0);
}

static void test_set(void **state)
{
	struct mica_platform p;
	char text[MICA_PLATFORM_TEXT];

	(void)state;
	assert_false(
		mica_platform_set(&p, "linux", "0123456789012345678901234567890123456789", ""));
	assert_true(mica_platform_set(&p, "li\x1bnux", "a\xff", NULL));
	mica_platform_format(&p, text);
	assert_string_equal(text, "li?nux/a?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_parse_refused),
		cmocka_unit_test(test_rank),  cmocka_unit_test(test_host),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
