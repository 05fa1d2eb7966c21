/* SPDX-License-Identifier: MIT */
/* What files share: the packed inode, and extents of large files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/data.h"
#include "../../mkimage/gear.h"
#include "packer_files.h"

static void start(const char *codec, uint32_t cluster, const char *compat,
		  enum mica_fragments fragments, uint64_t memory, unsigned int jobs)
{
	start_image(codec, cluster, compat);
	mica_packer_free(packer);
	opts.fragments = fragments;
	opts.memory = memory;
	opts.jobs = jobs;
	assert_int_equal(mica_packer_new(&opts, &out, spool, &packer, &err), 0);
}

/* "extents: E98304 R40000 ..." -> bytes of partial ones */
static uint64_t bytes_of(size_t i, char kind)
{
	const char *p = stored_as(&files[i]);
	uint64_t sum = 0;

	while ((p = strchr(p, ' '))) {
		p++;
		if (*p == kind)
			sum += strtoull(p + 1, NULL, 10);
	}
	return sum;
}

static void check_all(void)
{
	for (size_t i = 0; i < file_count; i++)
		stored_as(&files[i]);
}

static void small_files_share_the_packed_inode(void **state)
{
	static const char *const compat[] = {"6.1", "6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < COUNT(compat); i++) {
		start("lz4", 64 * K, compat[i], MICA_FRAGMENTS_SMALL, 64 * M, 2);
		GIVE({SPAN_TEXT, 32, 1});
		GIVE({SPAN_TEXT, 33, 2});
		GIVE({SPAN_TEXT, 5000, 3});
		GIVE({SPAN_RANDOM, 64 * K - 1, 4});
		GIVE({SPAN_TEXT, 5000, 3}); /* a twin */
		GIVE({SPAN_ZERO, 10000, 0});
		GIVE({SPAN_HOLE, 10000, 0});
		GIVE({SPAN_TEXT, 64 * K, 5});
		finish();
		expect(0, "flat 0+32");
		expect(1, "fragment 33");
		expect(2, "fragment 5000");
		expect(3, "fragment 65535");
		expect(4, "fragment 5000");
		expect(5, "fragment 10000");
		assert_int_equal(files[4].inode.data.fragment, files[2].inode.data.fragment);
		assert_int_equal(files[6].inode.data.fragment, files[5].inode.data.fragment);
		assert_int_equal(stats.bytes_dup, 15000);
		assert_int_equal(mica_packer_packed(packer)->size, 33 + 5000 + 64 * K - 1 + 10000);
		assert_null(strchr(stored_as(&files[7]), 'F'));
		end_image();
	}
}

static void tails_are_in_it_as_well(void **state)
{
	static const char *const compat[] = {"6.1", "6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < COUNT(compat); i++) {
		bool extents = i == 2;

		start("lz4", 64 * K, compat[i], MICA_FRAGMENTS_TAILS, 64 * M, 2);
		GIVE({SPAN_TEXT, 64 * K, 1}, {SPAN_RANDOM, 5000, 1});
		GIVE({SPAN_TEXT, 64 * K, 2}, {SPAN_TEXT, 1, 1});
		GIVE({SPAN_RANDOM, 5000, 1}); /* a twin of a tail */
		GIVE({SPAN_TEXT, 64 * K, 3});
		GIVE({SPAN_HOLE, 128 * K, 0}, {SPAN_TEXT, 3000, 4});
		GIVE({SPAN_RANDOM, 64 * K, 5}, {SPAN_TEXT, 3000, 4});
		GIVE({SPAN_TEXT, 200 * K, 6}, {SPAN_ZERO, 100, 0});
		finish();
		assert_non_null(strstr(stored_as(&files[0]), " F5000"));
		assert_non_null(strstr(stored_as(&files[1]), " F1"));
		expect(2, "fragment 5000");
		assert_null(strchr(stored_as(&files[3]), 'F'));
		expect(4, extents ? "extents: H131072 F3000" : "pclusters: E131072 F3000");
		expect(5, extents ? "extents: P65536 F3000" : "pclusters: P65536 F3000");
		assert_int_equal(files[2].inode.data.fragment, files[0].inode.data.fragment);
		assert_int_equal(files[5].inode.data.fragment, files[4].inode.data.fragment);
		check_all();
		end_image();
	}
}

