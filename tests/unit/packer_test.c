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

static void raw_files(void **state)
{
	(void)state;
	start_image("none", 64 * K, "6.12");
	GIVE({SPAN_RANDOM, 0, 1});
	GIVE({SPAN_RANDOM, 1, 1});
	GIVE({SPAN_RANDOM, 4095, 2});
	GIVE({SPAN_RANDOM, 4096, 3});
	GIVE({SPAN_RANDOM, 4097, 4});
	GIVE({SPAN_RANDOM, 3584, 5});
	GIVE({SPAN_RANDOM, 3585, 6});
	GIVE({SPAN_RANDOM, 200 * K + 3584, 7});
	GIVE({SPAN_RANDOM, 200 * K + 3585, 8});
	finish();
	expect(0, "none");
	expect(1, "flat 0+1");
	expect(2, "flat 4095+0");
	expect(3, "flat 4096+0");
	expect(4, "flat 4096+1");
	expect(5, "flat 0+3584");
	expect(6, "flat 3585+0");
	expect(7, "flat 204800+3584");
	expect(8, "flat 208385+0");
	assert_int_equal(stats.max_pcluster, 0);
	end_image();
}

static void raw_zeros(void **state)
{
	(void)state;
	start_image("none", 64 * K, "6.12");
	GIVE({SPAN_ZERO, 1, 0});
	GIVE({SPAN_ZERO, 4096, 0});
	GIVE({SPAN_ZERO, 4097, 0});
	GIVE({SPAN_HOLE, 10 * M, 0});
	GIVE({SPAN_ZERO, 4096, 0}, {SPAN_RANDOM, 4096, 1});
	GIVE({SPAN_RANDOM, 4096, 2}, {SPAN_ZERO, 4096, 0});
	GIVE({SPAN_RANDOM, 4096, 3}, {SPAN_ZERO, 100, 0});
	GIVE({SPAN_RANDOM, 4096, 4}, {SPAN_ZERO, 4000, 0});
	GIVE({SPAN_RANDOM, 4096, 5}, {SPAN_ZERO, 8292, 0});
	GIVE({SPAN_RANDOM, 8192, 6}, {SPAN_ZERO, 8192, 0}, {SPAN_RANDOM, 8292, 6});
	GIVE({SPAN_RANDOM, 4000, 7}, {SPAN_ZERO, 8192, 0}, {SPAN_RANDOM, 4292, 7});
	GIVE({SPAN_RANDOM, 64 * K, 8}, {SPAN_HOLE, 1 * M, 0}, {SPAN_RANDOM, 64 * K, 8});
	finish();
	expect(0, "chunk 30: H1");
	expect(1, "chunk 30: H4096");
	expect(2, "chunk 30: H4097");
	expect(3, "chunk 30: H10485760");
	expect(4, "chunk 12: H4096 P4096");
	expect(5, "chunk 12: P4096 H4096");
	expect(6, "flat 4096+100");
	expect(7, "flat 8096+0");
	expect(8, "chunk 12: P4096 H8292");
	expect(9, "chunk 13: P8192 H8192 P8292");
	/* of 8192 zeros only one block is whole */
	expect(10, "chunk 12: P4096 H4096 P8292");
	expect(11, "chunk 16: P65536 H1048576 P65536");
	end_image();
}

static void raw_blocks_are_shared(void **state)
{
	uint64_t len;

	(void)state;
	start_image("none", 64 * K, "5.15");
	GIVE({SPAN_RANDOM, 300 * K, 1});
	GIVE({SPAN_RANDOM, 64 * K, 2});
	finish();
	len = out.len;
	/* its beginning, without a tail and with one */
	GIVE({SPAN_RANDOM, 32 * K, 1});
	GIVE({SPAN_RANDOM, 32 * K + 100, 1});
	/* two of its clusters apart, around new blocks and zeros */
	GIVE({SPAN_RANDOM, 64 * K, 2}, {SPAN_RANDOM, 8 * K, 3}, {SPAN_ZERO, 56 * K, 0},
	     {SPAN_RANDOM, 128 * K, 1}, {SPAN_ZERO, 100, 0});
	finish();
	assert_int_equal(out.len - len, 4 * K + 8 * K);
	expect(2, "chunk 30: P32768");
	expect(3, "chunk 15: P32768 P100");
	expect(4, "chunk 13: P65536 P8192 H57344 P131072 H100");
	/* a copy of a long one goes back, and what it had in common is found all the same */
	len = out.len;
	GIVE({SPAN_RANDOM, 300 * K, 1});
	GIVE({SPAN_RANDOM, 4 * K, 4}, {SPAN_RANDOM, 300 * K, 1});
	GIVE({SPAN_RANDOM, 4 * K, 4}, {SPAN_RANDOM, 300 * K, 1});
	finish();
	assert_int_equal(out.len - len, 4 * K);
	expect(5, "flat 307200+0");
	expect(6, "chunk 12: P4096 P307200");
	expect(7, "chunk 12: P4096 P307200");
	/* 4 KiB less are not worth the tail's block and a map */
	len = out.len;
	GIVE({SPAN_RANDOM, 4 * K, 4}, {SPAN_RANDOM, 4 * K + 1, 5});
	finish();
	assert_int_equal(out.len - len, 8 * K);
	expect(8, "flat 8192+1");
	end_image();
}

