/* SPDX-License-Identifier: MIT */
/* The command line of mkimage: every option, and what is said of every bad value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/options.h"

#define ARGS_MAX 16

static struct mica_mkimage_options o;
static struct mica_err err;
static char *args[ARGS_MAX + 1];
static int operands;

static int setup(void **state)
{
	(void)state;
	unsetenv("SOURCE_DATE_EPOCH");
	o = (struct mica_mkimage_options){0};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mica_mkimage_options_free(&o);
	return 0;
}

/* The words of line, which keep what stands between quotes '...' together. */
static int parse(const char *line)
{
	static char words[8192];
	int argc = 0;

	snprintf(words, sizeof(words), "mkimage %s", line);
	for (char *p = words; *p;) {
		char end = *p == '\'' ? '\'' : ' ';

		p += end == '\'';
		assert_true(argc < ARGS_MAX);
		args[argc++] = p;
		p += strcspn(p, end == '\'' ? "'" : " ");
		if (*p)
			*p++ = 0;
		p += strspn(p, " ");
	}
	args[argc] = NULL;
	mica_mkimage_options_free(&o);
	err = (struct mica_err){0};
	return mica_mkimage_options_parse(&o, argc, args, &operands, &err);
}

static void good(const char *line)
{
	char with[8192];

	snprintf(with, sizeof(with), "%s image source", line);
	if (parse(with))
		fail_msg("%s: %s", with, err.msg);
}

static void bad(const char *line, const char *message)
{
	char with[8192];

	snprintf(with, sizeof(with), "%s image source", line);
	assert_int_equal(parse(with), MICA_E_USAGE);
	assert_string_equal(err.msg, message);
}

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("image source"), 0);
	assert_int_equal(operands, 2);
	assert_string_equal(args[1], "image");
	assert_string_equal(args[2], "source");
	assert_int_equal(o.build.cluster, 512 << 10);
	assert_int_equal(o.build.fragments, MICA_FRAGMENTS_SMALL);
	assert_int_equal(o.build.memory, 512 << 20);
	assert_in_range(o.build.jobs, 1, 64);
	assert_int_equal(o.build.compat.kernel, MICA_KERNEL(6, 12));
	assert_int_equal(o.build.codec.alg, EROFS_ALG_ZSTD);
	assert_int_equal(o.build.codec.level, 3);
	assert_string_equal(o.build.label, "");
	assert_false(o.build.have_uuid || o.run.quiet || o.run.json);
	assert_int_equal(o.run.progress, MICA_PROGRESS_AUTO);
	assert_int_equal(o.build.apply.uid, -1);
	assert_int_equal(o.build.apply.gid, -1);
	assert_false(o.build.apply.set_time || o.build.apply.clamp_time);
	assert_false(o.build.apply.overlay_input);
	assert_null(o.build.apply.excludes);
}

static void the_codec_follows_the_kernel(void **state)
{
	(void)state;
	good("--compat 6.9");
	assert_true(o.build.codec.alg == EROFS_ALG_LZ4 && o.build.codec.lz4hc);
	good("--compat 6.10");
	assert_int_equal(o.build.codec.alg, EROFS_ALG_ZSTD);
	good("-z lz4 --compat 5.15");
	assert_true(o.build.codec.alg == EROFS_ALG_LZ4 && !o.build.codec.lz4hc);
	good("-z none --compat 5.15");
	assert_true(o.build.codec.none);
	/* in any order */
	bad("-z zstd --compat 6.9",
	    "zstd needs Linux 6.10, but the image must mount on 6.9 (--compat)");
	bad("--compat 6.5 -z deflate",
	    "deflate needs Linux 6.6, but the image must mount on 6.5 (--compat)");
	good("--compat 6.6 -z deflate");
	bad("--compat 5.15 -z lzma",
	    "lzma needs Linux 5.16, but the image must mount on 5.15 (--compat)");
	good("--compat 5.16 -z lzma");
	bad("--compat 6.9 -z zstd:7",
	    "zstd needs Linux 6.10, but the image must mount on 6.9 (--compat)");
}

