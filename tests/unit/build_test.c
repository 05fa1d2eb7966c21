/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "random_model.h"

#define K	 1024ull
#define M	 (1024 * K)
#define G	 (1024 * M)
#define T	 (1024 * G)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A regular file of the spans of an array. */
#define FILE_OF(name, array)                                                                       \
	{                                                                                          \
		.path = (name), .mode = S_IFREG | 0644, .spans = (array),                          \
		.span_count = COUNT(array)                                                         \
	}

static const char *const compats[] = {"5.15", "6.1", "6.12", "6.15", "6.17"};
static const char *const codecs[] = {"none", "lz4", "zstd"};

static bool combination_allowed(const char *codec, const char *compat)
{
	return strcmp(codec, "zstd") || (strcmp(compat, "5.15") && strcmp(compat, "6.1"));
}

static void round_trip_all(const struct model *m, uint32_t cluster)
{
	for (size_t i = 0; i < COUNT(compats); i++) {
		for (size_t k = 0; k < COUNT(codecs); k++) {
			struct mica_build_opts o;

			if (!combination_allowed(codecs[k], compats[i]))
				continue;
			print_message("compat %s, %s, clusters of %u\n", compats[i], codecs[k],
				      cluster);
			o = maker_opts(codecs[k], cluster, compats[i]);
			maker_round_trip(m, &o, NULL);
		}
	}
}

static void small_plain_tail_behind_a_hole(void **state)
{
	static const struct span before[] = {{SPAN_TEXT, 70000, 1}};
	static const struct span a[] = {{SPAN_ZERO, 256 * K, 0}, {SPAN_RANDOM, 100, 2}};
	static const struct entry v[] = {FILE_OF("before", before), FILE_OF("a", a)};
	const struct model m = {v, COUNT(v)};

	(void)state;
	round_trip_all(&m, 256 * K);
}

static void sparse_zeros_behind_an_unaligned_file(void **state)
{
	static const struct span before[] = {{SPAN_TEXT, 70000, 1}};
	static const struct span a[] = {{SPAN_HOLE, 64 * M + 100, 0}};
	static const struct entry v[] = {
		FILE_OF("before", before),
		{.path = "a",
		 .mode = S_IFREG | 0644,
		 .spans = a,
		 .span_count = COUNT(a),
		 .declared = true},
	};
	const struct model m = {v, COUNT(v)};

	(void)state;
	round_trip_all(&m, 256 * K);
}

/* Holes make the records of the list few against the clusters: 16 bytes each. */
static void long_holes(void **state)
{
	static const struct span a[] = {{SPAN_TEXT, 256 * K, 1},
					{SPAN_ZERO, 40 * M, 0},
					{SPAN_RANDOM, 300 * K, 2},
					{SPAN_ZERO, 40 * M, 0},
					{SPAN_TEXT, 5000, 2}};
	static const struct entry v[] = {FILE_OF("a", a)};
	const struct model m = {v, COUNT(v)};

	(void)state;
	round_trip_all(&m, 256 * K);
}

static void plain_clusters_of_a_megabyte_anywhere(void **state)
{
	static const struct span a[] = {{SPAN_TEXT, 1 * M, 1}, {SPAN_RANDOM, 2 * M + 77, 2}};
	static const struct entry v[] = {FILE_OF("a", a)};
	const struct model m = {v, COUNT(v)};

	(void)state;
	round_trip_all(&m, 1 * M);
}

static const struct {
	const char *codec, *compat;
	uint32_t cluster;
} modes[] = {
	{"none", "5.15", 64 << 10},  {"none", "6.15", 256 << 10}, {"lz4", "5.15", 64 << 10},
	{"lz4hc", "6.1", 256 << 10}, {"lz4", "6.12", 1 << 20},	  {"lz4", "6.15", 128 << 10},
	{"zstd", "6.12", 256 << 10}, {"zstd", "6.12", 4 << 10},	  {"zstd", "6.15", 256 << 10},
	{"zstd", "6.15", 1 << 20},   {"zstd", "6.15", 4 << 10},	  {"lz4", "6.15", 1 << 20},
	{"zstd", "6.17", 256 << 10}, {"lz4", "6.17", 4 << 10},	  {"none", "6.17", 64 << 10},
};

