/* SPDX-License-Identifier: MIT */
/* Maps of sparse files in tar archives, of all kinds. */
#include "source_expect.h"

static void sparse_field(unsigned char *h, size_t i, uint64_t off, uint64_t len)
{
	char *p = (char *)h + 386 + 24 * i;

	snprintf(p, 12, "%011llo", (unsigned long long)off);
	snprintf(p + 12, 12, "%011llo", (unsigned long long)len);
}

static void test_sparse_old_gnu(void **state)
{
	unsigned char *h;

	(void)state;
	h = TAR(&t, .name = "f", .type = 'S', .data = "abcdef", .magic = TARBALL_GNU);
	sparse_field(h, 0, 2, 2);
	sparse_field(h, 1, 8, 4);
	sparse_field(h, 2, 20, 0);
	snprintf((char *)h + 483, 12, "%011o", 20);
	tarball_sum(h);
	TAR(&t, .name = "g", .data = "x");
	expect("f 0644 0:0 0 f runs=2+2,8+4 size=20 ~~ab~~~~cdef~~~~~~~~\n"
	       "f 0644 0:0 0 g size=1 x\n");
}

static void test_sparse_old_gnu_extended(void **state)
{
	unsigned char block[512] = {0};
	unsigned char *h;

	(void)state;
	h = TAR(&t, .name = "f", .type = 'S', .size = 30, .magic = TARBALL_GNU);
	for (size_t i = 0; i < 4; i++)
		sparse_field(h, i, 2 * i, 1);
	h[482] = 1;
	snprintf((char *)h + 483, 12, "%011o", 60);
	tarball_sum(h);
	for (size_t i = 0; i < 21; i++) {
		snprintf((char *)block + 24 * i, 12, "%011o", (unsigned)(8 + 2 * i));
		snprintf((char *)block + 24 * i + 12, 12, "%011o", 1);
	}
	block[504] = 1;
	tarball_raw(&t, block, 512);
	memset(block, 0, sizeof(block));
	snprintf((char *)block, 12, "%011o", 51);
	snprintf((char *)block + 12, 12, "%011o", 5);
	tarball_raw(&t, block, 512);
	tarball_body(&t, "0123456789abcdefghijklmnopqrst", 30);
	expect("f 0644 0:0 0 f runs=0+1,2+1,4+1,6+1,8+1,10+1,12+1,14+1,16+1,18+1,20+1,22+1,24+1,"
	       "26+1,28+1,30+1,32+1,34+1,36+1,38+1,40+1,42+1,44+1,46+1,48+1,51+5 size=60 "
	       "0~1~2~3~4~5~6~7~8~9~a~b~c~d~e~f~g~h~i~j~k~l~m~n~o~~pqrst~~~~\n");
}

static void test_sparse_pax_00(void **state)
{
	(void)state;
	PAX(&t, "GNU.sparse.size", "10");
	PAX(&t, "GNU.sparse.numblocks", "2");
	PAX(&t, "GNU.sparse.offset", "1");
	PAX(&t, "GNU.sparse.numbytes", "2");
	PAX(&t, "GNU.sparse.offset", "3"); /* joined to the one before */
	PAX(&t, "GNU.sparse.numbytes", "1");
	TAR(&t, .name = "f", .data = "abc");
	expect("f 0644 0:0 0 f runs=1+3 size=10 ~abc~~~~~~\n");
}

static void test_sparse_pax_01(void **state)
{
	(void)state;
	PAX(&t, "GNU.sparse.major", "0");
	PAX(&t, "GNU.sparse.minor", "1");
	PAX(&t, "GNU.sparse.name", "real/name");
	PAX(&t, "GNU.sparse.size", "10");
	PAX(&t, "GNU.sparse.map", "0,2,9,1,10,0");
	TAR(&t, .name = "GNUSparseFile.1/name", .data = "abc");
	expect("f 0644 0:0 0 real/name runs=0+2,9+1 size=10 ab~~~~~~~c\n");
}

static void sparse_10(const char *map, const char *size, const char *data)
{
	char body[1024] = {0};

	strcpy(body, map);
	strcpy(body + 512, data);
	PAX(&t, "GNU.sparse.major", "1");
	PAX(&t, "GNU.sparse.minor", "0");
	PAX(&t, "GNU.sparse.name", "f");
	PAX(&t, "GNU.sparse.realsize", size);
	TAR(&t, .name = "GNUSparseFile.1/f", .data = body, .len = 512 + strlen(data));
}

