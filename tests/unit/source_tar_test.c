/* SPDX-License-Identifier: MIT */
/* Tar archives: headers, names, numbers, what is wrong with them, filters. */
#include "source_expect.h"

#include <archive.h>
#include <archive_entry.h>

static void test_types(void **state)
{
	(void)state;
	TAR(&t, .name = "./", .type = '5', .mode = 01777, .mtime = 7);
	TAR(&t, .name = "f", .data = "hello", .mode = 04755, .uid = 1, .gid = 2, .mtime = 1000);
	TAR(&t, .name = "h", .type = '1', .link = "./f");
	TAR(&t, .name = "s", .type = '2', .link = "../x/./y/");
	TAR(&t, .name = "c", .type = '3', .major = 5, .minor = 1);
	TAR(&t, .name = "b", .type = '4', .major = 4095, .minor = 0xfffff);
	TAR(&t, .name = "d/", .type = '5');
	TAR(&t, .name = "p", .type = '6', .mode = 0600);
	TAR(&t, .name = "7", .type = '7', .data = "contiguous");
	expect("d 1777 0:0 7 .\n"
	       "f 4755 1:2 1000 f size=5 hello\n"
	       "h 0644 0:0 0 h => f\n"
	       "l 0644 0:0 0 s -> ../x/./y/\n"
	       "c 0644 0:0 0 c rdev=0x501\n"
	       "b 0644 0:0 0 b rdev=0xffffffff\n"
	       "d 0755 0:0 0 d\n"
	       "p 0600 0:0 0 p\n"
	       "f 0644 0:0 0 7 size=10 contiguous\n");
}

static void test_empty_archive(void **state)
{
	(void)state;
	expect("");
}

static void test_empty_file(void **state)
{
	(void)state;
	source_dump_now();
	assert_int_equal(d.code, 0);
	assert_string_equal(d.entries, "");
	assert_non_null(strstr(d.warnings, "no end mark at byte 0"));
}

static void test_no_end_mark(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .data = "x");
	source_dump_now();
	assert_int_equal(d.code, 0);
	assert_string_equal(d.entries, "f 0644 0:0 0 f size=1 x\n");
	assert_non_null(
		strstr(d.warnings, "no end mark at byte 1024: the archive may be truncated"));
}

static void test_lone_zero_block_ends(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .data = "x");
	tarball_raw(&t, NULL, MICA_TAR_BLOCK);
	source_dump_now();
	assert_int_equal(d.code, 0);
	assert_string_equal(d.entries, "f 0644 0:0 0 f size=1 x\n");
	assert_string_equal(d.warnings, "");
}

static void test_end_padding(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .data = "x");
	tarball_raw(&t, NULL, (size_t)3 << 20);
	expect("f 0644 0:0 0 f size=1 x\n");
}

static void test_second_archive_left_out(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .data = "x");
	tarball_end(&t);
	TAR(&t, .name = "g", .data = "y");
	tarball_end(&t);
	expect_warning("f 0644 0:0 0 f size=1 x\n",
		       "what follows the end of the archive, from byte 2048 on, is left out");
}

static void test_trailing_garbage_left_out(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .data = "x");
	tarball_end(&t);
	tarball_raw(&t, NULL, (size_t)3 << 20);
	tarball_raw(&t, "!", 1);
	expect_warning("f 0644 0:0 0 f size=1 x\n", "from byte 3147776 on, is left out");
}

static void test_not_a_tar(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text));
	tarball_raw(&t, text, sizeof(text));
	expect_error(MICA_E_INPUT, "not a tar archive");
	source_dump_free(&d);
	t.len = 100;
	expect_error(MICA_E_INPUT, "not a tar archive");
	source_dump_free(&d);
	t.len = 0;
	tarball_raw(&t, "PK\3\4", 4);
	tarball_raw(&t, NULL, 1000);
	expect_error(MICA_E_INPUT, "not a tar archive");
}

