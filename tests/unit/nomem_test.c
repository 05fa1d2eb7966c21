/* SPDX-License-Identifier: MIT */
/* Builds in which one allocation fails: each in its turn, until none is left that could. */
#include "maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "random_model.h"

/* Allocations until the one that fails; the linker leads all calls here (--wrap). */
static long left;

static bool fails(void)
{
	return __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0;
}

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__real_reallocarray(void *p, size_t count, size_t len);
void *__wrap_reallocarray(void *p, size_t count, size_t len);

void *__wrap_malloc(size_t len)
{
	return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
	return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_reallocarray(void *p, size_t count, size_t len)
{
	return fails() ? NULL : __real_reallocarray(p, count, len);
}

static void every_allocation(const char *codec, const char *compat)
{
	struct mica_build_opts o = maker_opts(codec, 16 << 10, compat);
	struct model model = random_model(3, 60, o.cluster);
	long n = 0, unused;

	do {
		struct mica_build_stats stats;
		struct mica_err err = {0};
		int ret;

		__atomic_store_n(&left, ++n, __ATOMIC_SEQ_CST);
		ret = maker_build(&model, &o, maker_path(), &stats, &err);
		unused = __atomic_exchange_n(&left, 0, __ATOMIC_SEQ_CST);
		if (unused > 0) {
			assert_int_equal(ret, 0);
			break;
		}
		if (ret != MICA_E_NOMEM)
			fail_msg("allocation %ld: %d (%s)", n, ret, err.msg);
		assert_int_equal(access(maker_path(), F_OK), -1);
	} while (n < 100000);
	print_message("%s, %s: %ld allocations\n", codec, compat, n - 1);
	assert_in_range(n, 30, 99999);
	maker_check_reader(&model, maker_path());
	unlink(maker_path());
	random_model_free(&model);
}

static void uncompressed(void **state)
{
	(void)state;
	every_allocation("none", "6.12");
}

static void compact_index(void **state)
{
	(void)state;
	every_allocation("lz4", "6.1");
}

static void compressed_metadata(void **state)
{
	(void)state;
	every_allocation("zstd", "6.17");
}

static void encoded_extents(void **state)
{
	(void)state;
	every_allocation("zstd", "6.15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uncompressed),
		cmocka_unit_test(compact_index),
		cmocka_unit_test(compressed_metadata),
		cmocka_unit_test(encoded_extents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