static void compact_files(void **state)
{
	(void)state;
	start_image("lz4", 64 * K, "6.0");
	GIVE({SPAN_TEXT, 1, 1});
	GIVE({SPAN_TEXT, 3000, 2});
	GIVE({SPAN_TEXT, 64 * K, 3});
	GIVE({SPAN_TEXT, 256 * K, 4});
	GIVE({SPAN_TEXT, 64 * K, 5}, {SPAN_RANDOM, 64 * K, 5}, {SPAN_TEXT, 10000, 5});
	GIVE({SPAN_RANDOM, 64 * K, 6}, {SPAN_TEXT, 64 * K, 6}, {SPAN_RANDOM, 5000, 6});
	GIVE({SPAN_RANDOM, 132 * K + 100, 7});
	GIVE({SPAN_ZERO, 64 * K, 0});
	GIVE({SPAN_TEXT, 64 * K, 8}, {SPAN_ZERO, 9 * M, 0}, {SPAN_RANDOM, 100, 8});
	GIVE({SPAN_ZERO, 64 * K, 0}, {SPAN_TEXT, 64 * K, 9});
	GIVE({SPAN_TEXT, 64 * K, 10}, {SPAN_HOLE, 64 * K, 0});
	finish();
	expect(0, "flat 0+1");
	expect(1, "pclusters: T3000");
	expect(2, "pclusters: E65536");
	expect(3, "pclusters: E65536 E65536 E65536 E65536");
	expect(4, "pclusters: E65536 P65536 T10000");
	expect(5, "pclusters: P65536 E65536 P5000");
	expect(6, "flat 135168+100");
	expect(7, "chunk 30: H65536");
	expect(8, "pclusters: E65536 E4194304 E4194304 E1048576 P100");
	expect(9, "pclusters: E65536 E65536");
	expect(10, "pclusters: E65536 E65536");
	assert_true(stats.zero_extents);
	end_image();
}

static void no_inline_pclusters_before_5_17(void **state)
{
	(void)state;
	start_image("lz4", 64 * K, "5.15");
	GIVE({SPAN_TEXT, 3000, 2});
	GIVE({SPAN_TEXT, 64 * K + 3000, 3});
	GIVE({SPAN_TEXT, 20000, 4});
	finish();
	expect(0, "flat 0+3000");
	expect(1, "pclusters: E65536 P3000");
	expect(2, "pclusters: E20000");
	end_image();
}

/* Files that are inline as a whole take no place among the others' data. */
static void inline_files_leave_no_gaps(void **state)
{
	uint64_t len;

	(void)state;
	start_image("zstd", 64 * K, "6.15");
	GIVE({SPAN_TEXT, 70000, 1});
	finish();
	len = out.len;
	for (int i = 0; i < 10; i++)
		GIVE({SPAN_RANDOM, 20, 2});
	GIVE({SPAN_RANDOM, 3584, 3});
	finish();
	assert_true(len % MICA_BLOCK);
	assert_int_equal(out.len, len);
	expect(5, "flat 0+20");
	expect(11, "flat 0+3584");
	end_image();
}