static void compat_decides_on_features(void **state)
{
	static const struct {
		const char *text;
		unsigned int kernel;
		bool tails, extents, metabox;
	} cases[] = {
		{"5.15", MICA_KERNEL(5, 15), false, false, false},
		{"5.16", MICA_KERNEL(5, 16), false, false, false},
		{"5.17", MICA_KERNEL(5, 17), true, false, false},
		{"6.0", MICA_KERNEL(6, 0), true, false, false},
		{"6.14", MICA_KERNEL(6, 14), true, false, false},
		{"6.15", MICA_KERNEL(6, 15), true, true, false},
		{"6.16", MICA_KERNEL(6, 16), true, true, false},
		{"6.17", MICA_KERNEL(6, 17), true, true, true},
		{"7.0", MICA_KERNEL(7, 0), true, true, true},
		{"999.999", MICA_KERNEL(999, 999), true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mica_compat c = {0};

		assert_int_equal(mica_compat_parse(cases[i].text, &c, &err), 0);
		assert_int_equal(c.kernel, cases[i].kernel);
		assert_int_equal(c.tail_pclusters, cases[i].tails);
		assert_int_equal(c.extents, cases[i].extents);
		assert_int_equal(c.metabox, cases[i].metabox);
	}
}

static void metadata_clusters(void **state)
{
	(void)state;
	good("--compat 6.17");
	assert_int_equal(o.build.meta_cluster, 32 << 10);
	good("--compat 6.17 --metadata-cluster 4K");
	assert_int_equal(o.build.meta_cluster, 4096);
	good("--compat 7.0 --metadata-cluster 1M");
	assert_int_equal(o.build.meta_cluster, 1 << 20);
	good("--compat 6.12 --metadata-cluster none");
	assert_int_equal(o.build.meta_cluster, 0);
	good("-z none --compat 6.17");
	bad("--metadata-cluster 16K", "compressed metadata needs Linux 6.17, but the image must "
				      "mount on 6.12 (--compat)");
	bad("--compat 6.17 -z none --metadata-cluster 16K",
	    "--metadata-cluster 16K: nothing is compressed with -z none");
	bad("--metadata-cluster 2K",
	    "option --metadata-cluster: 2K is not within 4096..1048576 bytes");
	bad("--metadata-cluster 12K", "option --metadata-cluster: 12K is not a power of two");
}

static void bad_compat(void **state)
{
	static const char *const words[] = {
		"",	"6",	"6.",	  ".12",  "6.12.3", "6.1 ", " 6.1",  "+6.1",
		"-6.1", "6.+1", "6.1234", "6,12", "v6.12",  "x",    "6.0x5", "4294967302.1",
	};
	char line[64], message[128];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(line, sizeof(line), "'--compat=%s'", words[i]);
		snprintf(message, sizeof(message),
			 "option --compat: '%s' is not a kernel version such as 6.1 or 6.12",
			 words[i]);
		bad(line, message);
	}
	bad("--compat=5.14", "option --compat: Linux 5.14 is too old: images need 5.15 or later");
	bad("--compat=0.0", "option --compat: Linux 0.0 is too old: images need 5.15 or later");
}

static void clusters(void **state)
{
	(void)state;
	good("-C 4K");
	assert_int_equal(o.build.cluster, 4096);
	good("--cluster=1048576");
	assert_int_equal(o.build.cluster, 1 << 20);
	good("-C64k");
	assert_int_equal(o.build.cluster, 64 << 10);
	bad("-C 3K", "option -C: 3K is not within 4096..8388608 bytes");
	good("-C 8M");
	assert_int_equal(o.build.cluster, 8 << 20);
	bad("-C 9M", "option -C: 9M is not within 4096..8388608 bytes");
	bad("-C 2M --compat 5.17", "clusters of more than 1M need Linux 6.1, but the image must "
				   "mount on 5.17 (--compat)");
	bad("--compress-rule '*=lz4,cluster=2M' --fragments=off",
	    "clusters of more than 1M are shared by files, which --fragments=off excludes");
	bad("-C 13000", "option -C: 13000 is not a multiple of 4096 bytes");
	good("-C 12K");
	bad("--cluster=", "option --cluster: '' is not a size (a number, with K, M, G or T)");
	bad("--cluster=-4K", "option --cluster: '-4K' is not a size (a number, with K, M, G or T)");
	bad("-C 4KB", "option -C: '4KB' is not a size (a number, with K, M, G or T)");
	bad("-C 18446744073709551616",
	    "option -C: 18446744073709551616 is not within 4096..8388608 bytes");
	bad("-C 18014398509481985K",
	    "option -C: 18014398509481985K is not within 4096..8388608 bytes");
}