static void round_trip_mode(const struct model *m, const char *codec, uint32_t cluster,
			    const char *compat)
{
	struct mica_build_opts o = maker_opts(codec, cluster, compat);

	print_message("compat %s, %s, clusters of %u\n", compat, codec, cluster);
	maker_round_trip(m, &o, NULL);
}

/* Records of 32 bytes, index entries by the million, maps with large chunks. */
static void files_over_4_gib(void **state)
{
	static const struct span a[] = {{SPAN_TEXT, 300 * K, 1},
					{SPAN_HOLE, 5 * G + 777, 0},
					{SPAN_RANDOM, 300 * K, 2},
					{SPAN_HOLE, 3 * G, 0},
					{SPAN_TEXT, 5000, 2}};
	static const struct span b[] = {{SPAN_HOLE, 4 * G - 1, 0}};
	static const struct span c[] = {{SPAN_HOLE, 4 * G - 100, 0}, {SPAN_RANDOM, 100, 1}};
	struct entry v[] = {FILE_OF("a", a), FILE_OF("b", b), FILE_OF("c", c)};
	const struct model m = {v, COUNT(v)};

	(void)state;
	for (int declared = 0; declared < 2; declared++) {
		for (size_t i = 0; i < COUNT(v); i++)
			v[i].declared = declared;
		round_trip_mode(&m, "none", 256 * K, "5.15");
		round_trip_mode(&m, "lz4", 256 * K, "6.1");
		round_trip_mode(&m, "zstd", 256 * K, "6.12");
		round_trip_mode(&m, "zstd", 1 * M, "6.15");
	}
}

/* Work and size follow what is stored, not what a file claims to be. */
static void enormous_sparse_files(void **state)
{
	static const struct span a[] = {{SPAN_HOLE, 100 * T, 0}, {SPAN_TEXT, 300 * K, 1}};
	static const struct span b[] = {{SPAN_HOLE, (uint64_t)INT64_MAX, 0}};
	static const struct span c[] = {{SPAN_TEXT, 300 * K, 2},
					{SPAN_HOLE, 7 * 1024 * 1024 * T, 0},
					{SPAN_TEXT, 300 * K, 3}};
	/* where data begin could be said in few bits, but no cluster is that large */
	static const struct span d[] = {{SPAN_HOLE, 1024 * M, 0}, {SPAN_TEXT, 100, 4}};
	static const struct span e[] = {{SPAN_HOLE, 4 * 1024 * 1024 * T, 0}, {SPAN_TEXT, K, 5}};
	struct entry v[] = {FILE_OF("a", a), FILE_OF("b", b), FILE_OF("d", d), FILE_OF("e", e),
			    FILE_OF("c", c)};
	struct mica_build_opts o = maker_opts("zstd", 256 * K, "6.15");
	struct mica_build_stats stats;

	(void)state;
	for (size_t i = 0; i < COUNT(v); i++)
		v[i].declared = true;
	maker_round_trip(&(struct model){v, COUNT(v)}, &o, &stats);
	assert_in_range(stats.image_bytes, 1, 5 * M);
	/* chunks before that: all but the last one */
	o = maker_opts("zstd", 256 * K, "6.12");
	maker_round_trip(&(struct model){v, COUNT(v) - 1}, &o, &stats);
	assert_in_range(stats.image_bytes, 1, 100 * M);
}

static const uint64_t sizes[] = {
	0,    1,     31,    32,	   100,	   3583,   3584,   3585,   4095,    4096,    4097,
	8192, 65535, 65536, 65537, 196608, 262143, 262144, 262145, 1048576, 1048577, 2097152,
};