static void encoded_extents(void **state)
{
	(void)state;
	start_image("zstd", 64 * K, "6.15");
	GIVE({SPAN_TEXT, 3000, 1});
	GIVE({SPAN_TEXT, 64 * K + 1, 2});
	GIVE({SPAN_RANDOM, 100, 3});
	GIVE({SPAN_RANDOM, 3585, 4});
	GIVE({SPAN_RANDOM, 64 * K, 5});
	GIVE({SPAN_RANDOM, 64 * K + 3584, 6});
	GIVE({SPAN_RANDOM, 64 * K + 3585, 7});
	GIVE({SPAN_ZERO, 64 * K, 0}, {SPAN_RANDOM, 100, 8});
	GIVE({SPAN_ZERO, 64 * K, 0}, {SPAN_RANDOM, 64 * K + 100, 9});
	GIVE({SPAN_TEXT, 64 * K, 10}, {SPAN_ZERO, 9 * M, 0}, {SPAN_RANDOM, 100, 10});
	GIVE({SPAN_TEXT, 64 * K, 11}, {SPAN_HOLE, 9 * M, 0});
	GIVE({SPAN_HOLE, 9 * M, 0});
	GIVE({SPAN_TEXT, 64 * K, 12}, {SPAN_RANDOM, 64 * K, 12}, {SPAN_TEXT, 100, 12});
	GIVE({SPAN_RANDOM, 64 * K, 13}, {SPAN_ZERO, 100, 0});
	GIVE({SPAN_ZERO, 100, 0});
	finish();
	expect(0, "extents: E3000");
	expect(1, "extents: E65537");
	expect(2, "flat 0+100");
	expect(3, "extents: P3585");
	/* aligned, a flat file needs no index */
	expect(4, "flat 65536+0");
	expect(5, "flat 69120+0");
	expect(6, "flat 69121+0");
	expect(7, "extents: H65536 P100");
	expect(8, "extents: H65536 P65636");
	expect(9, "extents: E65536 H9437184 P100");
	expect(10, "extents: E65536 H9437184");
	expect(11, "chunk 30: H9437184");
	expect(12, "extents: E66573 P64599");
	expect(13, "extents: P65536 H100");
	expect(14, "extents: E100");
	assert_false(stats.zero_extents);
	end_image();
}

/* What matters is the content, however its zeros came. */
static void declared_holes_change_nothing(void **state)
{
	static const char *const modes[][2] = {{"none", "6.12"}, {"lz4", "6.1"}, {"zstd", "6.15"}};
	char first[4096];

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		start_image(modes[i][0], 64 * K, modes[i][1]);
		GIVE({SPAN_RANDOM, 9000, 1}, {SPAN_ZERO, 200 * K, 0}, {SPAN_TEXT, 100 * K, 1},
		     {SPAN_ZERO, 400 * K + 5, 0});
		GIVE({SPAN_RANDOM, 9000, 1}, {SPAN_HOLE, 200 * K, 0}, {SPAN_TEXT, 100 * K, 1},
		     {SPAN_HOLE, 400 * K + 5, 0});
		GIVE({SPAN_RANDOM, 9000, 1}, {SPAN_HOLE, 100 * K, 0}, {SPAN_ZERO, 60 * K, 0},
		     {SPAN_HOLE, 40 * K, 0}, {SPAN_TEXT, 100 * K, 1}, {SPAN_HOLE, 1, 0},
		     {SPAN_ZERO, 400 * K + 4, 0});
		finish();
		strcpy(first, stored_as(&files[0]));
		for (size_t k = 1; k < 3; k++)
			assert_string_equal(stored_as(&files[k]), first);
		/* holes are no content that could be shared */
		assert_true(stats.bytes_dup >= 2 * 100 * K);
		end_image();
	}
}

static void duplicates_are_stored_once(void **state)
{
	static const char *const modes[][2] = {{"none", "6.12"}, {"lz4", "6.12"}, {"zstd", "6.15"}};
	uint64_t once = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		for (int round = 0; round < 2; round++) {
			start_image(modes[i][0], 64 * K, modes[i][1]);
			for (int again = 0; again <= round; again++) {
				GIVE({SPAN_TEXT, 1000, 1});
				GIVE({SPAN_TEXT, 64 * K, 2});
				GIVE({SPAN_TEXT, 1 * M + 5, 3}, {SPAN_RANDOM, 5000, 3});
				GIVE({SPAN_RANDOM, 777 * K, 4});
				GIVE({SPAN_ZERO, 128 * K, 0});
			}
			finish();
			if (!round)
				once = mica_outfile_pos(&out);
			else
				assert_int_equal(mica_outfile_pos(&out), once);
			for (size_t k = 0; k < file_count; k++)
				stored_as(&files[k]);
			for (size_t k = 5; k < file_count; k++)
				assert_int_equal(files[k].inode.data.start,
						 files[k - 5].inode.data.start);
			assert_int_equal(stats.bytes_in, (1 + round) * (stats.bytes_in >> round));
			/* zeros are not always counted */
			assert_in_range(stats.bytes_dup, round ? stats.bytes_in / 2 - 128 * K : 0,
					round ? stats.bytes_in / 2 : 0);
			end_image();
		}
	}
}

