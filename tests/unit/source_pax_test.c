/* SPDX-License-Identifier: MIT */
/* Pax records: what they override, xattrs, ACLs. */
#include "source_expect.h"

static void test_pax_overrides(void **state)
{
	(void)state;
	PAX(&t, "path", "other");
	PAX(&t, "uid", "70000");
	PAX(&t, "gid", "4000000000");
	PAX(&t, "mtime", "1234567890.123456789");
	PAX(&t, "size", "3");
	TAR(&t, .name = "f", .data = "abc", .uid = 1, .size = 0, .mtime = 5);
	TAR(&t, .name = "g", .uid = 1, .mtime = 5);
	expect("f 0644 70000:4000000000 1234567890.123456789 other size=3 abc\n"
	       "f 0644 1:0 5 g size=0 \n");
}

static void test_pax_times(void **state)
{
	static const char *const times[][2] = {
		{"0", "0"},
		{"-1", "-1"},
		{"-1.5", "-2.500000000"},
		{"-0.25", "-1.750000000"},
		{"-1.9999999999", "-2"},
		{"1.9999999999", "1.999999999"},
		{"4294967296.000000001", "4294967296.000000001"},
		{"253402300800", "253402300800"},
		{"5.", "5"},
	};
	char expected[1024];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		PAX(&t, "mtime", times[i][0]);
		TAR(&t, .name = "f");
		n += (size_t)sprintf(expected + n, "f 0644 0:0 %s f size=0 \n", times[i][1]);
	}
	expect(expected);
}

static void test_pax_bad_values(void **state)
{
	static const char *const bad[][2] = {
		{"mtime", "x"},
		{"mtime", "1.5x"},
		{"mtime", "99999999999999999999"},
		{"uid", "1x"},
		{"uid", "-1"},
		{"uid", "4294967296"},
		{"size", "-5"},
		{"gid", "--1"},
		{"size", "9223372036854775807"},
		{"GNU.sparse.offset", "z"},
		{"GNU.sparse.numbytes", "5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tarball_free(&t);
		source_dump_free(&d);
		PAX(&t, bad[i][0], bad[i][1]);
		TAR(&t, .name = "dir/name");
		tarball_end(&t);
		expect_error(MICA_E_INPUT, "'dir/name' at byte 1024");
		assert_string_equal(d.entries, "");
	}
}

static void test_pax_malformed(void **state)
{
	static const char *const bad[] = {"abc",     "5 a=b\n", "7 a=b\n",
					  "6 abc\n", "5 =b\n",	"99999999999999999999999 a=b\n",
					  "0 a=b\n", " 5 a=b\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tarball_free(&t);
		source_dump_free(&d);
		TAR(&t, .name = "pax", .type = 'x', .data = bad[i]);
		TAR(&t, .name = "f");
		tarball_end(&t);
		expect_error(MICA_E_INPUT, "pax header: record");
	}
}

static void test_pax_global(void **state)
{
	(void)state;
	tarball_pax(&t, 'g', "mtime", "100.5", 5);
	tarball_pax(&t, 'g', "uid", "33", 2);
	tarball_pax(&t, 'g', "SCHILY.xattr.user.g", "v", 1);
	tarball_pax(&t, 'g', "comment", "a commit", 8);
	TAR(&t, .name = "a", .uid = 1);
	PAX(&t, "mtime", "7");
	PAX(&t, "uid", ""); /* takes the global one back */
	TAR(&t, .name = "b", .uid = 2);
	tarball_pax(&t, 'g', "mtime", "", 0);
	TAR(&t, .name = "c", .uid = 3, .mtime = 9);
	expect("f 0644 33:0 100.500000000 a user.g=v size=0 \n"
	       "f 0644 2:0 7 b user.g=v size=0 \n"
	       "f 0644 33:0 9 c user.g=v size=0 \n");
}

static void test_pax_unknown_reported(void **state)
{
	(void)state;
	PAX(&t, "VENDOR.key", "1");
	TAR(&t, .name = "a");
	PAX(&t, "VENDOR.key", "2");
	TAR(&t, .name = "b");
	PAX(&t, "SCHILY.fflags", "append");
	TAR(&t, .name = "c");
	PAX(&t, "SCHILY.acl.ace", "owner@:rwx:allow");
	TAR(&t, .name = "d");
	expect_warning("f 0644 0:0 0 a size=0 \nf 0644 0:0 0 b size=0 \n"
		       "f 0644 0:0 0 c size=0 \nf 0644 0:0 0 d size=0 \n",
		       "a: pax record 'VENDOR.key' is not known and left out, here and later\n"
		       "c: its file flags are left out\n"
		       "d: its NFSv4 ACL is left out\n");
}

static void test_headers_without_entry(void **state)
{
	(void)state;
	PAX(&t, "path", "x");
	tarball_end(&t);
	expect_error(MICA_E_INPUT, "truncated: the archive ends at byte 1536, between the headers");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "././@LongLink", .type = 'L', .data = "name", .magic = TARBALL_GNU);
	expect_error(MICA_E_INPUT, "between the headers of an entry");
}