/* --best says what nothing else says. */
static void best(void **state)
{
	(void)state;
	good("--best");
	assert_int_equal(o.build.cluster, 8 << 20);
	assert_int_equal(o.build.meta_cluster, 1 << 20);
	assert_int_equal(o.build.compat.kernel, 6017);
	assert_int_equal(o.build.codec.alg, EROFS_ALG_LZMA);
	assert_int_equal(o.build.codec.level, 9);
	assert_true(o.build.codec.extreme);
	good("-z zstd:22 -C 64K --compat 6.12 --metadata-cluster none --best");
	assert_int_equal(o.build.cluster, 64 << 10);
	assert_int_equal(o.build.meta_cluster, 0);
	assert_int_equal(o.build.compat.kernel, 6012);
	assert_int_equal(o.build.codec.alg, EROFS_ALG_ZSTD);
	assert_int_equal(o.build.codec.level, 22);
	/* what has no packed inode has no larger clusters; what has no lzma has lz4 */
	good("--best --fragments=off");
	assert_int_equal(o.build.cluster, 1 << 20);
	good("--best --compat 5.15");
	assert_int_equal(o.build.cluster, 1 << 20);
	assert_int_equal(o.build.codec.alg, EROFS_ALG_LZ4);
	assert_true(o.build.codec.lz4hc);
	bad("--best --tar-index", "--tar-index compresses nothing, so -z, -C, --best, "
				  "--metadata-cluster and --fragments have no use beside it");
}

static void jobs(void **state)
{
	(void)state;
	good("-j1");
	assert_int_equal(o.build.jobs, 1);
	good("--jobs 256");
	assert_int_equal(o.build.jobs, 256);
	bad("-j 0", "option -j: 0 is not within 1..256");
	bad("-j 257", "option -j: 257 is not within 1..256");
	bad("-j four", "option -j: 'four' is not a number");
	bad("-j 4x", "option -j: '4x' is not a number");
}

static void codecs(void **state)
{
	(void)state;
	good("-z zstd:22");
	assert_int_equal(o.build.codec.level, 22);
	good("--compress=lz4hc:12");
	assert_true(o.build.codec.lz4hc && o.build.codec.level == 12);
	good("-z lzma:9e");
	assert_true(o.build.codec.alg == EROFS_ALG_LZMA && o.build.codec.extreme);
	bad("-z gzip", "option -z: 'gzip' is not a compression: none, lz4, lz4hc[:1..12], "
		       "deflate[:1..12], lzma[:0..9[e]], zstd[:1..22]");
	bad("-z zstd:23", "option -z: level of zstd: 23 is not within 1..22");
	bad("-z lz4:1", "option -z: lz4 has no levels");
	bad("-z zstd:", "option -z: level of zstd: '' is not a number");
}

static void labels_and_uuids(void **state)
{
	static const uint8_t uuid[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
					 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};

	(void)state;
	good("-L 'sixteen bytes!!!'");
	assert_string_equal(o.build.label, "sixteen bytes!!!");
	bad("-L 'seventeen bytes!!'", "option -L: 'seventeen bytes!!' is longer than 16 bytes");
	good("-U 01234567-89ab-CDEF-fedc-ba9876543210");
	assert_true(o.build.have_uuid);
	assert_memory_equal(o.build.uuid, uuid, 16);
}

static void bad_uuids(void **state)
{
	static const char *const words[] = {
		"x",
		"01234567-89ab-cdef-fedc-ba987654321",
		"01234567-89ab-cdef-fedc-ba98765432100",
		"0123456789abcdeffedcba9876543210",
		"01234567-89ab-cdef-fedc-ba987654321g",
		"01234567-89ab-cdef-fedcb-a9876543210",
	};
	char line[64], message[160];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(line, sizeof(line), "-U %s", words[i]);
		snprintf(message, sizeof(message),
			 "option -U: '%s' is not a UUID such as "
			 "01234567-89ab-cdef-0123-456789abcdef",
			 words[i]);
		bad(line, message);
	}
}