/* One bit apart is no duplicate, and neither is a prefix; before extents could be shared. */
static void near_duplicates_are_not(void **state)
{
	(void)state;
	start_image("lz4", 64 * K, "6.0");
	GIVE({SPAN_TEXT, 200 * K, 1}, {SPAN_RANDOM, 1, 1});
	GIVE({SPAN_TEXT, 200 * K, 1}, {SPAN_RANDOM, 1, 2});
	GIVE({SPAN_TEXT, 200 * K, 1});
	GIVE({SPAN_TEXT, 192 * K, 1});
	GIVE({SPAN_TEXT, 192 * K, 1}, {SPAN_ZERO, 64 * K, 0});
	GIVE({SPAN_TEXT, 192 * K, 1}, {SPAN_ZERO, 128 * K, 0});
	GIVE({SPAN_ZERO, 64 * K, 0}, {SPAN_TEXT, 192 * K, 1});
	GIVE({SPAN_ZERO, 64 * K, 0});
	GIVE({SPAN_ZERO, 64 * K + 1, 0});
	GIVE({SPAN_ZERO, 128 * K, 0});
	finish();
	assert_int_equal(stats.bytes_dup, 0);
	for (size_t i = 0; i < file_count; i++)
		stored_as(&files[i]);
	end_image();
}

static const uint64_t sizes[] = {
	0,	1,	31,	 32,	  100,	   3583,    3584,  3585,      4095,	     4096,
	4097,	8191,	8192,	 8193,	  65535,   65536,   65537, 3 * 65536, 3 * 65536 + 1, 262143,
	262144, 262145, 1048575, 1048576, 1048577, 2621440,
};

/* Every size, cluster and way to store, with contents of every kind. */
static void all_sizes(void **state)
{
	static const char *const modes[][2] = {{"none", "6.12"}, {"none", "6.15"}, {"lz4", "5.15"},
					       {"lz4", "6.12"},	 {"zstd", "6.12"}, {"lz4", "6.15"},
					       {"zstd", "6.15"}};
	static struct span spans[3][COUNT(sizes)][3];

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct span text = {SPAN_TEXT, sizes[i], 1}, random = {SPAN_RANDOM, sizes[i], 1};

		spans[0][i][0] = text;
		spans[1][i][0] = random;
		spans[2][i][0] = (struct span){SPAN_RANDOM, sizes[i] / 3, 2};
		spans[2][i][1] = (struct span){SPAN_ZERO, sizes[i] / 3, 2};
		spans[2][i][2] = (struct span){SPAN_TEXT, sizes[i] - sizes[i] / 3 * 2, 2};
	}
	for (size_t m = 0; m < COUNT(modes); m++) {
		for (uint32_t cluster = 4096; cluster <= 1 << 20; cluster *= 4) {
			for (size_t kind = 0; kind < 3; kind++) {
				start_image(modes[m][0], cluster, modes[m][1]);
				for (size_t i = 0; i < COUNT(sizes); i++)
					if (sizes[i] <= 3 * mica_max(cluster, 64 * K))
						give(spans[kind][i], kind == 2 ? 3 : 1);
				finish();
				for (size_t i = 0; i < file_count; i++)
					stored_as(&files[i]);
				end_image();
			}
		}
	}
}

