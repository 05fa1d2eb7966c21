/* SPDX-License-Identifier: MIT */
/* Extended attributes: own, shared, with long prefixes; each rule broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "disk.h"

#define SHARED_BLOCK 6u
#define PREFIX_BLOCK 7u

static struct disk disk;

/* The file's xattr area: its header, then len bytes; returns these. */
static uint8_t *area(unsigned int len)
{
	uint8_t *p;

	disk_init(&disk);
	disk_super(&disk)->xattr_blkaddr = le32_make(SHARED_BLOCK);
	p = disk_inode(&disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 0, 0);
	disk_inode_at(&disk, DISK_FILE)->xattr_icount = le16_make((uint16_t)(1 + len / 4));
	return p + sizeof(struct erofs_xattr_ibody_disk);
}

/* Returns the bytes that it took. */
static unsigned int entry(uint8_t *p, unsigned int index, const char *name, unsigned int name_len,
			  const char *value)
{
	p[0] = (uint8_t)name_len;
	p[1] = (uint8_t)index;
	put16(p + 2, (uint16_t)strlen(value));
	memcpy(p + 4, name, name_len);
	memcpy(p + 4 + name_len, value, strlen(value));
	return (unsigned int)mica_round_up(4 + name_len + strlen(value), 4);
}

/* All names and values, "name=value ..." in order; the error's code when there is one. */
static int list(char *out, struct mica_err *err)
{
	cleanup_image struct mica_image *img = disk_image(&disk);
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	struct mica_inode inode;
	struct mica_xattr attr;
	int ret;

	*out = 0;
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, err), 0);
	ret = mica_xattr_iter_new(img, &inode, &it, err);
	while (!ret && (ret = mica_xattr_iter_next(it, &attr, err)) > 0) {
		sprintf(out + strlen(out), "%s=%.*s%s ", attr.name, (int)attr.value_len,
			(const char *)attr.value, attr.shared ? "!" : "");
		ret = 0;
	}
	return ret;
}

static void list_fails(const char *want)
{
	struct mica_err err = {0};
	char out[4096];

	disk_expect(list(out, &err), MICA_E_CORRUPT, &err, want);
}

static void attributes_have_full_names(void **state)
{
	uint8_t *p = area(160), *start = p;
	struct mica_err err = {0};
	char out[4096];

	(void)state;
	p += entry(p, EROFS_XATTR_USER, "a", 1, "1");
	p += entry(p, EROFS_XATTR_ACL_ACCESS, "", 0, "acl");
	p += entry(p, EROFS_XATTR_ACL_DEFAULT, "", 0, "");
	p += entry(p, EROFS_XATTR_LUSTRE, "hidden", 6, "x"); /* as Linux has it */
	p += entry(p, EROFS_XATTR_TRUSTED, "overlay.opaque", 14, "y");
	p += entry(p, EROFS_XATTR_SECURITY, "capability", 10, "cap");
	p += entry(p, 7, "unknown", 7, "x");
	disk_inode_at(&disk, DISK_FILE)->xattr_icount = le16_make((uint16_t)(1 + (p - start) / 4));
	assert_int_equal(list(out, &err), 0);
	assert_string_equal(out, "user.a=1 system.posix_acl_access=acl "
				 "system.posix_acl_default= trusted.overlay.opaque=y "
				 "security.capability=cap ");
}

static void shared_attributes_come_behind_own_ones(void **state)
{
	uint8_t *p = area(16);
	struct mica_err err = {0};
	char out[4096];

	(void)state;
	p[-8] = 2; /* shared_count */
	put32(p, 5);
	put32(p + 4, 0);
	entry(p + 8, EROFS_XATTR_USER, "own", 3, "o");
	entry(disk_block(&disk, SHARED_BLOCK), EROFS_XATTR_USER, "zero", 4, "z");
	entry(disk_block(&disk, SHARED_BLOCK) + 20, EROFS_XATTR_TRUSTED, "five", 4, "fff");
	assert_int_equal(list(out, &err), 0);
	assert_string_equal(out, "user.own=o trusted.five=fff! user.zero=z! ");
	put32(p, 1u << 30);
	list_fails("inode 8: xattr at 4294991872: truncated");
	p[-8] = 5;
	list_fails("5 shared ids exceed 28 bytes");
}

/* Prefixes "user.very.long." and "trusted." in a plain table. */
static void put_prefixes(void)
{
	struct erofs_super_disk *sb = disk_super(&disk);
	uint8_t *p = disk_block(&disk, PREFIX_BLOCK);

	sb->feature_incompat = le32_make(EROFS_INCOMPAT_XATTR_PREFIXES);
	sb->xattr_prefix_count = 2;
	sb->xattr_prefix_start = le32_make(PREFIX_BLOCK * DISK_BLOCK / 4);
	put16(p, 11);
	p[2] = EROFS_XATTR_USER;
	memcpy(p + 3, "very.long.", 10);
	put16(p + 16, 1);
	p[18] = EROFS_XATTR_TRUSTED;
}