static void nothing_is_shared_where_it_must_not_be(void **state)
{
	(void)state;
	start("lz4", 64 * K, "6.15", MICA_FRAGMENTS_OFF, 64 * M, 2);
	GIVE({SPAN_TEXT, 5000, 1});
	finish();
	assert_null(mica_packer_packed(packer));
	assert_null(strstr(stored_as(&files[0]), "fragment"));
	end_image();
	/* kernels know of no fragments, or read them uncompressed */
	start("lz4", 64 * K, "5.15", MICA_FRAGMENTS_TAILS, 64 * M, 2);
	GIVE({SPAN_TEXT, 5000, 1});
	GIVE({SPAN_TEXT, 70000, 1});
	finish();
	assert_null(mica_packer_packed(packer));
	check_all();
	end_image();
	start("none", 64 * K, "6.15", MICA_FRAGMENTS_TAILS, 64 * M, 2);
	GIVE({SPAN_TEXT, 5000, 1});
	finish();
	assert_null(mica_packer_packed(packer));
	end_image();
	/* so little that it is inline */
	start("lz4", 64 * K, "6.15", MICA_FRAGMENTS_SMALL, 64 * M, 2);
	GIVE({SPAN_TEXT, 1500, 1});
	GIVE({SPAN_TEXT, 1500, 1});
	GIVE({SPAN_TEXT, 500, 2});
	finish();
	assert_null(mica_packer_packed(packer));
	expect(0, "flat 0+1500");
	expect(1, "flat 0+1500");
	expect(2, "flat 0+500");
	end_image();
}

static void a_shifted_copy_shares_most(void **state)
{
	static const char *const compat[] = {"6.1", "6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < COUNT(compat); i++) {
		uint64_t first;

		start("lz4", 64 * K, compat[i], MICA_FRAGMENTS_SMALL, 64 * M, 2);
		GIVE({SPAN_TEXT, 3 * M, 1});
		finish();
		first = stats.bytes_stored;
		/* in the front and in the middle */
		GIVE({SPAN_RANDOM, 12345, 2}, {SPAN_TEXT, 3 * M, 1});
		GIVE({SPAN_TEXT, 3 * M, 1}, {SPAN_RANDOM, 777, 3}, {SPAN_TEXT, 3 * M, 1});
		finish();
		check_all();
		assert_true(stats.bytes_dup > 8 * M);
		assert_true(stats.bytes_stored < first + first / 4);
		end_image();
	}
}

/* A file that goes on like another one and then differs has a part of an extent. */
static void a_part_of_an_extent_is_shared(void **state)
{
	static const char *const compat[] = {"6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < COUNT(compat); i++) {
		start("zstd", 256 * K, compat[i], MICA_FRAGMENTS_SMALL, 64 * M, 2);
		GIVE({SPAN_TEXT, 256 * K, 1});
		GIVE({SPAN_TEXT, 200 * K, 1}, {SPAN_TEXT, 200 * K, 2});
		finish();
		check_all();
		/* all but the chunk that is another one */
		assert_in_range(bytes_of(1, 'R'), 150 * K, 200 * K);
		assert_true(files[1].inode.data.flags & MICA_DATA_SCATTERED);
		end_image();
	}
}

/* Of extents that begin alike, the one that goes on like the file is shared. */
static void the_longest_of_several_is_shared(void **state)
{
	static const char *const compat[] = {"6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < COUNT(compat); i++) {
		start("zstd", 256 * K, compat[i], MICA_FRAGMENTS_SMALL, 64 * M, 2);
		/* too little in common to share it */
		GIVE({SPAN_TEXT, 30 * K, 1}, {SPAN_TEXT, 230 * K, 2});
		GIVE({SPAN_TEXT, 30 * K, 1}, {SPAN_TEXT, 230 * K, 3});
		finish();
		assert_int_equal(bytes_of(1, 'R'), 0);
		assert_int_equal(stats.bytes_dup, 0);
		GIVE({SPAN_TEXT, 30 * K, 1}, {SPAN_TEXT, 230 * K, 3});
		finish();
		check_all();
		assert_int_equal(stats.bytes_dup, 260 * K);
		end_image();
	}
}

/* Random bytes are stored plain; parts of them are shared as plain ones. */
static void what_is_plain_is_shared_too(void **state)
{
	static const char *const compat[] = {"6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < COUNT(compat); i++) {
		start("zstd", 64 * K, compat[i], MICA_FRAGMENTS_SMALL, 64 * M, 2);
		GIVE({SPAN_RANDOM, 1 * M, 1});
		GIVE({SPAN_RANDOM, 600 * K, 1}, {SPAN_TEXT, 100 * K, 2});
		GIVE({SPAN_TEXT, 128 * K, 3}, {SPAN_RANDOM, 1 * M, 1});
		finish();
		check_all();
		end_image();
	}
}