/* Nothing depends on how many threads there are. */
static void threads_change_nothing(void **state)
{
	unsigned char *first = NULL;
	size_t len = 0;

	(void)state;
	for (unsigned int jobs = 1; jobs <= 8; jobs += 7) {
		start_image("zstd", 16 * K, "6.15");
		mica_packer_free(packer);
		opts.jobs = jobs;
		assert_int_equal(mica_packer_new(&opts, &out, spool, &packer, &err), 0);
		GIVE({SPAN_TEXT, 3 * M, 1}, {SPAN_RANDOM, 1 * M, 1}, {SPAN_ZERO, 1 * M, 1});
		for (int i = 0; i < 40; i++)
			GIVE({SPAN_TEXT, 50000, 2});
		GIVE({SPAN_RANDOM, 3 * M, 3});
		GIVE({SPAN_TEXT, 7 * M, 4});
		finish();
		if (jobs == 1) {
			len = out.len;
			first = out.buf;
			out.buf = NULL;
		} else {
			assert_int_equal(out.len, len);
			assert_memory_equal(out.buf, first, len);
		}
		end_image();
	}
	free(first);
}

static void sparse_files(void **state)
{
	static const struct span scattered[] = {{SPAN_RANDOM, 64 * K, 1},
						{SPAN_HOLE, 64 * M - 64 * K, 0},
						{SPAN_RANDOM, 64 * K, 2},
						{SPAN_HOLE, 100, 0}};
	static const struct span dense[] = {{SPAN_TEXT, 5 * M, 1}, {SPAN_HOLE, 59 * M, 0}};
	static const struct span zeros[] = {{SPAN_HOLE, 20 * M, 0},
					    {SPAN_ZERO, 4096, 0},
					    {SPAN_HOLE, 44 * M, 0},
					    {SPAN_ZERO, 4196, 0}};

	(void)state;
	start_image("zstd", 256 * K, "6.12");
	GIVE({SPAN_TEXT, 70000, 1});
	give_sparse(scattered, COUNT(scattered));
	give_sparse(dense, COUNT(dense));
	give_sparse(zeros, COUNT(zeros));
	finish();
	expect(1, "chunk 16: P65536 H67043328 P65536 H100");
	assert_non_null(strstr(stored_as(&files[2]), " E4194304 E4194304"));
	expect(3, "chunk 30: H67117156");
	end_image();

	start_image("zstd", 256 * K, "6.15");
	GIVE({SPAN_TEXT, 70000, 1}); /* ends anywhere */
	give_sparse(scattered, COUNT(scattered));
	give_sparse(zeros, COUNT(zeros));
	finish();
	expect(1, "extents: E262144 H66846720 P65636");
	expect(2, "chunk 30: H67117156");
	end_image();
}

/* The map of an enormous hole stays small; so does that of little data in it. */
static void enormous_sparse_files(void **state)
{
	static const struct span hole[] = {{SPAN_HOLE, INT64_MAX, 0}};
	static const struct span far[] = {{SPAN_HOLE, 40 * T, 0}, {SPAN_RANDOM, 100, 1}};

	(void)state;
	start_image("lz4", 256 * K, "6.12");
	give_sparse(hole, COUNT(hole));
	give_sparse(far, COUNT(far));
	finish();
	expect(0, "chunk 43: H9223372036854775807");
	expect(1, "chunk 30: H43980465111040 P100");
	assert_true(out.len < 4 * MICA_BLOCK);
	end_image();
	start_image("lz4", 256 * K, "6.15");
	give_sparse(hole, COUNT(hole));
	give_sparse(far, COUNT(far));
	finish();
	expect(0, "extents: H9223372036854775807");
	expect(1, "extents: H43980465111040 P100");
	end_image();
}

/* More entries than a compact index can count: not compressed then. */
static void files_longer_than_a_compact_index(void **state)
{
	static const struct span longer[] = {{SPAN_TEXT, 256 * K, 1},
					     {SPAN_HOLE, 16 * T - 256 * K - 4095, 0}};

	(void)state;
	start_image("lz4", 256 * K, "6.12");
	give(longer, COUNT(longer));
	finish();
	expect(0, "chunk 18: P262144 H17592185778177");
	end_image();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(raw_files),
		cmocka_unit_test(raw_zeros),
		cmocka_unit_test(raw_blocks_are_shared),
		cmocka_unit_test(compact_files),
		cmocka_unit_test(no_inline_pclusters_before_5_17),
		cmocka_unit_test(inline_files_leave_no_gaps),
		cmocka_unit_test(encoded_extents),
		cmocka_unit_test(declared_holes_change_nothing),
		cmocka_unit_test(duplicates_are_stored_once),
		cmocka_unit_test(near_duplicates_are_not),
		cmocka_unit_test(all_sizes),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(sparse_files),
		cmocka_unit_test(enormous_sparse_files),
		cmocka_unit_test(files_longer_than_a_compact_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
