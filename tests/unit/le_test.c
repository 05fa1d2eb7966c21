/* SPDX-License-Identifier: MIT */
#include "../../formats/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void bytes_are_little_endian(void **state)
{
	static const uint8_t bytes[] = {0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88};
	le16 a = le16_make(0xe2f1);
	le32 b = le32_make(0xc4d3e2f1);
	le64 c = le64_make(0x8897a6b5c4d3e2f1);

	(void)state;
	assert_memory_equal(&a, bytes, 2);
	assert_memory_equal(&b, bytes, 4);
	assert_memory_equal(&c, bytes, 8);
	assert_int_equal(le16_get(a), 0xe2f1);
	assert_int_equal(le32_get(b), 0xc4d3e2f1);
	assert_true(le64_get(c) == 0x8897a6b5c4d3e2f1);
}

static void all_bits_survive(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++) {
		uint64_t v = 1ULL << i;

		assert_int_equal(le16_get(le16_make((uint16_t)v)), (uint16_t)v);
		assert_int_equal(le32_get(le32_make((uint32_t)v)), (uint32_t)v);
		assert_true(le64_get(le64_make(v)) == v);
		assert_true(le64_get(le64_make(~v)) == ~v);
	}
}

static void structs_of_them_have_no_padding(void **state)
{
	struct odd {
		uint8_t a;
		le64 b;
		le16 c;
		le32 d;
	};

	(void)state;
	assert_int_equal(sizeof(struct odd), 15);
	assert_int_equal(offsetof(struct odd, d), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_little_endian),
		cmocka_unit_test(all_bits_survive),
		cmocka_unit_test(structs_of_them_have_no_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