/*
 * Before 6.15, two extents must not begin in one block. Here the new one is a single chunk,
 * shorter than a block, before one that is there.
 */
static void a_short_chunk_before_what_is_shared(void **state)
{
	static const uint32_t clusters[] = {64 * K, 128 * K, 256 * K};
	static unsigned char buf[64 * K];

	(void)state;
	for (size_t i = 0; i < COUNT(clusters); i++) {
		static struct span spans[24][2];
		struct mica_gear g;
		size_t n = 0;

		mica_gear_init(&g, clusters[i]);
		start("zstd", clusters[i], "6.12", MICA_FRAGMENTS_SMALL, 64 * M, 2);
		GIVE({SPAN_TEXT, 700 * K, 1});
		for (uint32_t seed = 2; n < COUNT(spans); seed++) {
			/* every other one does not shrink, so that it takes a block more */
			struct span s = {n % 2 ? SPAN_RANDOM : SPAN_TEXT, sizeof(buf), seed};

			content_fill(&s, 1, 0, buf, sizeof(buf));
			s.len = mica_gear_cut(&g, buf, sizeof(buf));
			if (s.len > 2 * MICA_BLOCK)
				continue;
			spans[n][0] = s;
			spans[n][1] = (struct span){SPAN_TEXT, 700 * K, 1};
			give(spans[n++], 2);
		}
		finish();
		check_all();
		end_image();
	}
}

/* What is left behind a shared extent may be a single block that does not shrink. */
static void a_short_rest_behind_what_is_shared(void **state)
{
	static struct span spans[64][2];
	static unsigned char buf[256 * K];
	struct mica_gear g;
	size_t off = 0;

	(void)state;
	mica_gear_init(&g, 64 * K);
	start("zstd", 64 * K, "6.12", MICA_FRAGMENTS_SMALL, 64 * M, 2);
	GIVE({SPAN_TEXT, 256 * K, 1});
	content_fill(files[0].spans, 1, 0, buf, sizeof(buf));
	for (size_t i = 0; i < 60 && off < sizeof(buf); i++) {
		off += mica_gear_cut(&g, buf + off, sizeof(buf) - off);
		if (off < 64 * K)
			continue;
		/* up to a block's end, or a little less */
		spans[i][0] = (struct span){SPAN_TEXT, off, 1};
		spans[i][1] = (struct span){SPAN_RANDOM, MICA_BLOCK - off % MICA_BLOCK - i % 3,
					    (uint32_t)i + 2};
		give(spans[i], 2);
	}
	finish();
	check_all();
	end_image();
}

static void declared_holes_are_zeros(void **state)
{
	static const struct span with[][5] = {
		{{SPAN_TEXT, 70000, 1},
		 {SPAN_HOLE, 3 * M, 0},
		 {SPAN_TEXT, 70000, 2},
		 {SPAN_HOLE, 100 * K, 0},
		 {SPAN_RANDOM, 100, 3}},
		{{SPAN_HOLE, 64 * K, 0},
		 {SPAN_TEXT, 64 * K, 1},
		 {SPAN_HOLE, 2 * M, 0},
		 {SPAN_HOLE, 64 * K, 0},
		 {SPAN_TEXT, 1, 1}},
		{{SPAN_TEXT, 2 * M - 1, 4},
		 {SPAN_HOLE, 128 * K, 0},
		 {SPAN_TEXT, 2 * M, 4},
		 {SPAN_HOLE, 4 * M, 0},
		 {SPAN_HOLE, 77, 0}},
	};
	static struct span without[COUNT(with)][5];
	static const char *const compat[] = {"6.12", "6.15"};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(compat); i++) {
		unsigned char *first;
		size_t len;

		start("lz4", 64 * K, compat[i / 2],
		      i % 2 ? MICA_FRAGMENTS_TAILS : MICA_FRAGMENTS_OFF, 64 * M, 2);
		for (size_t k = 0; k < COUNT(with); k++)
			give_sparse(with[k], 5);
		finish();
		check_all();
		len = out.len;
		first = out.buf;
		out.buf = NULL;
		end_image();
		start("lz4", 64 * K, compat[i / 2],
		      i % 2 ? MICA_FRAGMENTS_TAILS : MICA_FRAGMENTS_OFF, 64 * M, 2);
		for (size_t k = 0; k < COUNT(with); k++) {
			memcpy(without[k], with[k], sizeof(with[k]));
			for (size_t s = 0; s < 5; s++)
				if (without[k][s].kind == SPAN_HOLE)
					without[k][s].kind = SPAN_ZERO;
			give(without[k], 5);
		}
		finish();
		check_all();
		assert_int_equal(out.len, len);
		assert_memory_equal(out.buf, first, len);
		free(first);
		end_image();
	}
}

