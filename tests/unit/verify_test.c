/* SPDX-License-Identifier: MIT */
/*
 * mkimage --verify: an image that is changed between its writing and its
 * verification never gets a name, and the message says which file it is about.
 * mica_verify_image() is wrapped: the wrapper changes the file and then calls it.
 */
#include "maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../formats/erofs.h"
#include "../../formats/seal.h"
#include "../../lib/image.h"
#include "../../lib/util.h"
#include "../../mkimage/filesum.h"
#include "../../mkimage/outfile.h"
#include "../../mkimage/verify.h"
#include "random_model.h"

#define K	 1024ull
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef int verify_fn(struct mica_verify *v, const struct mica_layout *layout,
		      const struct mica_outfile *image, void (*tick)(void *ctx, uint64_t done),
		      void *ctx, struct mica_err *err);

verify_fn __real_mica_verify_image, __wrap_mica_verify_image;

/* What the wrapper does; NULL: nothing. */
static void (*tamper)(struct mica_outfile *image, unsigned char *bytes, uint64_t size);

static unsigned char *image_bytes(const struct mica_outfile *image, uint64_t *size)
{
	struct mica_io *io cleanup_io = NULL;
	struct mica_err err = {0};
	unsigned char *bytes;

	assert_int_equal(mica_outfile_io(image, &io, &err), 0);
	bytes = malloc(io->size);
	assert_non_null(bytes);
	assert_int_equal(mica_io_read(io, bytes, io->size, 0, &err), 0);
	*size = io->size;
	return bytes;
}

static void put(struct mica_outfile *image, const void *bytes, size_t len, uint64_t off)
{
	struct mica_err err = {0};

	assert_int_equal(mica_outfile_patch(image, bytes, len, off, &err), 0);
}

/* Each STEP-th byte is changed, one at a time; counts how many times a file was named. */
static unsigned int step, flips, named;

int __wrap_mica_verify_image(struct mica_verify *v, const struct mica_layout *layout,
			     const struct mica_outfile *image,
			     void (*tick)(void *ctx, uint64_t done), void *ctx,
			     struct mica_err *err)
{
	struct mica_outfile *f = (struct mica_outfile *)image;
	cleanup_free unsigned char *bytes = NULL;
	uint64_t size;

	bytes = image_bytes(image, &size);
	if (tamper)
		tamper(f, bytes, size);
	for (uint64_t off = MICA_SEAL_OFFSET; step && off < size; off += step) {
		unsigned char changed = bytes[off] ^ (unsigned char)(1 + off % 255);
		struct mica_err found = {0};

		put(f, &changed, 1, off);
		if (!__real_mica_verify_image(v, layout, image, NULL, NULL, &found))
			fail_msg("byte %llu of %llu: not found", (unsigned long long)off,
				 (unsigned long long)size);
		assert_int_equal(strncmp(found.msg, "verify: ", 8), 0);
		flips++;
		named += found.msg[8] == '\'';
		put(f, &bytes[off], 1, off);
	}
	return __real_mica_verify_image(v, layout, image, tick, ctx, err);
}

static const struct span text[] = {{SPAN_TEXT, 20 * K, 1}};
static const struct span noise[] = {{SPAN_RANDOM, 9000, 1}};
static const struct span holes[] = {{SPAN_HOLE, 100 * K, 0}, {SPAN_TEXT, 5000, 2}};
static const struct mica_kv attrs[] = {
	{(char *)"user.a", (unsigned char *)"value", 5},
	{(char *)"security.b", (unsigned char *)"\0\1", 2},
};
static const struct entry small_tree[] = {
	{.path = "", .mode = S_IFDIR | 0755},
	{.path = "dir", .mode = S_IFDIR | 0700, .uid = 7, .mtime = -5},
	{.path = "dir/text", .mode = S_IFREG | 0644, .spans = text, .span_count = COUNT(text)},
	{.path = "dir/noise", .mode = S_IFREG | 0600, .spans = noise, .span_count = COUNT(noise)},
	{.path = "holes", .mode = S_IFREG | 0640, .spans = holes, .span_count = COUNT(holes)},
	{.path = "link", .mode = S_IFLNK | 0777, .target = "dir/text"},
	{.path = "hard", .mode = S_IFREG | 0644, .target = "dir/text"},
	{.path = "null", .mode = S_IFCHR | 0666, .rdev = 0x103},
	{.path = "attrs",
	 .mode = S_IFREG | 0644,
	 .mtime = 1700000000,
	 .mtime_nsec = 5,
	 .xattrs = attrs,
	 .xattr_count = COUNT(attrs)},
};
static const struct model small_model = {small_tree, COUNT(small_tree)};