static void long_prefixes_are_put_in_front(void **state)
{
	uint8_t *p = area(32);
	struct mica_image *img = NULL;
	struct mica_err err = {0};
	char out[4096];

	(void)state;
	put_prefixes();
	p += entry(p, EROFS_XATTR_LONG | 0, "name", 4, "1");
	p += entry(p, EROFS_XATTR_LONG | 1, "x", 1, "2");
	p += entry(p, EROFS_XATTR_LONG | 0, "", 0, "");
	entry(p, EROFS_XATTR_LONG | 0, "", 0, "33");
	disk_inode_at(&disk, DISK_FILE)->xattr_icount = le16_make(1 + 32 / 4);
	assert_int_equal(list(out, &err), 0);
	assert_string_equal(
		out, "user.very.long.name=1 trusted.x=2 user.very.long.= user.very.long.=33 ");
	p[1] = EROFS_XATTR_LONG | 2;
	list_fails("prefix 2 of a table of 2");
	put16(disk_block(&disk, PREFIX_BLOCK), 0);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "xattr prefix 0 at 28672: 0 bytes are not within 1..256");
	put16(disk_block(&disk, PREFIX_BLOCK), 257);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "257 bytes are not within 1..256");
	disk_super(&disk)->xattr_prefix_start = le32_make(UINT32_MAX);
	disk_expect(disk_open(&disk, &img, &err), MICA_E_CORRUPT, &err,
		    "xattr prefix 0 at 17179869180: truncated");
}

static void every_xattr_rule_is_enforced(void **state)
{
	uint8_t *p;

	(void)state;
	p = area(8);
	entry(p, EROFS_XATTR_USER, "name", 4, "value");
	list_fails("inode 8: xattr at 4428: entry exceeds the 8 bytes left");
	p = area(8);
	entry(p, EROFS_XATTR_USER, "", 0, "v");
	list_fails("'user.' with a name of 0 bytes");
	p = area(12);
	entry(p, EROFS_XATTR_ACL_ACCESS, "abc", 3, "v");
	list_fails("'system.posix_acl_access' with a name of 3 bytes");
	p = area(12);
	entry(p, EROFS_XATTR_USER, "a\0b", 3, "v");
	list_fails("name holds a NUL");
	p = area(260);
	put_prefixes();
	memset(p, 'a', 260);
	p[0] = 250;
	p[1] = EROFS_XATTR_LONG;
	put16(p + 2, 0);
	list_fails("name of 260 bytes exceeds 255");
}

static void single_values_are_found(void **state)
{
	uint8_t *p = area(20);
	struct mica_image *img;
	struct mica_inode inode;
	struct mica_err err = {0};
	char buf[8] = "-------";

	(void)state;
	p += entry(p, EROFS_XATTR_USER, "a", 1, "one");
	entry(p, EROFS_XATTR_SECURITY, "b", 1, "seven77");
	img = disk_image(&disk);
	assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
	assert_int_equal(mica_xattr_get(img, &inode, "user.a", buf, sizeof(buf), &err), 3);
	assert_memory_equal(buf, "one----", 7);
	assert_int_equal(mica_xattr_get(img, &inode, "security.b", NULL, 0, &err), 7);
	disk_expect((int)mica_xattr_get(img, &inode, "security.b", buf, 6, &err), MICA_E_LIMIT,
		    &err, "xattr 'security.b' of 7 bytes does not fit into 6");
	disk_expect((int)mica_xattr_get(img, &inode, "user.b", buf, 6, &err), MICA_E_NOENT, &err,
		    "inode 8 has no xattr 'user.b'");
	assert_int_equal(mica_xattr_get(img, &inode, "a", buf, 6, &err), MICA_E_NOENT);
	assert_int_equal(mica_xattr_get(img, &inode, "", buf, 6, &err), MICA_E_NOENT);
	mica_image_free(img);
}

/* The filter decides before anything else is read: here it denies what is there. */
static void the_filter_is_believed(void **state)
{
	uint8_t *p = area(8);
	uint32_t bit = 1u << (XXH32("a", 1, EROFS_XATTR_FILTER_SEED + EROFS_XATTR_USER) & 31);
	struct mica_err err = {0};

	(void)state;
	entry(p, EROFS_XATTR_USER, "a", 1, "one");
	for (int round = 0; round < 4; round++) {
		struct mica_image *img;
		struct mica_inode inode;

		disk_super(&disk)->feature_compat =
			le32_make(round ? EROFS_COMPAT_XATTR_FILTER : 0);
		disk_super(&disk)->xattr_filter_reserved = round == 3;
		put32(p - 12, round == 2 ? ~bit : bit);
		img = disk_image(&disk);
		assert_int_equal(mica_image_inode(img, DISK_FILE, &inode, &err), 0);
		assert_int_equal(mica_xattr_get(img, &inode, "user.a", NULL, 0, &err),
				 round == 1 ? MICA_E_NOENT : 3);
		mica_image_free(img);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_have_full_names),
		cmocka_unit_test(shared_attributes_come_behind_own_ones),
		cmocka_unit_test(long_prefixes_are_put_in_front),
		cmocka_unit_test(every_xattr_rule_is_enforced),
		cmocka_unit_test(single_values_are_found),
		cmocka_unit_test(the_filter_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
