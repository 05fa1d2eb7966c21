/* SPDX-License-Identifier: MIT */
#include "../../lib/json_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/util.h"

static struct mica_json_doc *doc;
static struct mica_err err;

static const struct mica_json_value *parse(const char *text)
{
	mica_json_doc_free(doc);
	doc = NULL;
	assert_int_equal(mica_json_doc_parse(text, strlen(text), &doc, &err), 0);
	return mica_json_doc_root(doc);
}

static int teardown(void **state)
{
	(void)state;
	mica_json_doc_free(doc);
	doc = NULL;
	return 0;
}

static void test_members(void **state)
{
	const struct mica_json_value *root =
		parse("{\"t\": \"gr\\u00f6\\u00dfe\", \"n\": 7, \"l\": [\"a\", 1, {}], \"o\": {}, "
		      "\"z\": null}");
	const struct mica_json_value *v;
	const char *text;
	uint64_t n;

	(void)state;
	assert_int_equal(mica_json_get_text(root, "t", &text, &err), 0);
	assert_string_equal(text, "größe");
	assert_int_equal(mica_json_get_u64(root, "n", &n, &err), 0);
	assert_int_equal(n, 7);
	assert_int_equal(mica_json_get_list(root, "l", &v, &err), 0);
	assert_int_equal(mica_json_list_len(v), 3);
	assert_string_equal(mica_json_text(mica_json_list_at(v, 0)), "a");
	assert_null(mica_json_text(mica_json_list_at(v, 1)));
	assert_null(mica_json_list_at(v, 3));
	assert_int_equal(mica_json_get_object(root, "o", &v, &err), 0);
	assert_non_null(v);
	assert_int_equal(mica_json_list_len(v), 0);
	assert_int_equal(mica_json_list_len(NULL), 0);
}

static void test_absent_and_null(void **state)
{
	const struct mica_json_value *root = parse("{\"z\": null}"), *v;
	const char *text;
	uint64_t n = 5;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *key = i ? "z" : "absent";

		text = "x";
		assert_int_equal(mica_json_get_text(root, key, &text, &err), 0);
		assert_null(text);
		v = root;
		assert_int_equal(mica_json_get_list(root, key, &v, &err), 0);
		assert_null(v);
		v = root;
		assert_int_equal(mica_json_get_object(root, key, &v, &err), 0);
		assert_null(v);
		assert_int_equal(mica_json_get_u64(root, key, &n, &err), MICA_E_INPUT);
		assert_non_null(strstr(err.msg, "is missing"));
	}
	assert_int_equal(n, 5);
}

static void test_wrong_types(void **state)
{
	const struct mica_json_value *root =
		parse("{\"t\": \"x\", \"n\": -1, \"f\": 1.5, \"l\": []}");
	const struct mica_json_value *v;
	const char *text;
	uint64_t n;

	(void)state;
	assert_int_equal(mica_json_get_text(root, "n", &text, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, "'n' is no text");
	assert_int_equal(mica_json_get_u64(root, "n", &n, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, "'n': -1 is negative");
	assert_int_equal(mica_json_get_u64(root, "f", &n, &err), MICA_E_INPUT);
	assert_int_equal(mica_json_get_u64(root, "t", &n, &err), MICA_E_INPUT);
	assert_int_equal(mica_json_get_object(root, "l", &v, &err), MICA_E_INPUT);
	assert_int_equal(mica_json_get_list(root, "t", &v, &err), MICA_E_INPUT);
	assert_int_equal(mica_json_get_list(root, "l", &v, &err), 0);
	/* members of what is no object, and of nothing */
	assert_int_equal(mica_json_get_text(v, "t", &text, &err), MICA_E_INPUT);
	assert_int_equal(mica_json_get_text(NULL, "t", &text, &err), MICA_E_INPUT);
}

static void refuse(const char *text, size_t len, int code, const char *message)
{
	struct mica_json_doc *none = NULL;

	memset(&err, 0, sizeof(err));
	assert_int_equal(mica_json_doc_parse(text, len, &none, &err), code);
	assert_null(none);
	if (!strstr(err.msg, message))
		fail_msg("'%s' is not in '%s'", message, err.msg);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"{\"a\"}",
		"{\"a\":}",
		"{a:1}",
		"{'a':1}",
		"{\"a\":1,}",
		"[1,]",
		"[1 2]",
		"{} x",
		"{}{}",
		"nul",
		"[01]",
		"[+1]",
		"[.5]",
		"[1.]",
		"[0x1]",
		"[NaN]",
		"[Infinity]",
		"[\"\\x\"]",
		"[\"\\u12\"]",
		"[\"\n\"]",
		"[\"\xff\"]",
		"[\"\xc0\xaf\"]",
		"[\"\xed\xa0\x80\"]",
		"[\"\xf5\x80\x80\x80\"]",
		"[\"\\udc00\"]",
		"[\"\\ud800\\ud800\"]",
		"[\"\\u0000\"]",
		"{\"a\":1,\"a\":1}",
		"[1e999]",
		"[99999999999999999999]",
		"[-99999999999999999999]",
		"\xef\xbb\xbf{}",
		"[1]/**/",
		"7",
		"null",
		"\"x\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i], strlen(bad[i]), MICA_E_INPUT, "JSON: line ");
	refuse("[\0]", 3, MICA_E_INPUT, "JSON: line 1");
}

static void test_message_is_clean(void **state)
{
	(void)state;
	refuse("[\x1b[2J\x7f", 6, MICA_E_INPUT, "JSON: ");
	for (const char *c = err.msg; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
}

static void test_limits(void **state)
{
	size_t len = MICA_JSON_IN_MAX;
	char *text = malloc(len + 1);

	(void)state;
	assert_non_null(text);
	memset(text, ' ', len + 1);
	text[0] = '{';
	text[1] = '}';
	refuse(text, len + 1, MICA_E_LIMIT, "JSON: 4194305 bytes exceed 4194304");
	assert_int_equal(mica_json_doc_parse(text, len, &doc, &err), 0);
	memset(text, '[', 1000000);
	refuse(text, 1000000, MICA_E_LIMIT, "1000000 objects and lists exceed 100000");
	/* nested deeper than anybody's */
	refuse(text, 100000, MICA_E_INPUT, "maximum parsing depth");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_members, teardown),
		cmocka_unit_test_teardown(test_absent_and_null, teardown),
		cmocka_unit_test_teardown(test_wrong_types, teardown),
		cmocka_unit_test_teardown(test_refused, teardown),
		cmocka_unit_test_teardown(test_message_is_clean, teardown),
		cmocka_unit_test_teardown(test_limits, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