static void any_changed_byte_is_found(void **state)
{
	static const char *const ways[][2] = {{"zstd", "6.12"}, {"zstd", "6.15"}, {"none", "5.15"}};

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct mica_build_opts o = maker_opts(ways[i][0], 16 * K, ways[i][1]);

		o.verify = true;
		tamper = NULL;
		step = 13;
		flips = named = 0;
		/* all was put back, so that the image is good */
		maker_round_trip(&small_model, &o, NULL);
		assert_true(flips > 500);
		/* what is left are padding, the superblock and the seal */
		assert_true(named > flips / 4);
	}
	step = 0;
}

/* Find bytes that are there once, and change the first of them. */
static void change(struct mica_outfile *image, const unsigned char *bytes, uint64_t size,
		   const void *what, size_t len)
{
	const unsigned char *at = memmem(bytes, size, what, len);
	unsigned char changed;

	assert_non_null(at);
	changed = *at ^ 1;
	put(image, &changed, 1, (uint64_t)(at - bytes));
}

static void change_content(struct mica_outfile *image, unsigned char *bytes, uint64_t size)
{
	unsigned char want[64];

	content_fill(noise, COUNT(noise), 100, want, sizeof(want));
	change(image, bytes, size, want, sizeof(want));
}

static void change_name(struct mica_outfile *image, unsigned char *bytes, uint64_t size)
{
	/* names stand one behind the other */
	change(image, bytes, size, "noisetext", 9);
}

static void change_target(struct mica_outfile *image, unsigned char *bytes, uint64_t size)
{
	change(image, bytes, size, "dir/text", 8);
}

static void change_attribute(struct mica_outfile *image, unsigned char *bytes, uint64_t size)
{
	change(image, bytes, size, "avalue", 6);
}

static void change_mode(struct mica_outfile *image, unsigned char *bytes, uint64_t size)
{
	struct mica_image *img cleanup_image = NULL;
	struct mica_io *io = NULL;
	struct mica_err err = {0};
	struct mica_inode inode;
	le16 mode;

	(void)size;
	assert_int_equal(mica_outfile_io(image, &io, &err), 0);
	assert_int_equal(mica_image_open(io, NULL, &img, &err), 0);
	assert_int_equal(mica_image_walk(img, "dir", &inode, &err), 0);
	memcpy(&mode, bytes + inode.off + 4, sizeof(mode));
	assert_int_equal(le16_get(mode), S_IFDIR | 0700);
	mode = le16_make(S_IFDIR | 04700);
	put(image, &mode, sizeof(mode), inode.off + 4);
}

static void change_padding(struct mica_outfile *image, unsigned char *bytes, uint64_t size)
{
	assert_int_equal(bytes[size - 1], 0);
	put(image, "x", 1, size - 1);
}

static void the_message_names_the_file(void **state)
{
	static const struct {
		void (*tamper)(struct mica_outfile *image, unsigned char *bytes, uint64_t size);
		const char *message;
	} cases[] = {
		{change_content, "verify: 'dir/noise': the content is not that of the source"},
		{change_name, "verify: 'dir': the image has entry 'ooise' in place of 'noise'"},
		{change_target, "verify: 'link': the content is not that of the source"},
		{change_attribute,
		 "verify: 'attrs': the extended attributes are not those of the source"},
		{change_mode, "verify: 'dir': the mode is 044700 in the image, not 040700"},
		{change_padding, "verify: seal: the image's checksum is "},
	};
	struct mica_build_opts o = maker_opts("none", 16 * K, "6.12");
	char dir[] = "verify.XXXXXX", path[64];

	(void)state;
	o.verify = true;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/image", dir);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mica_build_stats stats;
		struct mica_err err = {0};

		tamper = cases[i].tamper;
		assert_int_equal(maker_build(&small_model, &o, path, &stats, &err), MICA_E_CORRUPT);
		if (strncmp(err.msg, path, strlen(path)) || !strstr(err.msg, cases[i].message))
			fail_msg("'%s' is not in '%s'", cases[i].message, err.msg);
		/* nothing is left, or this would fail */
		assert_int_equal(rmdir(dir), 0);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
	tamper = NULL;
	assert_int_equal(rmdir(dir), 0);
}

