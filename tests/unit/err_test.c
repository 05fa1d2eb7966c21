/* SPDX-License-Identifier: MIT */
#include "../../lib/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void context_is_added_in_front(void **state)
{
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_err_set(&err, MICA_E_CORRUPT, "cause %d", 7), MICA_E_CORRUPT);
	assert_int_equal(mica_err_wrap(&err, "inner"), MICA_E_CORRUPT);
	assert_int_equal(mica_err_wrap(&err, "outer %s", "x"), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "outer x: inner: cause 7");
	assert_int_equal(err.sys, 0);
}

static void system_errors_keep_errno(void **state)
{
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_err_sys(&err, ENOENT, "open %s", "f"), MICA_E_SYS);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, "open f: No such file or directory");
	assert_int_equal(mica_err_sys(&err, ENOMEM, "map"), MICA_E_NOMEM);
	assert_int_equal(mica_err_set(&err, MICA_E_USAGE, "again"), MICA_E_USAGE);
	assert_int_equal(err.sys, 0);
}

static void nobody_needs_to_listen(void **state)
{
	(void)state;
	assert_int_equal(mica_err_set(NULL, MICA_E_LIMIT, "x"), MICA_E_LIMIT);
	assert_int_equal(mica_err_sys(NULL, EIO, "x"), MICA_E_SYS);
	assert_true(mica_err_wrap(NULL, "x") < 0);
	assert_int_equal(mica_err_nomem(NULL), MICA_E_NOMEM);
}

static void long_messages_are_cut(void **state)
{
	char text[2 * MICA_ERR_MSG_MAX];
	struct mica_err err = {0};

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	mica_err_set(&err, MICA_E_CORRUPT, "%s", text);
	assert_int_equal(strlen(err.msg), MICA_ERR_MSG_MAX - 1);
	mica_err_sys(&err, EIO, "%s", text);
	assert_int_equal(strlen(err.msg), MICA_ERR_MSG_MAX - 1);
	assert_int_equal(mica_err_wrap(&err, "%s", text), MICA_E_SYS);
	assert_int_equal(strlen(err.msg), MICA_ERR_MSG_MAX - 1);
}

static void codes_become_errno(void **state)
{
	static const struct {
		int code, sys, want;
	} cases[] = {
		{0, 0, 0},
		{MICA_E_SYS, EACCES, EACCES},
		{MICA_E_SYS, 0, EIO},
		{MICA_E_CORRUPT, 0, EIO},
		{MICA_E_UNSUPPORTED, 0, EOPNOTSUPP},
		{MICA_E_USAGE, 0, EINVAL},
		{MICA_E_NOMEM, 0, ENOMEM},
		{MICA_E_NOENT, 0, ENOENT},
		{MICA_E_LIMIT, 0, EIO},
		{MICA_E_INPUT, 0, EIO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mica_err err = {.code = cases[i].code, .sys = cases[i].sys};

		assert_int_equal(mica_err_errno(&err), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_is_added_in_front),
		cmocka_unit_test(system_errors_keep_errno),
		cmocka_unit_test(nobody_needs_to_listen),
		cmocka_unit_test(long_messages_are_cut),
		cmocka_unit_test(codes_become_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
