/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/data.h"
#include "../../mkimage/extlist.h"
#include "packer_files.h"

static int give_code(const struct span *spans, size_t count, const struct mica_run *runs,
		     size_t run_count)
{
	err = (struct mica_err){0};
	return give_runs(spans, count, runs, run_count);
}

static void declared_runs_are_checked(void **state)
{
	static const struct span spans[] = {{SPAN_HOLE, 64 * M, 0}};
	static const struct {
		struct mica_run runs[2];
		const char *message;
	} cases[] = {
		{{{0, 4096}, {4095, 1}},
		 "data run 1: 1 bytes at 4095 are not within 4096..67108864"},
		{{{0, 0}, {67108864, 1}},
		 "data run 1: 1 bytes at 67108864 are not within 0..67108864"},
		{{{8192, UINT64_MAX}, {0, 0}},
		 "data run 0: 18446744073709551615 bytes at 8192 are not within 0..67108864"},
		{{{UINT64_MAX, 2}, {0, 0}},
		 "data run 0: 2 bytes at 18446744073709551615 are not within 0..67108864"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		start_image("none", 64 * K, "6.12");
		assert_int_equal(give_code(spans, 1, cases[i].runs, 2), MICA_E_INPUT);
		assert_string_equal(err.msg, cases[i].message);
		end_image();
	}
}

static void sizes_are_checked(void **state)
{
	struct mica_tinode inode = {0};

	(void)state;
	start_image("zstd", 64 * K, "6.12");
	assert_int_equal(mica_packer_begin(packer, &inode, "", 1ull << 63, NULL, 0, &err),
			 MICA_E_INPUT);
	assert_string_equal(err.msg, "size 9223372036854775808 is over 2^63 - 1");
	assert_int_equal(mica_packer_begin(packer, &inode, "", 10, NULL, 0, &err), 0);
	assert_int_equal(mica_packer_write(packer, "0123456789x", 11, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, "more data than the 10 bytes that were announced");
	assert_int_equal(mica_packer_zeros(packer, UINT64_MAX, &err), MICA_E_INPUT);
	assert_int_equal(mica_packer_write(packer, "01234", 5, &err), 0);
	assert_int_equal(mica_packer_end(packer, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, "only 5 of 10 bytes came");
	end_image();
}

/* Said when it happens, not when terabytes more have been written. */
static void an_image_has_16_tib(void **state)
{
	static const struct span spans[] = {{SPAN_RANDOM, 64 * K, 1}};

	(void)state;
	start_image_at("none", 64 * K, "6.12", 16 * T - 64 * K - MICA_BLOCK);
	give(spans, 1);
	finish();
	expect(0, "flat 65536+0");
	end_image();
	start_image_at("none", 64 * K, "6.12", 16 * T - 64 * K);
	give(spans, 1);
	assert_int_equal(mica_packer_flush(packer, &err), MICA_E_LIMIT);
	assert_string_equal(err.msg, "more data than the 16 TiB of an image");
	end_image();
}

static void symlinks(void **state)
{
	static char target[4096];

	(void)state;
	memset(target, 'x', sizeof(target));
	for (int extents = 0; extents < 2; extents++) {
		uint64_t at;
		unsigned char got[4096];

		start_image("zstd", 64 * K, extents ? "6.15" : "6.12");
		GIVE({SPAN_TEXT, 70000, 1});
		for (size_t i = 1; i < 4; i++) {
			size_t len = i == 1 ? 1 : i == 2 ? MICA_TAIL_MAX : 4095;

			assert_int_equal(
				mica_packer_symlink(packer, &files[i].inode, target, len, &err), 0);
			assert_int_equal(files[i].inode.size, len);
		}
		finish();
		for (size_t i = 1; i < 3; i++) {
			const struct mica_data *d = &files[i].inode.data;

			assert_int_equal(d->kind, MICA_DATA_FLAT);
			assert_int_equal(d->tail_len, files[i].inode.size);
			tail_read(d, got);
			assert_memory_equal(got, target, d->tail_len);
		}
		at = files[3].inode.data.start;
		assert_int_equal(files[3].inode.data.kind, MICA_DATA_FLAT);
		assert_int_equal(files[3].inode.data.tail_len, 0);
		assert_memory_equal(fake_outfile_at(&out, at, MICA_BLOCK), target, 4095);
		end_image();
	}
}

/* An error of the disk reaches whoever gives the next data, or the flush. */
static void a_full_disk(void **state)
{
	static const char *const modes[][2] = {{"none", "6.12"}, {"lz4", "6.12"}, {"zstd", "6.15"}};
	static const struct span spans[] = {
		{SPAN_RANDOM, 8 * M, 1}, {SPAN_ZERO, 8 * M, 0}, {SPAN_TEXT, 8 * M, 1}};

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		for (uint64_t at = 1 * M; at < 8 * M; at += 3 * M + 5) {
			int ret;

			start_image(modes[i][0], 64 * K, modes[i][1]);
			out.fail_at = at;
			ret = give_code(spans, COUNT(spans), NULL, 0);
			if (!ret)
				ret = mica_packer_flush(packer, &err);
			assert_int_equal(ret, MICA_E_SYS);
			assert_int_equal(err.sys, ENOSPC);
			end_image();
		}
	}
}

static void given_up_half_way(void **state)
{
	struct mica_tinode inode = {0};
	static unsigned char buf[100000];

	(void)state;
	start_image("zstd", 64 * K, "6.12");
	assert_int_equal(mica_packer_begin(packer, &inode, "", 10 * M, NULL, 0, &err), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(mica_packer_write(packer, buf, sizeof(buf), &err), 0);
	end_image();
}

/* Lists longer than memory keeps: around the ends of segments. */
static void long_lists(void **state)
{
	static const uint32_t counts[] = {0,
					  1,
					  511,
					  512,
					  513,
					  MICA_EXTLIST_SEGMENT - 1,
					  MICA_EXTLIST_SEGMENT,
					  MICA_EXTLIST_SEGMENT + 1,
					  3 * MICA_EXTLIST_SEGMENT,
					  3 * MICA_EXTLIST_SEGMENT + 700};
	struct mica_extlist l = {0};

	(void)state;
	assert_int_equal(mica_spool_new("packer.img", &spool, &err), 0);
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct mica_data data = {.count = counts[i]};
		const struct mica_pext *x;
		struct mica_extreader r;
		char tail[5] = "";
		uint32_t n = 0;
		int ret = 0;

		mica_extlist_clear(&l);
		for (uint32_t k = 0; k < counts[i]; k++)
			assert_int_equal(
				mica_extlist_add(
					&l, spool,
					(struct mica_pext){.llen = k + 1, .plen = k + 2, .alg = 3},
					&err),
				0);
		assert_int_equal(mica_extlist_count(&l), counts[i]);
		assert_int_equal(mica_extlist_save(&l, spool, "tail", 5, &data.spool_off, &err), 0);
		mica_extreader_start(&r, spool, &data);
		for (; (x = mica_extreader_next(&r, &ret, &err)); n++)
			assert_true(x->llen == n + 1 && x->plen == n + 2 && x->alg == 3);
		assert_int_equal(ret, 0);
		assert_int_equal(n, counts[i]);
		assert_int_equal(mica_spool_read(spool, tail, 5, mica_extlist_tail(&data), &err),
				 0);
		assert_string_equal(tail, "tail");
	}
	mica_extlist_free(&l);
	mica_spool_free(spool);
	spool = NULL;
}

static void what_a_list_merges(void **state)
{
	struct mica_extlist l = {0};
	static const struct mica_pext give_these[] = {
		{.llen = 100, .alg = -1},
		{.llen = 200, .alg = -1},
		{.llen = 0, .plen = 1, .alg = -1},
		{.llen = 50, .pstart = 4096, .plen = 1, .alg = -1},
		{.llen = 50, .pstart = 4146, .plen = 1, .alg = -1},
		{.llen = 30, .pstart = 4196, .plen = 7, .alg = -1},
		{.llen = 30, .pstart = 4203, .plen = 7, .alg = -1},
		{.llen = 9, .alg = 0},
		{.llen = 9, .alg = 0},
		{.llen = 1, .alg = -1},
		{.llen = 5, .pstart = 8192, .plen = 1, .alg = -1},
		{.llen = 5, .pstart = 4096, .plen = 1, .alg = -1},
	};
	static const uint64_t lens[] = {300, 100, 30, 30, 9, 9, 1, 5, 5};

	(void)state;
	assert_int_equal(mica_spool_new("packer.img", &spool, &err), 0);
	for (size_t i = 0; i < COUNT(give_these); i++)
		assert_int_equal(mica_extlist_add(&l, spool, give_these[i], &err), 0);
	assert_int_equal(mica_extlist_count(&l), COUNT(lens));
	for (size_t i = 0; i < COUNT(lens); i++)
		assert_int_equal(l.v[i].llen, lens[i]);
	assert_int_equal(l.end, 489);
	assert_int_equal(l.bounds, 300 | 400 | 430 | 460 | 469 | 478 | 479 | 484);
	assert_int_equal(l.longest, 100);
	assert_true(l.scattered);
	/* an inode cannot count more */
	l.segment_count = MICA_EXTLIST_SEGMENT - 1;
	l.used = MICA_EXTLIST_SEGMENT - 1;
	l.v = realloc(l.v, MICA_EXTLIST_SEGMENT * sizeof(*l.v));
	assert_non_null(l.v);
	l.v[l.used - 1] = (struct mica_pext){.llen = 1, .plen = 5};
	l.cap = MICA_EXTLIST_SEGMENT;
	assert_int_equal(mica_extlist_count(&l), UINT32_MAX);
	assert_int_equal(
		mica_extlist_add(&l, spool, (struct mica_pext){.llen = 1, .plen = 5}, &err),
		MICA_E_LIMIT);
	assert_string_equal(err.msg, "more than 4294967295 extents in a file");
	mica_extlist_free(&l);
	mica_spool_free(spool);
	spool = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declared_runs_are_checked),
		cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(an_image_has_16_tib),
		cmocka_unit_test(symlinks),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(given_up_half_way),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(what_a_list_merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