static void test_truncated(void **state)
{
	size_t full;

	(void)state;
	TAR(&t, .name = "dir/first", .data = "x");
	TAR(&t, .name = "dir/second", .len = 3000, .data = (char[3000]){"data"});
	full = t.len;
	t.len = full - 1000;
	expect_error(MICA_E_INPUT, "'dir/second': truncated: the archive ends at byte 3608");
	source_dump_free(&d);
	t.len = 1024 + 100;
	expect_error(MICA_E_INPUT, "truncated: the archive ends at byte 1124");
	source_dump_free(&d);
	/* data there, padding not */
	t.len = full - 10;
	expect_error(MICA_E_INPUT, "'dir/second': truncated: the archive ends at byte 4598");
	source_dump_free(&d);
	t.len = 1024 + 512;
	expect_error(MICA_E_INPUT, "'dir/second': truncated: the archive ends at byte 1536, 3000");
}

static void test_bad_checksum(void **state)
{
	(void)state;
	TAR(&t, .name = "a/f", .data = "x");
	TAR(&t, .name = "g", .data = "y")[0] = 'G';
	tarball_end(&t);
	expect_error(MICA_E_INPUT, "header at byte 1024, after 'a/f': wrong checksum");
	assert_string_equal(d.entries, "f 0644 0:0 0 a/f size=1 x\n");
}

static void test_signed_checksum(void **state)
{
	struct mica_tar_header *h = (struct mica_tar_header *)TAR(&t, .name = "\xff\xfe");
	char digits[8];
	int sum = 0;

	(void)state;
	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((signed char *)h)[i];
	snprintf(digits, sizeof(digits), "%06o", (unsigned)sum);
	memcpy(h->chksum, digits, sizeof(digits) - 1);
	expect("f 0644 0:0 0 \\ff\\fe size=0 \n");
}

static void test_bad_numbers(void **state)
{
	static const size_t fields[] = {
		offsetof(struct mica_tar_header, mode), offsetof(struct mica_tar_header, uid),
		offsetof(struct mica_tar_header, gid), offsetof(struct mica_tar_header, size),
		offsetof(struct mica_tar_header, mtime)};
	static const char *const names[] = {"mode", "uid", "gid", "size", "mtime"};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		char text[64];
		unsigned char *h;

		tarball_free(&t);
		source_dump_free(&d);
		h = TAR(&t, .name = "dir/f");
		memcpy(h + fields[i], "12x", 4);
		tarball_sum(h);
		snprintf(text, sizeof(text), "'dir/f' at byte 0: header at byte 0: %s '12x",
			 names[i]);
		expect_error(MICA_E_INPUT, text);
	}
}

static void test_number_limits(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .uid = UINT32_MAX, .gid = 3000000000);
	TAR(&t, .name = "g", .mtime = -5);
	TAR(&t, .name = "h", .mtime = INT64_MIN);
	TAR(&t, .name = "i", .mtime = (int64_t)1 << 40);
	expect("f 0644 4294967295:3000000000 0 f size=0 \n"
	       "f 0644 0:0 -5 g size=0 \n"
	       "f 0644 0:0 -9223372036854775808 h size=0 \n"
	       "f 0644 0:0 1099511627776 i size=0 \n");
}

static void test_number_overflows(void **state)
{
	unsigned char *h;

	(void)state;
	TAR(&t, .name = "f", .uid = (uint64_t)UINT32_MAX + 1);
	expect_error(MICA_E_INPUT, "'f' at byte 0: uid 4294967296 is not between 0 and 4294967295");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "f", .gid = (uint64_t)-2);
	expect_error(MICA_E_INPUT, "gid -2 is not between 0 and");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "f", .size = (uint64_t)-1);
	expect_error(MICA_E_INPUT, "size -1 is not between 0");
	tarball_free(&t);
	source_dump_free(&d);
	h = TAR(&t, .name = "f");
	memset(h + offsetof(struct mica_tar_header, mtime), 0xbf, 12);
	tarball_sum(h);
	expect_error(MICA_E_INPUT, "mtime");
}