/* Small and large files, zeros and duplicates in turn; more than two hoards hold. */
static void mixture_give(void)
{
	static struct span spans[40][3];

	for (size_t i = 0; i < COUNT(spans); i++) {
		struct span *s = spans[i];

		s[0] = (struct span){i % 3 ? SPAN_RANDOM : SPAN_TEXT, 500 * K + i * 1234,
				     (uint32_t)(i % 30)};
		s[1] = (struct span){i % 2 ? SPAN_HOLE : SPAN_ZERO, i % 5 * 77 * K, 0};
		s[2] = (struct span){SPAN_TEXT, i % 7 ? 1000 : 900 * K, (uint32_t)(i % 4)};
		if (i % 4 == 1) /* small */
			give(s + 2, 1);
		else
			give(s, 3);
	}
}

static void threads_change_nothing(void **state)
{
	static const struct {
		const char *codec, *compat;
		uint32_t cluster;
		enum mica_fragments fragments;
	} cases[] = {
		{"lz4", "6.15", 1 * M, MICA_FRAGMENTS_SMALL},
		{"lz4", "6.12", 64 * K, MICA_FRAGMENTS_TAILS},
		{"zstd:1", "6.15", 64 * K, MICA_FRAGMENTS_TAILS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char *first = NULL;
		size_t len = 0;

		for (unsigned int jobs = 1; jobs <= 8; jobs += 7) {
			/* so little memory means hoards of 4 MiB */
			start(cases[i].codec, cases[i].cluster, cases[i].compat, cases[i].fragments,
			      1 * M, jobs);
			mixture_give();
			finish();
			if (jobs == 1) {
				check_all();
				assert_non_null(mica_packer_packed(packer));
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
}

static void all_clusters(void **state)
{
	static const char *const compat[] = {"6.1", "6.15"};

	(void)state;
	for (uint32_t cluster = 4 * K; cluster <= 1 * M; cluster *= 2)
		for (size_t i = 0; i < COUNT(compat); i++) {
			start("lz4", cluster, compat[i],
			      i ? MICA_FRAGMENTS_SMALL : MICA_FRAGMENTS_TAILS, 64 * M, 2);
			GIVE({SPAN_TEXT, 4095, 1});
			GIVE({SPAN_TEXT, 1500 * K + 1, 1}, {SPAN_RANDOM, 70000, 1});
			GIVE({SPAN_RANDOM, 3000, 2}, {SPAN_TEXT, 1500 * K, 1});
			GIVE({SPAN_ZERO, 1 * M, 0}, {SPAN_TEXT, 5000, 1});
			GIVE({SPAN_RANDOM, 60000, 3});
			finish();
			check_all();
			end_image();
		}
}

/* Ended before all of it came: everything is freed. */
static void a_packer_can_be_dropped_at_any_time(void **state)
{
	static const struct span large[] = {{SPAN_TEXT, 5 * M, 1}};

	(void)state;
	for (uint64_t fail = 0; fail < 2; fail++) {
		start("lz4", 64 * K, "6.15", MICA_FRAGMENTS_TAILS, 1 * M, 2);
		/* nothing but the first MiB can be written */
		out.fail_at = fail ? 1 * M : 0;
		for (int i = 0; i < 3; i++) {
			files[i].inode.mode = 0100644;
			if (mica_packer_begin(packer, &files[i].inode, "", 5 * M + 100, NULL, 0,
					      &err))
				break;
			if (give_spans(large, 1) == 0)
				fail_msg("too short, and nobody noticed");
		}
		end_image();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_files_share_the_packed_inode),
		cmocka_unit_test(tails_are_in_it_as_well),
		cmocka_unit_test(nothing_is_shared_where_it_must_not_be),
		cmocka_unit_test(a_shifted_copy_shares_most),
		cmocka_unit_test(a_part_of_an_extent_is_shared),
		cmocka_unit_test(the_longest_of_several_is_shared),
		cmocka_unit_test(what_is_plain_is_shared_too),
		cmocka_unit_test(a_short_chunk_before_what_is_shared),
		cmocka_unit_test(a_short_rest_behind_what_is_shared),
		cmocka_unit_test(declared_holes_are_zeros),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(all_clusters),
		cmocka_unit_test(a_packer_can_be_dropped_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