static void times(void **state)
{
	(void)state;
	good("--timestamp -1");
	assert_true(o.build.apply.set_time && !o.build.apply.clamp_time);
	assert_int_equal(o.build.apply.time, -1);
	bad("--timestamp now", "option --timestamp: 'now' is not a number");
	bad("--timestamp 9223372036854775808",
	    "option --timestamp: 9223372036854775808 is not within -9223372036854775808.."
	    "9223372036854775807");
	setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
	good("");
	assert_true(o.build.apply.clamp_time && !o.build.apply.set_time);
	assert_int_equal(o.build.apply.time, 1700000000);
	/* what the command line says counts */
	good("--timestamp=5");
	assert_true(o.build.apply.set_time && !o.build.apply.clamp_time);
	assert_int_equal(o.build.apply.time, 5);
	setenv("SOURCE_DATE_EPOCH", "soon", 1);
	bad("", "SOURCE_DATE_EPOCH: 'soon' is not a number");
	setenv("SOURCE_DATE_EPOCH", "-3", 1);
	bad("", "SOURCE_DATE_EPOCH: -3 is not within 0..9223372036854775807");
}

static void owners(void **state)
{
	(void)state;
	good("--all-root");
	assert_true(o.build.apply.uid == 0 && o.build.apply.gid == 0);
	good("--force-uid 1000 --force-gid=4294967294");
	assert_int_equal(o.build.apply.uid, 1000);
	assert_int_equal(o.build.apply.gid, 4294967294);
	bad("--force-uid -1", "option --force-uid: -1 is not within 0..4294967294");
	/* the kernel takes it for "no user" */
	bad("--force-uid 4294967295", "option --force-uid: 4294967295 is not within 0..4294967294");
	bad("--force-gid 4294967295", "option --force-gid: 4294967295 is not within 0..4294967294");
	bad("--force-gid root", "option --force-gid: 'root' is not a number");
}

static void excludes(void **state)
{
	(void)state;
	good("--exclude *.o --exclude=a/b");
	assert_int_equal(o.exclude_count, 2);
	assert_ptr_equal(o.build.apply.excludes, o.excludes);
	assert_string_equal(o.excludes[0], "*.o");
	assert_string_equal(o.excludes[1], "a/b");
	assert_null(o.excludes[2]);
	bad("--exclude=", "option --exclude: an empty pattern matches nothing");
}

static void flags_and_progress(void **state)
{
	(void)state;
	good("--quiet --json --overlay-input --progress=never");
	assert_true(o.run.quiet && o.run.json && o.build.apply.overlay_input);
	assert_int_equal(o.run.progress, MICA_PROGRESS_NEVER);
	good("--progress always");
	assert_int_equal(o.run.progress, MICA_PROGRESS_ALWAYS);
	bad("--progress=often", "option --progress: 'often' is not auto, always or never");
	bad("--quiet=yes", "option --quiet takes no value");
}

static void operands_are_needed(void **state)
{
	static const char message[] = "an IMAGE and at least one SOURCE are needed (see --help)";

	(void)state;
	assert_int_equal(parse(""), MICA_E_USAGE);
	assert_string_equal(err.msg, message);
	assert_int_equal(parse("image"), MICA_E_USAGE);
	assert_string_equal(err.msg, message);
	assert_int_equal(parse("image -- -j -"), 0);
	assert_int_equal(operands, 3);
	assert_string_equal(args[2], "-j");
	assert_string_equal(args[3], "-");
	assert_int_equal(parse("image source --exclude"), MICA_E_USAGE);
	assert_string_equal(err.msg, "option --exclude needs a value: GLOB");
	bad("--frobnicate", "unknown option '--frobnicate' (see --help)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults),
		TEST(the_codec_follows_the_kernel),
		TEST(compat_decides_on_features),
		TEST(metadata_clusters),
		TEST(bad_compat),
		TEST(clusters),
		TEST(best),
		TEST(jobs),
		TEST(codecs),
		TEST(labels_and_uuids),
		TEST(bad_uuids),
		TEST(times),
		TEST(owners),
		TEST(excludes),
		TEST(flags_and_progress),
		TEST(operands_are_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