static void test_names_are_bytes(void **state)
{
	char all[256], expected[1200];
	size_t n = 0;

	(void)state;
	/* every byte but '/' and NUL, in two names that fit a header */
	for (int c = 1; c < 256; c++)
		if (c != '/')
			all[n++] = (char)c;
	all[n] = '\0';
	PAX(&t, "path", all);
	TAR(&t, .name = "x");
	n = (size_t)sprintf(expected, "f 0644 0:0 0 ");
	for (const unsigned char *p = (unsigned char *)all; *p; p++)
		n += (size_t)sprintf(expected + n,
				     *p > ' ' && *p < 0x7f && *p != '\\' ? "%c" : "\\%02x", *p);
	sprintf(expected + n, " size=0 \n");
	expect(expected);
}

static void test_names_in_any_charset(void **state)
{
	(void)state;
	TAR(&t, .name = "\xe4\xf6", .type = '2', .link = "\xff");
	TAR(&t, .name = "\xc3\xa4");
	PAX(&t, "path", "e\xcc\x81"); /* decomposed: stays so */
	PAX(&t, "linkpath", "\xf0\x9f\x98\x80");
	TAR(&t, .name = "x", .type = '2', .link = "y");
	PAX(&t, "hdrcharset", "BINARY");
	PAX(&t, "path", "\xff\xfe");
	TAR(&t, .name = "x");
	PAX(&t, "uname", "\xff");
	TAR(&t, .name = "u");
	expect("l 0644 0:0 0 \\e4\\f6 -> \\ff\n"
	       "f 0644 0:0 0 \\c3\\a4 size=0 \n"
	       "l 0644 0:0 0 e\\cc\\81 -> \\f0\\9f\\98\\80\n"
	       "f 0644 0:0 0 \\ff\\fe size=0 \n"
	       "f 0644 0:0 0 u size=0 \n");
}

static void test_paths_normalised(void **state)
{
	(void)state;
	TAR(&t, .name = "/abs/f");
	TAR(&t, .name = ".//a/./b//c/.");
	TAR(&t, .name = "/", .type = '5');
	TAR(&t, .name = "...");
	TAR(&t, .name = "h", .type = '1', .link = "/./abs//f/");
	TAR(&t, .name = "old/", .type = '0');
	TAR(&t, .name = "oldest/", .magic = TARBALL_OLD);
	TAR(&t, .name = "name", .prefix = "prefix/dir");
	TAR(&t, .name = "gnu", .prefix = NULL, .magic = TARBALL_GNU);
	expect("f 0644 0:0 0 abs/f size=0 \n"
	       "f 0644 0:0 0 a/b/c size=0 \n"
	       "d 0755 0:0 0 .\n"
	       "f 0644 0:0 0 ... size=0 \n"
	       "h 0644 0:0 0 h => abs/f\n"
	       "d 0644 0:0 0 old\n"
	       "d 0644 0:0 0 oldest\n"
	       "f 0644 0:0 0 prefix/dir/name size=0 \n"
	       "f 0644 0:0 0 gnu size=0 \n");
}

static void test_dotdot_refused(void **state)
{
	(void)state;
	TAR(&t, .name = "a/../b");
	expect_error(MICA_E_INPUT, "path 'a/../b' contains '..'");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "f", .type = '1', .link = "../etc/passwd");
	expect_error(MICA_E_INPUT, "'f' at byte 0: hard link target '../etc/passwd' contains '..'");
}

static void test_nul_in_name_refused(void **state)
{
	(void)state;
	tarball_pax(&t, 'x', "path", "a\0b", 3);
	TAR(&t, .name = "f");
	expect_error(MICA_E_INPUT, "path 'a' contains a NUL byte");
	tarball_free(&t);
	source_dump_free(&d);
	tarball_pax(&t, 'x', "linkpath", "a\0b", 3);
	TAR(&t, .name = "f", .type = '2');
	expect_error(MICA_E_INPUT, "symlink target with a NUL byte");
}