static void test_sparse_pax_10(void **state)
{
	(void)state;
	sparse_10("3\n1\n2\n8\n2\n12\n0\n", "12", "abcd");
	TAR(&t, .name = "g", .data = "x");
	expect("f 0644 0:0 0 f runs=1+2,8+2 size=12 ~ab~~~~~cd~~\n"
	       "f 0644 0:0 0 g size=1 x\n");
}

static void test_sparse_all_hole(void **state)
{
	(void)state;
	sparse_10("1\n1048576\n0\n", "1048576", "");
	PAX(&t, "GNU.sparse.size", "20");
	PAX(&t, "GNU.sparse.numblocks", "0");
	TAR(&t, .name = "g");
	expect("f 0644 0:0 0 f runs= size=1048576 #722e3b6107369d55\n"
	       "f 0644 0:0 0 g runs= size=20 ~~~~~~~~~~~~~~~~~~~~\n");
}

static void test_sparse_without_holes(void **state)
{
	(void)state;
	sparse_10("2\n0\n4\n4\n0\n", "4", "abcd");
	expect("f 0644 0:0 0 f size=4 abcd\n");
}

static void test_sparse_large(void **state)
{
	(void)state;
	sparse_10("2\n5000000000\n2\n9000000000\n0\n", "9000000000", "ab");
	expect("f 0644 0:0 0 f runs=5000000000+2 size=9000000000 #1e7d05d5379b0cb0\n");
}

static void test_sparse_bad(void **state)
{
	static const char *const bad[][3] = {
		{"2\n5\n2\n1\n2\n", "20", "data at 1 comes after data that ends at 7"},
		{"1\n0\n4\n", "3", "data up to 4 in a file of 3 bytes"},
		{"1\n0\n3\n", "10", "3 bytes of data, the entry has 4"},
		{"1\n0\n5\n", "10", "5 bytes of data, the entry has 4"},
		{"x\n", "10", "no number at byte"},
		{"1\n\n", "10", "no number at byte"},
		{"99999999999999999999\n", "10", "no number at byte"},
		{"1\n9223372036854775807\n1\n", "10", "reach over the largest size"},
		{"1000000000000\n1\n2\n", "10", "no number at byte"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tarball_free(&t);
		source_dump_free(&d);
		sparse_10(bad[i][0], bad[i][1], "abcd");
		tarball_end(&t);
		expect_error(MICA_E_INPUT, bad[i][2]);
	}
}

static void test_sparse_bad_records(void **state)
{
	(void)state;
	PAX(&t, "GNU.sparse.map", "0,2,");
	PAX(&t, "GNU.sparse.size", "10");
	TAR(&t, .name = "f", .data = "ab");
	expect_error(MICA_E_INPUT, "no list of pairs of numbers");
	tarball_free(&t);
	source_dump_free(&d);
	PAX(&t, "GNU.sparse.map", "0,2");
	TAR(&t, .name = "f", .data = "ab");
	expect_error(MICA_E_INPUT, "the real size is missing");
	tarball_free(&t);
	source_dump_free(&d);
	PAX(&t, "GNU.sparse.major", "2");
	PAX(&t, "GNU.sparse.minor", "0");
	PAX(&t, "GNU.sparse.realsize", "10");
	TAR(&t, .name = "f", .data = "ab");
	expect_error(MICA_E_INPUT, "sparse format 2.0, known are");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "f", .type = 'S', .data = "ab");
	expect_error(MICA_E_INPUT, "a kind of sparse file that is not known");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(test_sparse_old_gnu),	SOURCE_TEST(test_sparse_old_gnu_extended),
		SOURCE_TEST(test_sparse_pax_00),	SOURCE_TEST(test_sparse_pax_01),
		SOURCE_TEST(test_sparse_pax_10),	SOURCE_TEST(test_sparse_all_hole),
		SOURCE_TEST(test_sparse_without_holes), SOURCE_TEST(test_sparse_large),
		SOURCE_TEST(test_sparse_bad),		SOURCE_TEST(test_sparse_bad_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