static void test_special_header_truncated(void **state)
{
	(void)state;
	PAX(&t, "path", "x");
	t.len = 520;
	expect_error(MICA_E_INPUT, "header of type 'x' at byte 0: truncated");
}

static void test_special_header_limits(void **state)
{
	(void)state;
	TAR(&t, .name = "pax", .type = 'x', .size = (uint64_t)1 << 40);
	expect_error(MICA_E_LIMIT, "header of type 'x' at byte 0: 1099511627776 bytes exceed");
	tarball_free(&t);
	source_dump_free(&d);
	TAR(&t, .name = "pax", .type = 'g', .size = 100000);
	expect_error(MICA_E_LIMIT, "bytes exceed 65536");
	tarball_free(&t);
	source_dump_free(&d);
	/* a size within the limit that is not there takes no memory */
	TAR(&t, .name = "pax", .type = 'x', .size = 60u << 20);
	expect_error(MICA_E_INPUT, "truncated");
}

static void test_xattrs(void **state)
{
	(void)state;
	PAX(&t, "SCHILY.xattr.user.b", "2");
	PAX(&t, "SCHILY.xattr.user.a", "1");
	tarball_pax(&t, 'x', "SCHILY.xattr.security.capability", "\1\0\0\2\0\x20\0\n=", 9);
	PAX(&t, "SCHILY.xattr.user.empty", "");
	PAX(&t, "SCHILY.xattr.user.eq%3Dpc%25other%41", "v");
	PAX(&t, "SCHILY.xattr.user.a", "last");
	PAX(&t, "RHT.security.selinux", "ctx");
	PAX(&t, "LIBARCHIVE.xattr.user.l%20%41", "aGVsbG8K");
	PAX(&t, "LIBARCHIVE.xattr.user.b", "Mg");
	TAR(&t, .name = "f");
	TAR(&t, .name = "g");
	expect("f 0644 0:0 0 f security.capability=\\01\\00\\00\\02\\00\\20\\00\\0a= "
	       "security.selinux=ctx user.a=last user.b=2 user.empty= user.eq=pc%other%41=v "
	       "user.l\\20A=hello\\0a size=0 \n"
	       "f 0644 0:0 0 g size=0 \n");
}

static void test_xattr_bad(void **state)
{
	(void)state;
	PAX(&t, "LIBARCHIVE.xattr.user.x", "a*b");
	TAR(&t, .name = "f");
	expect_error(MICA_E_INPUT, "xattr 'user.x': its value is no base64");
	tarball_free(&t);
	source_dump_free(&d);
	PAX(&t, "LIBARCHIVE.xattr.user.x%00y", "YQ");
	TAR(&t, .name = "f");
	expect_error(MICA_E_INPUT, "xattr 'user.x': NUL byte in its name");
}

#define ACL_E(tag, perm, id) tag perm "\\00" id
#define ACL_NOID	     "\\ff\\ff\\ff\\ff"

static void test_acl_text(void **state)
{
	(void)state;
	PAX(&t, "SCHILY.acl.access",
	    "other::r--,user:nobody-here:rw-:1000,user::rwx\ngroup::r-x,group:0:--x,mask::rwx");
	TAR(&t, .name = "f", .mode = 04700);
	expect("f 4774 0:0 0 f system.posix_acl_access=\\02\\00\\00\\00" /* mode follows the ACL */
	       ACL_E("\\01\\00", "\\07", ACL_NOID) ACL_E("\\02\\00", "\\06", "\\e8\\03\\00\\00")
		       ACL_E("\\04\\00", "\\05", ACL_NOID)
			       ACL_E("\\08\\00", "\\01", "\\00\\00\\00\\00")
				       ACL_E("\\10\\00", "\\07", ACL_NOID)
					       ACL_E("\\20\\00", "\\04", ACL_NOID) " size=0 \n");
}

static void test_acl_names(void **state)
{
	(void)state;
	PAX(&t, "SCHILY.acl.access",
	    "user::rw-,user:root:r--,user:who-is-this:rwx,group::r--,"
	    "mask::rw-,other::---");
	TAR(&t, .name = "f");
	expect_warning(
		"f 0660 0:0 0 f system.posix_acl_access=\\02\\00\\00\\00" ACL_E(
			"\\01\\00", "\\06", ACL_NOID) ACL_E("\\02\\00", "\\04", "\\00\\00\\00\\00")
			ACL_E("\\04\\00", "\\04", ACL_NOID) ACL_E("\\10\\00", "\\06", ACL_NOID)
				ACL_E("\\20\\00", "\\00", ACL_NOID) " size=0 \n",
		"f: ACL entry 'user:who-is-this:rwx' is left out: no such name here");
}