static void test_long_fields(void **state)
{
	char name[101], prefix[156], expected[400];

	(void)state;
	memset(name, 'n', 100);
	name[100] = '\0';
	memset(prefix, 'p', 155);
	prefix[155] = '\0';
	TAR(&t, .name = name, .prefix = prefix, .type = '2', .link = name);
	snprintf(expected, sizeof(expected), "l 0644 0:0 0 %s/%s -> %s\n", prefix, name, name);
	expect(expected);
}

static void test_gnu_long_names(void **state)
{
	char name[5001], expected[11000];

	(void)state;
	memset(name, 'n', 5000);
	name[5000] = '\0';
	TAR(&t, .name = "././@LongLink", .type = 'K', .data = name, .len = 5001,
	    .magic = TARBALL_GNU);
	TAR(&t, .name = "././@LongLink", .type = 'L', .data = name, .len = 5001,
	    .magic = TARBALL_GNU);
	TAR(&t, .name = "nnn", .type = '2', .link = "nnn", .magic = TARBALL_GNU);
	TAR(&t, .name = "next", .type = '2', .link = "l", .magic = TARBALL_GNU);
	snprintf(expected, sizeof(expected), "l 0644 0:0 0 %s -> %s\nl 0644 0:0 0 next -> l\n",
		 name, name);
	expect(expected);
}

static void test_devices_too_large(void **state)
{
	(void)state;
	TAR(&t, .name = "dev/a", .type = '3', .major = 4096, .minor = 0);
	TAR(&t, .name = "dev/b", .type = '4', .major = 1, .minor = 0x100000);
	PAX(&t, "SCHILY.devmajor", "8");
	PAX(&t, "SCHILY.devminor", "300");
	TAR(&t, .name = "dev/c", .type = '4', .major = 1, .minor = 1);
	expect_warning("b 0644 0:0 0 dev/c rdev=0x10082c\n",
		       "dev/a: left out: device 4096:0 exceeds 4095:1048575\n"
		       "dev/b: left out: device 1:1048576 exceeds 4095:1048575\n");
}

static void test_unknown_type(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .type = 'Q', .data = "abc");
	TAR(&t, .name = "label", .type = 'V', .data = "ignored");
	TAR(&t, .name = "acl", .type = 'A', .data = "1000000");
	TAR(&t, .name = "dump", .type = 'D', .data = "Yfile");
	TAR(&t, .name = "g");
	expect_warning("f 0644 0:0 0 f size=3 abc\nd 0644 0:0 0 dump\nf 0644 0:0 0 g size=0 \n",
		       "f: taken as a regular file: its type, 0x51, is not known\n");
	assert_non_null(strstr(d.warnings, "header of type 'A' at byte 2048 is left out"));
}

static void test_multi_volume_refused(void **state)
{
	(void)state;
	TAR(&t, .name = "f", .type = 'M', .data = "rest", .magic = TARBALL_GNU);
	expect_error(MICA_E_INPUT, "'f' at byte 0: continues a file of another volume");
}

static void test_hardlink_sizes(void **state)
{
	(void)state;
	/* GNU and ustar repeat the size without data */
	TAR(&t, .name = "a", .type = '1', .link = "f", .size = 1000, .magic = TARBALL_GNU);
	TAR(&t, .name = "b", .type = '1', .link = "f", .size = 1000);
	/* this one has data, as what follows is no header */
	TAR(&t, .name = "c", .type = '1', .link = "f", .data = "body");
	TAR(&t, .name = "d", .type = '1', .link = "f", .size = 1000);
	expect("h 0644 0:0 0 a => f\nh 0644 0:0 0 b => f\nh 0644 0:0 0 c => f\n"
	       "h 0644 0:0 0 d => f\n");
}

