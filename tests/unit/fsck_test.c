/* SPDX-License-Identifier: MIT */
/* The small parts of fsck, dump and extract that stand alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/acl.h"
#include "../../fsck/beneath.h"
#include "../../lib/nidmap.h"
#include "../../fsck/show.h"

static void test_acl(void **state)
{
	static const unsigned char acl[] = {2,	  0,	0, 0, 1, 0, 7,	  0,	0xff, 0xff,
					    0xff, 0xff, 2, 0, 5, 0, 0x70, 0x11, 1,    0};
	struct mica_acl_entry e;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_acl_count(acl, sizeof(acl), &err), 2);
	assert_int_equal(mica_acl_entry(acl, 0, &e, &err), 0);
	assert_int_equal(e.tag, MICA_ACL_USER_OBJ);
	assert_int_equal(e.perm, 7);
	assert_int_equal(mica_acl_entry(acl, 1, &e, &err), 0);
	assert_int_equal(e.tag, MICA_ACL_USER);
	assert_int_equal(e.perm, 5);
	assert_int_equal(e.id, 70000);
}

static void test_acl_bad(void **state)
{
	unsigned char acl[] = {2, 0, 0, 0, 3, 0, 7, 0, 0, 0, 0, 0};
	struct mica_acl_entry e;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_acl_count(acl, 0, &err), MICA_E_CORRUPT);
	assert_int_equal(mica_acl_count(acl, 3, &err), MICA_E_CORRUPT);
	assert_int_equal(mica_acl_count(acl, 11, &err), MICA_E_CORRUPT);
	assert_int_equal(mica_acl_count(acl, 4, &err), 0);
	assert_int_equal(mica_acl_entry(acl, 0, &e, &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "ACL entry 0 has the unknown tag 0x3");
	acl[4] = 1;
	acl[6] = 8;
	assert_int_equal(mica_acl_entry(acl, 0, &e, &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "ACL entry 0 has permissions 0x8 over 7");
	acl[0] = 1;
	assert_int_equal(mica_acl_count(acl, sizeof(acl), &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "ACL version 1 is not 2");
}

static void test_beneath_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/a", "../a"};
	struct mica_beneath_meta meta = {.mode = S_IFLNK | 0777};
	struct mica_beneath *b;
	struct mica_err err = {0};
	char dir[] = "/tmp/fsck_test.XXXXXX";
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mica_beneath_new(dir, &b, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(mica_beneath_create(b, bad[i], &fd, &err), MICA_E_USAGE);
		assert_int_equal(mica_beneath_enter(b, bad[i], &err), MICA_E_USAGE);
		assert_int_equal(mica_beneath_link(b, bad[i], "x", S_IFREG, &err), MICA_E_USAGE);
		assert_int_equal(mica_beneath_symlink(b, bad[i], "x", &meta, &err), MICA_E_USAGE);
		assert_int_equal(mica_beneath_mknod(b, bad[i], 0, &meta, &err), MICA_E_USAGE);
	}
	mica_beneath_free(b);
	assert_int_equal(rmdir(dir), 0);
}

static void test_nidmap(void **state)
{
	struct mica_nidmap map = {0};
	struct mica_err err = {0};
	uint32_t found;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(mica_nidmap_add(&map, i * 8ULL, i, &found, &err), 1);
	assert_int_equal(mica_nidmap_add(&map, UINT64_MAX, 7, &found, &err), 1);
	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_equal(mica_nidmap_add(&map, i * 8ULL, 99, &found, &err), 0);
		assert_int_equal(found, i);
	}
	assert_int_equal(map.count, 10001);
	mica_nidmap_clear(&map);
	assert_int_equal(mica_nidmap_add(&map, 0, 1, &found, &err), 1);
	mica_nidmap_clear(&map);
}

static void expect_shown(const char *bytes, size_t len, const char *want)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	mica_show_bytes(f, bytes, len);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
}

static void test_show(void **state)
{
	char text[MICA_SHOW_TIME_LEN];
	char mode[MICA_SHOW_MODE_LEN];

	(void)state;
	expect_shown("a\nb\\\x7f\0\xff\xc3\xa9", 9, "a\\x0ab\\\\\\x7f\\x00\\xff\xc3\xa9");
	mica_show_mode(S_IFDIR | 01777, mode);
	assert_string_equal(mode, "drwxrwxrwt");
	mica_show_mode(S_IFREG | 06644, mode);
	assert_string_equal(mode, "-rwSr-Sr--");
	mica_show_mode(0xf000 | 0700, mode);
	assert_string_equal(mode, "?rwx------");
	mica_show_time(-1, 5, text);
	assert_string_equal(text, "1969-12-31 23:59:59.000000005");
	mica_show_time(INT64_MAX, 0, text);
	assert_string_equal(text, "9223372036854775807.000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acl),	      cmocka_unit_test(test_acl_bad),
		cmocka_unit_test(test_beneath_names), cmocka_unit_test(test_nidmap),
		cmocka_unit_test(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