/* Every size and kind of content in every mode, with clusters from the smallest to the largest. */
static void all_sizes(void **state)
{
	static const char *const ways[][2] = {{"lz4", "5.15"},
					      {"lz4", "6.12"},
					      {"zstd", "6.12"},
					      {"lz4", "6.15"},
					      {"zstd", "6.15"}};
	static struct span spans[3][COUNT(sizes)][3];
	static struct entry v[3 * COUNT(sizes)];
	static char names[3 * COUNT(sizes)][16];
	const struct model m = {v, COUNT(v)};

	(void)state;
	for (size_t n = 0; n < COUNT(v); n++) {
		size_t kind = n % 3, i = n / 3;
		uint64_t third = sizes[i] / 3;

		spans[0][i][0] = (struct span){SPAN_TEXT, sizes[i], 1};
		spans[1][i][0] = (struct span){SPAN_RANDOM, sizes[i], 1};
		spans[2][i][0] = (struct span){SPAN_RANDOM, third, 2};
		spans[2][i][1] = (struct span){SPAN_ZERO, third, 2};
		spans[2][i][2] = (struct span){SPAN_TEXT, sizes[i] - 2 * third, 2};
		snprintf(names[n], sizeof(names[n]), "%zu-%zu", i, kind);
		v[n] = (struct entry){.path = names[n],
				      .mode = S_IFREG | 0644,
				      .spans = spans[kind][i],
				      .span_count = kind == 2 ? 3 : 1};
	}
	round_trip_mode(&m, "none", 64 * K, "5.15");
	round_trip_mode(&m, "none", 4 * K, "6.15");
	for (size_t w = 0; w < COUNT(ways); w++)
		for (uint32_t cluster = 4 * K; cluster <= 1 * M; cluster *= w % 2 ? 16 : 4)
			round_trip_mode(&m, ways[w][0], cluster, ways[w][1]);
}

/* Link counts beyond 16 bits, in a directory of many blocks. */
static void seventy_thousand_links(void **state)
{
	enum { LINKS = 70000 };
	static const struct span spans[] = {{SPAN_TEXT, 10, 1}};
	static struct entry v[LINKS];
	static char names[LINKS][16];
	const struct model m = {v, LINKS};

	(void)state;
	for (unsigned int i = 0; i < LINKS; i++) {
		snprintf(names[i], sizeof(names[i]), "%u", i * 7919 % LINKS);
		v[i] = (struct entry){.path = names[i], .mode = S_IFREG | 0644, .nlink = LINKS};
		if (i)
			v[i].target = names[0];
	}
	v[0].spans = spans;
	v[0].span_count = 1;
	round_trip_mode(&m, "zstd", 256 * K, "6.12");
	round_trip_mode(&m, "zstd", 256 * K, "6.15");
}

/* The whole image, malloc'd. */
static unsigned char *build_bytes(const struct model *m, const struct mica_build_opts *o,
				  size_t *len, uint8_t uuid[16])
{
	struct mica_build_stats stats;
	struct mica_err err = {0};
	unsigned char *buf;
	FILE *f;

	if (maker_build(m, o, maker_path(), &stats, &err))
		fail_msg("%s", err.msg);
	*len = stats.image_bytes;
	memcpy(uuid, stats.uuid, 16);
	buf = malloc(*len + 1);
	f = fopen(maker_path(), "r");
	assert_true(buf && f);
	assert_int_equal(fread(buf, 1, *len + 1, f), *len);
	fclose(f);
	unlink(maker_path());
	return buf;
}

static void same_input_same_bytes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= COUNT(modes); seed++) {
		size_t n = seed % COUNT(modes), len[2];
		struct model model = random_model(seed, 60, modes[n].cluster);
		struct mica_build_opts o =
			maker_opts(modes[n].codec, modes[n].cluster, modes[n].compat);
		unsigned char *bytes[2];
		uint8_t uuid[2][16];

		o.jobs = 1;
		bytes[0] = build_bytes(&model, &o, &len[0], uuid[0]);
		o.jobs = 8;
		bytes[1] = build_bytes(&model, &o, &len[1], uuid[1]);
		assert_int_equal(len[1], len[0]);
		assert_memory_equal(bytes[1], bytes[0], len[0]);
		assert_memory_equal(uuid[1], uuid[0], 16);
		free(bytes[0]);
		free(bytes[1]);
		random_model_free(&model);
	}
}