static void test_acl_missing_entries(void **state)
{
	(void)state;
	/* mask from named users and groups, the rest from the mode */
	PAX(&t, "SCHILY.acl.access", "user:5:r-x");
	TAR(&t, .name = "f", .mode = 0640);
	expect("f 0650 0:0 0 f system.posix_acl_access=\\02\\00\\00\\00" ACL_E(
		"\\01\\00", "\\06", ACL_NOID) ACL_E("\\02\\00", "\\05", "\\05\\00\\00\\00")
		       ACL_E("\\04\\00", "\\04", ACL_NOID) ACL_E("\\10\\00", "\\05", ACL_NOID)
			       ACL_E("\\20\\00", "\\00", ACL_NOID) " size=0 \n");
}

static void test_acl_minimal_dropped(void **state)
{
	(void)state;
	PAX(&t, "SCHILY.acl.access", "user::rwx,group::r-x,other::--x");
	TAR(&t, .name = "f", .mode = 0600);
	PAX(&t, "SCHILY.acl.default", "user::rwx,group::r-x,other::--x");
	TAR(&t, .name = "d", .type = '5');
	expect("f 0751 0:0 0 f size=0 \n"
	       "d 0755 0:0 0 d system.posix_acl_default=\\02\\00\\00\\00" ACL_E(
		       "\\01\\00", "\\07", ACL_NOID) ACL_E("\\04\\00", "\\05", ACL_NOID)
		       ACL_E("\\20\\00", "\\01", ACL_NOID) "\n");
}

static void test_acl_xattr_wins(void **state)
{
	static const unsigned char acl[] = {2,	 0,  0, 0,  1, 0,   6,	 0,   255, 255, 255,
					    255, 32, 0, 4,  0, 255, 255, 255, 255, 4,	0,
					    4,	 0,  1, 1,  1, 1,   2,	 0,   7,   0,	9,
					    0,	 0,  0, 16, 0, 7,   0,	 255, 255, 255, 255};

	(void)state;
	PAX(&t, "SCHILY.acl.access", "user::rwx,user:1:rwx,group::rwx,mask::rwx,other::rwx");
	tarball_pax(&t, 'x', "SCHILY.xattr.system.posix_acl_access", acl, sizeof(acl));
	TAR(&t, .name = "f");
	expect("f 0674 0:0 0 f system.posix_acl_access=\\02\\00\\00\\00" ACL_E(
		"\\01\\00", "\\06", ACL_NOID) ACL_E("\\02\\00", "\\07", "\\09\\00\\00\\00")
		       ACL_E("\\04\\00", "\\04", ACL_NOID) ACL_E("\\10\\00", "\\07", ACL_NOID)
			       ACL_E("\\20\\00", "\\04", ACL_NOID) " size=0 \n");
}

static void test_acl_bad(void **state)
{
	static const char *const bad[] = {
		"user:rwx",  "user::rwz", "nobody::rwx", "user::", "user:1:rwx,user:1:r--",
		"mask:x:rwx"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		tarball_free(&t);
		source_dump_free(&d);
		PAX(&t, "SCHILY.acl.access", bad[i]);
		TAR(&t, .name = "f");
		/* "user:rwx" is the owner's: written without its empty name */
		if (!i)
			expect("f 0744 0:0 0 f size=0 \n");
		else
			expect_error(MICA_E_INPUT, "'f': ACL: ");
	}
	tarball_free(&t);
	source_dump_free(&d);
	PAX(&t, "SCHILY.xattr.system.posix_acl_access", "abc");
	TAR(&t, .name = "f");
	expect_error(MICA_E_INPUT, "ACL: 3 bytes are no valid length");
}

static void test_acl_misplaced(void **state)
{
	(void)state;
	PAX(&t, "SCHILY.acl.default", "user::rwx,group::rwx,other::rwx");
	TAR(&t, .name = "f");
	PAX(&t, "SCHILY.acl.access", "user::rwx,group::rwx,other::rwx");
	TAR(&t, .name = "l", .type = '2', .link = "x");
	expect_warning("f 0644 0:0 0 f size=0 \nl 0644 0:0 0 l -> x\n",
		       "f: system.posix_acl_default is left out: files of this type have none\n"
		       "l: system.posix_acl_access is left out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(test_pax_overrides),
		SOURCE_TEST(test_pax_times),
		SOURCE_TEST(test_pax_bad_values),
		SOURCE_TEST(test_pax_malformed),
		SOURCE_TEST(test_pax_global),
		SOURCE_TEST(test_pax_unknown_reported),
		SOURCE_TEST(test_headers_without_entry),
		SOURCE_TEST(test_special_header_truncated),
		SOURCE_TEST(test_special_header_limits),
		SOURCE_TEST(test_xattrs),
		SOURCE_TEST(test_xattr_bad),
		SOURCE_TEST(test_acl_text),
		SOURCE_TEST(test_acl_names),
		SOURCE_TEST(test_acl_missing_entries),
		SOURCE_TEST(test_acl_minimal_dropped),
		SOURCE_TEST(test_acl_xattr_wins),
		SOURCE_TEST(test_acl_bad),
		SOURCE_TEST(test_acl_misplaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
