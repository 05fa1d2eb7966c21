/* SPDX-License-Identifier: MIT */
#include "../../lib/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../lib/utf8.h"

static char *text;
static size_t text_len;

static void begin(struct mica_json *j)
{
	FILE *f = open_memstream(&text, &text_len);

	assert_non_null(f);
	mica_json_init(j, f);
}

static void expect(struct mica_json *j, const char *want)
{
	struct mica_err err = {0};

	assert_int_equal(mica_json_finish(j, &err), 0);
	fclose(j->f);
	assert_string_equal(text, want);
	free(text);
}

static void test_nesting(void **state)
{
	struct mica_json j;

	(void)state;
	begin(&j);
	mica_json_object(&j, NULL);
	mica_json_str(&j, "a", "x");
	mica_json_array(&j, "b");
	mica_json_u64(&j, NULL, UINT64_MAX);
	mica_json_i64(&j, NULL, INT64_MIN);
	mica_json_object(&j, NULL);
	mica_json_object_end(&j);
	mica_json_array_end(&j);
	mica_json_bool(&j, "c", true);
	mica_json_str(&j, "d", NULL);
	mica_json_double(&j, "e", 1.5);
	mica_json_double(&j, "f", NAN);
	mica_json_hex(&j, "g", "\x00\xff", 2);
	mica_json_object_end(&j);
	expect(&j, "{\"a\": \"x\", \"b\": [18446744073709551615, -9223372036854775808, {}], "
		   "\"c\": true, \"d\": null, \"e\": 1.500, \"f\": null, \"g\": \"00ff\"}\n");
}

static void test_escapes(void **state)
{
	struct mica_json j;

	(void)state;
	begin(&j);
	mica_json_bytes(&j, NULL, "\"\\\n\t\0\x7f\xc3\xa9\xff", 9);
	expect(&j, "\"\\\"\\\\\\n\\u0009\\u0000\\u007f\xc3\xa9\\udcff\"\n");
}

static void test_two_lines(void **state)
{
	struct mica_err err = {0};
	struct mica_json j;

	(void)state;
	begin(&j);
	mica_json_u64(&j, NULL, 1);
	assert_int_equal(mica_json_finish(&j, &err), 0);
	mica_json_u64(&j, NULL, 2);
	expect(&j, "1\n2\n");
}

static void test_close_all(void **state)
{
	struct mica_json j;

	(void)state;
	begin(&j);
	mica_json_object(&j, NULL);
	mica_json_array(&j, "a");
	mica_json_object(&j, NULL);
	mica_json_close_all(&j);
	expect(&j, "{\"a\": [{}]}\n");
}

static void test_full_device(void **state)
{
	struct mica_err err = {0};
	struct mica_json j;
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(f);
	mica_json_init(&j, f);
	mica_json_u64(&j, NULL, 1);
	assert_int_equal(mica_json_finish(&j, &err), MICA_E_SYS);
	fclose(f);
}

static void test_utf8(void **state)
{
	(void)state;
	assert_int_equal(mica_utf8_char("a", 1), 1);
	assert_int_equal(mica_utf8_char("", 0), 0);
	assert_int_equal(mica_utf8_char("\xc3\xa9", 2), 2);
	assert_int_equal(mica_utf8_char("\xc3", 1), 0);
	assert_int_equal(mica_utf8_char("\xc3z", 2), 0);
	assert_int_equal(mica_utf8_char("\xc0\x80", 2), 0);
	assert_int_equal(mica_utf8_char("\xe0\x80\x80", 3), 0);
	assert_int_equal(mica_utf8_char("\xe2\x82\xac", 3), 3);
	assert_int_equal(mica_utf8_char("\xed\xa0\x80", 3), 0);
	assert_int_equal(mica_utf8_char("\xf0\x9f\x98\x80", 4), 4);
	assert_int_equal(mica_utf8_char("\xf0\x80\x80\x80", 4), 0);
	assert_int_equal(mica_utf8_char("\xf4\x90\x80\x80", 4), 0);
	assert_int_equal(mica_utf8_char("\xff", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),	  cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_two_lines), cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_utf8),	  cmocka_unit_test(test_close_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