static void test_hardlink_body_pax(void **state)
{
	struct tarball inner = {0};

	(void)state;
	/* in pax the size counts, even when the body looks like a header */
	TAR(&inner, .name = "inner");
	PAX(&t, "mtime", "1");
	TAR(&t, .name = "f", .type = '1', .link = "g", .data = (char *)inner.p, .len = inner.len);
	TAR(&t, .name = "h");
	tarball_free(&inner);
	expect("h 0644 0:0 1 f => g\nf 0644 0:0 0 h size=0 \n");
}

static void test_sizes_without_data(void **state)
{
	(void)state;
	TAR(&t, .name = "d", .type = '5', .size = 4096);
	TAR(&t, .name = "s", .type = '2', .link = "t", .size = 1);
	TAR(&t, .name = "p", .type = '6', .size = 10);
	expect("d 0755 0:0 0 d\nl 0644 0:0 0 s -> t\np 0644 0:0 0 p\n");
}

/* What nobody reads is passed over. */
static void test_unread_data_skipped(void **state)
{
	cleanup_free char *zeros = calloc(1, 100000);
	const struct mica_entry *e;
	struct mica_report report = {0};
	struct mica_source *src;
	struct mica_err err;
	const void *buf;
	uint64_t off, done, total;
	char path[64];
	size_t len;
	int fd;

	(void)state;
	TAR(&t, .name = "f", .len = 100000, .data = zeros);
	TAR(&t, .name = "g", .data = "xyz");
	tarball_end(&t);
	fd = tarball_fd(&t);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(mica_source_open(path, &report, &src, &err), 0);
	assert_int_equal(mica_source_next(src, &e, &err), 1);
	assert_int_equal(mica_source_read(src, &buf, &len, &off, &err), 1);
	assert_int_equal(mica_source_next(src, &e, &err), 1);
	assert_string_equal(e->path, "g");
	assert_int_equal(mica_source_read(src, &buf, &len, &off, &err), 1);
	assert_memory_equal(buf, "xyz", 3);
	assert_int_equal(mica_source_read(src, &buf, &len, &off, &err), 0);
	assert_int_equal(mica_source_read(src, &buf, &len, &off, &err), 0);
	assert_int_equal(mica_source_next(src, &e, &err), 0);
	assert_int_equal(mica_source_next(src, &e, &err), 0);
	mica_source_progress(src, &done, &total);
	assert_int_equal(done, t.len);
	assert_int_equal(total, t.len);
	mica_source_free(src);
	close(fd);
}

/* The archive through a filter of libarchive. */
static void filter(int (*add)(struct archive *))
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	size_t cap = t.len * 2 + 65536, used = 0;
	unsigned char *out = malloc(cap);

	archive_write_set_format_raw(a);
	assert_int_equal(add(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(a, out, cap, &used), ARCHIVE_OK);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_write_header(a, e);
	archive_write_data(a, t.p, t.len);
	archive_write_close(a);
	archive_write_free(a);
	archive_entry_free(e);
	free(t.p);
	t.p = out;
	t.len = used;
	t.cap = cap;
}

static int (*const filters[])(struct archive *) = {
	archive_write_add_filter_gzip,	   archive_write_add_filter_bzip2,
	archive_write_add_filter_xz,	   archive_write_add_filter_zstd,
	archive_write_add_filter_lz4,	   archive_write_add_filter_lzma,
	archive_write_add_filter_lzip,	   archive_write_add_filter_compress,
	archive_write_add_filter_uuencode,
};

static void test_filters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		tarball_free(&t);
		source_dump_free(&d);
		TAR(&t, .name = "dir/f", .data = "hello", .mtime = 5);
		TAR(&t, .name = "a", .type = '1', .link = "f", .size = 1000);
		tarball_end(&t);
		filter(filters[i]);
		source_dump_now();
		assert_string_equal(d.error, "");
		assert_string_equal(d.entries,
				    "f 0644 0:0 5 dir/f size=5 hello\nh 0644 0:0 0 a => f\n");
		assert_string_equal(d.warnings, "");
	}
}