/* Everything that makes two images differ makes their UUIDs differ. */
static void the_uuid_follows_the_content(void **state)
{
	static const struct span one[] = {{SPAN_TEXT, 100000, 1}}, two[] = {{SPAN_TEXT, 100000, 2}};
	static const struct span holes[2][1] = {{{SPAN_HOLE, 300000, 0}}, {{SPAN_HOLE, 300001, 0}}};
	struct entry v[] = {{.path = "", .mode = S_IFDIR | 0755}, FILE_OF("a", one)};
	const struct model m = {v, COUNT(v)};
	struct mica_build_opts o = maker_opts("zstd", 64 * K, "6.15");
	uint8_t uuid[8][16];
	size_t len, n = 0;

	(void)state;
	free(build_bytes(&m, &o, &len, uuid[n++]));
	v[1].spans = two;
	free(build_bytes(&m, &o, &len, uuid[n++]));
	v[1].spans = holes[0];
	free(build_bytes(&m, &o, &len, uuid[n++]));
	v[1].spans = holes[1];
	free(build_bytes(&m, &o, &len, uuid[n++]));
	/* all times later: inodes are the same, the superblock is not */
	v[0].mtime = v[1].mtime = 1700000000;
	free(build_bytes(&m, &o, &len, uuid[n++]));
	strcpy(o.label, "label");
	free(build_bytes(&m, &o, &len, uuid[n++]));
	v[1].path = "b";
	free(build_bytes(&m, &o, &len, uuid[n++]));
	o = maker_opts("zstd", 64 * K, "6.12");
	free(build_bytes(&m, &o, &len, uuid[n++]));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(uuid[i][6] >> 4, 8);
		assert_int_equal(uuid[i][8] >> 6, 2);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(uuid[i], uuid[k], 16);
	}
	o.have_uuid = true;
	memset(o.uuid, 7, 16);
	free(build_bytes(&m, &o, &len, uuid[0]));
	assert_memory_equal(uuid[0], o.uuid, 16);
}

static void a_failure_leaves_nothing(void **state)
{
	static unsigned char value[2000];
	static struct mica_kv kvs[MICA_XATTRS_SHARED_MAX + 1];
	static char names[COUNT(kvs)][32];
	static const struct span a[] = {{SPAN_RANDOM, 20 * M, 1}};
	struct entry v[] = {FILE_OF("a", a), FILE_OF("b", a)};
	struct mica_build_opts o = maker_opts("zstd", 64 * K, "6.12");
	struct mica_build_stats stats;
	struct mica_err err = {0};
	char dir[] = "failure.XXXXXX", path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(kvs); i++) {
		snprintf(names[i], sizeof(names[i]), "user.%zu", i);
		kvs[i] = (struct mica_kv){names[i], value, sizeof(value)};
	}
	v[1].xattrs = kvs;
	v[1].xattr_count = COUNT(kvs);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/image", dir);
	assert_int_equal(maker_build(&(struct model){v, 2}, &o, path, &stats, &err), MICA_E_LIMIT);
	assert_int_equal(rmdir(dir), 0);
}

/* Blocks of 512 bytes, the unit of a tar. */
static void small_blocks(void **state)
{
	static const char *const levels[] = {"6.4", "6.15"};

	(void)state;
	for (uint64_t seed = 100; seed < 110; seed++) {
		struct model model = random_model(seed, 10 + seed % 7 * 20, 64 * K);
		struct mica_build_opts o = maker_opts("none", 64 * K, levels[seed % 2]);

		o.small_blocks = true;
		o.verify = true;
		maker_round_trip(&model, &o, NULL);
		random_model_free(&model);
	}
}

/* BUILD_SEEDS=FIRST-LAST chooses others than the first 24. */
static void random_trees(void **state)
{
	const char *seeds = getenv("BUILD_SEEDS");
	unsigned long seed = 1, last = 24;

	(void)state;
	if (seeds)
		assert_int_equal(sscanf(seeds, "%lu-%lu", &seed, &last), 2);
	for (; seed <= last; seed++) {
		size_t m = seed % COUNT(modes);
		struct model model = random_model(seed, 10 + seed % 7 * 20, modes[m].cluster);
		struct mica_build_opts o =
			maker_opts(modes[m].codec, modes[m].cluster, modes[m].compat);

		print_message("seed %lu: compat %s, %s, clusters of %u\n", seed, modes[m].compat,
			      modes[m].codec, modes[m].cluster);
		maker_round_trip(&model, &o, NULL);
		random_model_free(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_plain_tail_behind_a_hole),
		cmocka_unit_test(sparse_zeros_behind_an_unaligned_file),
		cmocka_unit_test(long_holes),
		cmocka_unit_test(plain_clusters_of_a_megabyte_anywhere),
		cmocka_unit_test(files_over_4_gib),
		cmocka_unit_test(enormous_sparse_files),
		cmocka_unit_test(all_sizes),
		cmocka_unit_test(seventy_thousand_links),
		cmocka_unit_test(same_input_same_bytes),
		cmocka_unit_test(the_uuid_follows_the_content),
		cmocka_unit_test(a_failure_leaves_nothing),
		cmocka_unit_test(small_blocks),
		cmocka_unit_test(random_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