static void good_images_pass(void **state)
{
	static const char *const ways[][2] = {
		{"zstd", "6.12"}, {"lz4", "5.15"}, {"zstd", "6.15"}, {"none", "6.1"}};

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		const char *const *way = ways[seed % COUNT(ways)];
		struct model m = random_model(seed, 80, 64 * K);
		struct mica_build_opts o = maker_opts(way[0], 64 * K, way[1]);
		struct mica_build_stats stats;
		struct mica_err err = {0};

		o.verify = true;
		o.jobs = 1 + seed % 4;
		if (maker_build(&m, &o, maker_path(), &stats, &err))
			fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
		unlink(maker_path());
		random_model_free(&m);
	}
}

/* The sum of spans, given in pieces of up to max bytes; holes as bytes or as lengths. */
static void sum_of(struct mica_filesum *s, const struct span *spans, size_t count, size_t max,
		   bool lengths, uint8_t out[MICA_KEYHASH_LEN])
{
	static unsigned char buf[20000];
	struct mica_err err = {0};
	uint64_t off = 0;

	mica_filesum_begin(s);
	for (size_t i = 0; i < count; i++) {
		uint64_t end = off + spans[i].len;

		while (off < end) {
			size_t n = mica_min(end - off, 1 + off * 7 % max);

			content_fill(spans, count, off, buf, n);
			if (lengths && spans[i].kind == SPAN_ZERO)
				mica_filesum_zeros(s, n);
			else
				mica_filesum_add(s, buf, n);
			off += n;
		}
	}
	assert_int_equal(mica_filesum_end(s, out, &err), 0);
}

static void sums_do_not_depend_on_pieces(void **state)
{
	static const struct span contents[][4] = {
		{{SPAN_ZERO, 0, 0}},
		{{SPAN_ZERO, 1, 0}},
		{{SPAN_ZERO, 4096, 0}},
		{{SPAN_ZERO, 70001, 0}},
		{{SPAN_RANDOM, 70001, 1}},
		{{SPAN_RANDOM, 4096, 1}, {SPAN_ZERO, 4096, 0}},
		{{SPAN_RANDOM, 4096, 1}, {SPAN_ZERO, 4095, 0}},
		{{SPAN_ZERO, 4096, 0}, {SPAN_RANDOM, 4096, 1}},
		{{SPAN_ZERO, 8192, 0}, {SPAN_RANDOM, 4096, 1}},
		{{SPAN_RANDOM, 100, 1}, {SPAN_ZERO, 50000, 0}, {SPAN_RANDOM, 30000, 2}},
		{{SPAN_RANDOM, 30000, 1}, {SPAN_ZERO, 50000, 0}, {SPAN_TEXT, 100, 2}},
		{{SPAN_RANDOM, 30000, 1}, {SPAN_ZERO, 50001, 0}, {SPAN_TEXT, 100, 2}},
	};
	uint8_t key[MICA_KEYHASH_KEY], sums[COUNT(contents)][MICA_KEYHASH_LEN];
	struct mica_filesum s = {0};
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_keyhash_key(key, &err), 0);
	assert_int_equal(mica_filesum_init(&s, key, &err), 0);
	for (size_t i = 0; i < COUNT(contents); i++) {
		static const size_t max[] = {1, 100, 4095, 4096, 20000};

		sum_of(&s, contents[i], 4, 20000, false, sums[i]);
		for (size_t k = 0; k < 2 * COUNT(max); k++) {
			uint8_t again[MICA_KEYHASH_LEN];

			sum_of(&s, contents[i], 4, max[k / 2], k % 2, again);
			assert_memory_equal(again, sums[i], sizeof(again));
		}
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(sums[k], sums[i], sizeof(sums[i]));
	}
	mica_filesum_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_do_not_depend_on_pieces),
		cmocka_unit_test(good_images_pass),
		cmocka_unit_test(the_message_names_the_file),
		cmocka_unit_test(any_changed_byte_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