static void test_filter_truncated(void **state)
{
	char *noise = malloc(100000);

	(void)state;
	srand(1);
	for (size_t i = 0; i < 100000; i++)
		noise[i] = (char)rand();
	for (size_t i = 0; i < 5; i++) {
		tarball_free(&t);
		source_dump_free(&d);
		TAR(&t, .name = "dir/f", .data = noise, .len = 100000);
		tarball_end(&t);
		filter(filters[i]);
		t.len -= 50000;
		source_dump_now();
		assert_int_equal(d.code, MICA_E_INPUT);
	}
	free(noise);
}

static void test_filter_of_no_tar(void **state)
{
	(void)state;
	tarball_raw(&t, "just text, and enough of it", 27);
	filter(archive_write_add_filter_gzip);
	expect_error(MICA_E_INPUT, "not a tar archive inside gzip");
}

static void test_filter_of_nothing(void **state)
{
	(void)state;
	filter(archive_write_add_filter_gzip);
	source_dump_now();
	assert_string_equal(d.error, "");
	assert_string_equal(d.entries, "");
}

/* A plain archive is never taken for a compressed one, whatever its first name is. */
static void test_name_like_a_filter(void **state)
{
	(void)state;
	TAR(&t, .name = "\x1f\x8b\x08\x01", .data = "x");
	expect("f 0644 0:0 0 \\1f\\8b\\08\\01 size=1 x\n");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "BZh91AY&SY", .data = "x");
	expect("f 0644 0:0 0 BZh91AY&SY size=1 x\n");
}

static void test_missing_file(void **state)
{
	(void)state;
	source_dump(&d, "/nonexistent/x.tar");
	assert_int_equal(d.code, MICA_E_SYS);
	assert_string_equal(d.error, "/nonexistent/x.tar: open: No such file or directory");
}

static void test_quoted_names(void **state)
{
	(void)state;
	TAR(&t, .name = "a\nb\033[31m/..");
	expect_error(MICA_E_INPUT, "'a\\012b\\033[31m/..'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(test_types),
		SOURCE_TEST(test_empty_archive),
		SOURCE_TEST(test_empty_file),
		SOURCE_TEST(test_no_end_mark),
		SOURCE_TEST(test_lone_zero_block_ends),
		SOURCE_TEST(test_end_padding),
		SOURCE_TEST(test_second_archive_left_out),
		SOURCE_TEST(test_trailing_garbage_left_out),
		SOURCE_TEST(test_not_a_tar),
		SOURCE_TEST(test_truncated),
		SOURCE_TEST(test_bad_checksum),
		SOURCE_TEST(test_signed_checksum),
		SOURCE_TEST(test_bad_numbers),
		SOURCE_TEST(test_number_limits),
		SOURCE_TEST(test_number_overflows),
		SOURCE_TEST(test_names_are_bytes),
		SOURCE_TEST(test_names_in_any_charset),
		SOURCE_TEST(test_paths_normalised),
		SOURCE_TEST(test_dotdot_refused),
		SOURCE_TEST(test_nul_in_name_refused),
		SOURCE_TEST(test_long_fields),
		SOURCE_TEST(test_gnu_long_names),
		SOURCE_TEST(test_devices_too_large),
		SOURCE_TEST(test_unknown_type),
		SOURCE_TEST(test_multi_volume_refused),
		SOURCE_TEST(test_hardlink_sizes),
		SOURCE_TEST(test_hardlink_body_pax),
		SOURCE_TEST(test_sizes_without_data),
		SOURCE_TEST(test_unread_data_skipped),
		SOURCE_TEST(test_filters),
		SOURCE_TEST(test_filter_truncated),
		SOURCE_TEST(test_filter_of_no_tar),
		SOURCE_TEST(test_filter_of_nothing),
		SOURCE_TEST(test_name_like_a_filter),
		SOURCE_TEST(test_missing_file),
		SOURCE_TEST(test_quoted_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
