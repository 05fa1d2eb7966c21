/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/uuid.h"

static void uuids_are_read_as_they_are_written(void **state)
{
	static const char text[] = "01234567-89ab-cdef-fedc-ba9876543210";
	static const uint8_t bytes[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					  0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
	char out[MICA_UUID_TEXT];
	uint8_t uuid[16];

	(void)state;
	assert_true(mica_uuid_parse(text, uuid));
	assert_memory_equal(uuid, bytes, sizeof(bytes));
	mica_uuid_format(uuid, out);
	assert_string_equal(out, text);
	memset(uuid, 0, sizeof(uuid));
	assert_true(mica_uuid_parse("01234567-89AB-CDEF-FEDC-BA9876543210", uuid));
	assert_memory_equal(uuid, bytes, sizeof(bytes));
}

static void what_is_no_uuid_is_told(void **state)
{
	static const char *const bad[] = {
		"",
		"01234567-89ab-cdef-fedc-ba987654321",
		"01234567-89ab-cdef-fedc-ba98765432100",
		"0123456789abcdeffedcba9876543210",
		"01234567-89ab-cdef-fedc-ba987654321g",
		"01234567+89ab-cdef-fedc-ba9876543210",
		"-1234567-89ab-cdef-fedc-ba9876543210",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	uint8_t uuid[16];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(mica_uuid_parse(bad[i], uuid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uuids_are_read_as_they_are_written),
		cmocka_unit_test(what_is_no_uuid_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
