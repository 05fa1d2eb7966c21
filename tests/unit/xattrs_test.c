/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <cmocka.h>

#include "../../formats/erofs.h"
#include "../../lib/util.h"
#include "../../mkimage/data.h"
#include "../../mkimage/xattrs.h"
#include "fake_outfile.h"

#define GUARD 64
#define MANY  400u
/* Sets up to this size leave room for an inode and the longest tail in one block. */
#define FITTING 100u

static struct mica_spool *spool;
static struct mica_xattrs *xattrs;
static struct mica_outfile out;
static struct mica_err err;
static uint64_t area; /* bytes of the shared area */

static int setup(void **state)
{
	(void)state;
	err = (struct mica_err){0};
	out = (struct mica_outfile){0};
	return mica_spool_new("xattrs.img", &spool, &err) || mica_xattrs_new(spool, &xattrs, &err);
}

static int teardown(void **state)
{
	(void)state;
	mica_xattrs_free(xattrs);
	mica_spool_free(spool);
	free(out.buf);
	return 0;
}

static struct mica_kv kv(const char *name, const void *value, size_t len)
{
	return (struct mica_kv){(char *)name, (unsigned char *)value, len};
}

static struct mica_kv text(const char *name, const char *value)
{
	return kv(name, value, strlen(value));
}

static uint32_t intern(const struct mica_kv *kvs, size_t count, unsigned int refs)
{
	uint32_t id;

	if (mica_xattrs_intern(xattrs, kvs, count, &id, &err))
		fail_msg("%s", err.msg);
	while (refs--)
		mica_xattrs_ref(xattrs, id);
	return id;
}

static int write_out(void *ctx, const void *buf, size_t len, struct mica_err *e)
{
	return mica_outfile_write(ctx, buf, len, e);
}

static void place(void)
{
	const struct mica_outlet to = {write_out, &out};

	mica_xattrs_place(xattrs, &area);
	assert_int_equal(mica_xattrs_write_shared(xattrs, &to, &err), 0);
	assert_int_equal(out.len, area);
}

static const struct {
	const char *prefix;
	uint8_t index;
} indexes[] = {
	{"user.", EROFS_XATTR_USER},
	{"system.posix_acl_access", EROFS_XATTR_ACL_ACCESS},
	{"system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT},
	{"trusted.", EROFS_XATTR_TRUSTED},
	{"security.", EROFS_XATTR_SECURITY},
};

/* Bytes of the entry at p; it is one of kvs, which is marked. */
static size_t entry_check(const unsigned char *p, const struct mica_kv *kvs, size_t count,
			  bool *seen)
{
	struct erofs_xattr_entry_disk e;
	char name[300];
	size_t size, used;

	memcpy(&e, p, sizeof(e));
	used = sizeof(e) + e.name_len + le16_get(e.value_size);
	size = (used + 3) / 4 * 4;
	for (size_t i = used; i < size; i++)
		assert_int_equal(p[i], 0);
	for (size_t i = 0; i < 5; i++)
		if (indexes[i].index == e.name_index)
			strcpy(name, indexes[i].prefix);
	strncat(name, (const char *)p + sizeof(e), e.name_len);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(kvs[i].name, name) || seen[i])
			continue;
		assert_int_equal(le16_get(e.value_size), kvs[i].len);
		if (kvs[i].len)
			assert_memory_equal(p + sizeof(e) + e.name_len, kvs[i].value, kvs[i].len);
		seen[i] = true;
		return size;
	}
	fail_msg("%s is not of the set", name);
	return 0;
}

static uint32_t filter_of(const struct mica_kv *kvs, size_t count)
{
	uint32_t filter = UINT32_MAX;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < 5; k++) {
			size_t len = strlen(indexes[k].prefix);

			if (!strncmp(kvs[i].name, indexes[k].prefix, len))
				filter &=
					~(1u << (XXH32(kvs[i].name + len, strlen(kvs[i].name + len),
						       0x25BBE08Fu + indexes[k].index) %
						 32));
		}
	return filter;
}

/* The set's area behind an inode, decoded, is kvs; returns how many are shared. */
static unsigned int check(uint32_t id, const struct mica_kv *kvs, size_t count)
{
	struct erofs_xattr_ibody_disk head;
	bool seen[MANY] = {false};
	uint32_t size = mica_xattrs_ibody_size(xattrs, id);
	cleanup_free unsigned char *buf = malloc(size + GUARD);
	size_t pos = sizeof(head);

	assert_non_null(buf);
	assert_true(size <= MICA_XATTRS_BYTES_MAX);
	memset(buf, 0xaa, size + GUARD);
	assert_int_equal(mica_xattrs_ibody_encode(xattrs, id, buf, &err), 0);
	for (size_t i = size; i < size + GUARD; i++)
		assert_int_equal(buf[i], 0xaa);
	if (!count) {
		assert_int_equal(size, 0);
		return 0;
	}
	if (count <= FITTING)
		assert_true(64 + size + MICA_TAIL_MAX <= 4096);
	memcpy(&head, buf, sizeof(head));
	assert_int_equal(le32_get(head.name_filter), filter_of(kvs, count));
	for (unsigned int i = 0; i < head.shared_count; i++, pos += 4) {
		uint64_t at = 4ull * (buf[pos] | (uint32_t)buf[pos + 1] << 8 |
				      (uint32_t)buf[pos + 2] << 16 | (uint32_t)buf[pos + 3] << 24);

		assert_true(at < area);
		assert_true(at + entry_check(out.buf + at, kvs, count, seen) <= area);
	}
	while (pos < size)
		pos += entry_check(buf + pos, kvs, count, seen);
	assert_int_equal(pos, size);
	for (size_t i = 0; i < count; i++)
		assert_true(seen[i]);
	return head.shared_count;
}

static void what_erofs_cannot_hold(void **state)
{
	static unsigned char value[65536];
	char name[300] = "trusted.";
	struct mica_kv k = text("user.a", "");

	(void)state;
	assert_null(mica_xattrs_refuse(&k));
	k = text("system.posix_acl_access", "x");
	assert_null(mica_xattrs_refuse(&k));
	k = text("system.posix_acl_default", "x");
	assert_null(mica_xattrs_refuse(&k));
	k = text("security.capability", "x");
	assert_null(mica_xattrs_refuse(&k));
	k = kv("user.a", value, 65535);
	assert_null(mica_xattrs_refuse(&k));
	k = kv("user.a", value, 65536);
	assert_string_equal(mica_xattrs_refuse(&k), "its value is longer than 65,535 bytes");
	memset(name + 8, 'n', 255);
	k = text(name, "");
	assert_null(mica_xattrs_refuse(&k));
	name[8 + 255] = 'n';
	assert_string_equal(mica_xattrs_refuse(&k), "its name is longer than 255 bytes");
}

static void name_spaces_that_erofs_does_not_have(void **state)
{
	static const char *const names[] = {
		"",	     "user",
		"user.",     "trusted.",
		"security.", "system.",
		"system.x",  "system.posix_acl_accessx",
		"com.apple", "system.posix_acl",
		"User.a",    "btrfs.compression",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct mica_kv k = text(names[i], "");

		assert_string_equal(mica_xattrs_refuse(&k), "EROFS has no such name space");
	}
}

static void equal_sets_have_equal_ids(void **state)
{
	struct mica_kv a[] = {text("user.a", "1"), text("user.b", "2"), text("trusted.a", "1")};
	struct mica_kv b[] = {a[2], a[0], a[1]};
	struct mica_kv other[] = {text("user.a", "2"), text("user.b", "1"), text("trusted.a", "1")};

	(void)state;
	assert_int_equal(intern(NULL, 0, 1), 0);
	assert_int_not_equal(intern(a, 3, 1), 0);
	assert_int_equal(intern(b, 3, 1), intern(a, 3, 0));
	assert_int_not_equal(intern(a, 2, 1), intern(a, 3, 0));
	assert_int_not_equal(intern(other, 3, 1), intern(a, 3, 0));
	/* where name ends and value begins counts */
	other[0] = text("user.ab", "c");
	assert_int_not_equal(intern(other, 1, 1),
			     intern((struct mica_kv[]){text("user.a", "bc")}, 1, 1));
	place();
	check(intern(NULL, 0, 0), NULL, 0);
	check(intern(b, 3, 0), a, 3);
	check(intern(a, 2, 0), a, 2);
}

static void shared_where_that_is_smaller(void **state)
{
	/* 4 + 1 + 3 bytes: inline twice is 16, shared 8 + 2 * 4; from three on sharing wins */
	struct mica_kv small2[] = {text("user.1", "abc")}, small3[] = {text("user.2", "abc")};
	/* 24 bytes */
	struct mica_kv one[] = {text("user.3", "nineteen bytes long")};
	struct mica_kv two[] = {text("user.4", "nineteen bytes long")};
	/* never: an id is as long as the entry */
	struct mica_kv tiny[] = {text("system.posix_acl_access", "")};

	(void)state;
	intern(small2, 1, 2);
	intern(small3, 1, 3);
	intern(one, 1, 1);
	intern(two, 1, 2);
	intern(tiny, 1, 1000);
	place();
	assert_int_equal(check(intern(small2, 1, 0), small2, 1), 0);
	assert_int_equal(check(intern(small3, 1, 0), small3, 1), 1);
	assert_int_equal(check(intern(one, 1, 0), one, 1), 0);
	assert_int_equal(check(intern(two, 1, 0), two, 1), 1);
	assert_int_equal(check(intern(tiny, 1, 0), tiny, 1), 0);
	assert_int_equal(area, 8 + 24);
}

static void attributes_of_hidden_files_cost_nothing(void **state)
{
	static unsigned char value[5000];
	struct mica_kv hidden[] = {kv("user.hidden", value, 5000), text("user.b", "bb")};
	struct mica_kv seen[] = {text("user.b", "bb")};

	(void)state;
	intern(hidden, 2, 0);
	intern(seen, 1, 1);
	place();
	assert_int_equal(area, 0);
	assert_int_equal(check(intern(seen, 1, 0), seen, 1), 0);
}

static struct mica_kv many[MANY];

/* user.0 with no value, user.1 with 2 bytes, ... */
static void many_make(void)
{
	static unsigned char values[MANY][2 * MANY];
	static char names[MANY][32];

	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "user.%zu", i);
		memset(values[i], (int)i, sizeof(values[i]));
		many[i] = kv(names[i], values[i], 2 * i);
	}
}

static void many_and_large_ones_fit_beside_a_tail(void **state)
{
	static unsigned char large[65535];
	struct mica_kv single[] = {kv("user.large", large, 65535)};

	(void)state;
	memset(large, 1, sizeof(large));
	many_make();
	intern(many, FITTING, 1);
	intern(many, 20, 1);
	intern(single, 1, 1);
	place();
	assert_in_range(check(intern(many, FITTING, 0), many, FITTING), 90, 100);
	check(intern(many, 20, 0), many, 20);
	assert_int_equal(check(intern(single, 1, 0), single, 1), 1);
}

static void more_than_can_be_shared(void **state)
{
	(void)state;
	many_make();
	/* all of them pay in the shared area, from which an inode can name 255 */
	for (uint32_t count = MICA_XATTRS_SHARED_MAX; count <= MANY; count += 29)
		intern(many, count, 2);
	place();
	for (uint32_t count = MICA_XATTRS_SHARED_MAX; count <= MANY; count += 29)
		assert_int_equal(check(intern(many, count, 0), many, count),
				 MICA_XATTRS_SHARED_MAX);
}

static void more_than_an_inode_can_carry(void **state)
{
	static unsigned char value[65535];
	uint32_t id = 7;

	(void)state;
	many_make();
	/* 16 bytes each beside the value, 12 before all: as much as there can be, and a step more */
	for (size_t i = 0; i < 256; i++)
		many[i] = kv(many[i].name, value, 1012 - strlen(many[i].name + strlen("user.")));
	many[0].len = MICA_XATTRS_BYTES_MAX - 12 - 255 * 1016 - 4 - 1;
	check(intern(many, 256, 1), many, 256);
	many[0].len++;
	assert_int_equal(mica_xattrs_intern(xattrs, many, 256, &id, &err), MICA_E_LIMIT);
	assert_string_equal(err.msg, "256 extended attributes are more than 255, and more than "
				     "262148 bytes");
	/* those that can all be shared have no such limit */
	for (size_t i = 0; i < 255; i++)
		many[i].len = 65535;
	intern(many, 255, 1);
}

static uint64_t rng;

static uint32_t pick(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

#define SETS 400

/* Random sets: each decodes to what it was, the area is in the order of first use. */
static void random_sets(void **state)
{
	static unsigned char value[2000];
	static char names[SETS][12][32];
	static struct mica_kv sets[SETS][12];
	static size_t counts[SETS];

	(void)state;
	memset(value, 'v', sizeof(value));
	for (unsigned int seed = 0; seed < 30; seed++) {
		rng = seed;
		for (size_t s = 0; s < SETS; s++) {
			counts[s] = pick(12);
			for (size_t i = 0; i < counts[s]; i++) {
				snprintf(names[s][i], sizeof(names[s][i]), "%s%zu.%u",
					 indexes[pick(3) ? 0 : 3].prefix, i, pick(2));
				sets[s][i] =
					kv(names[s][i], value, pick(8) ? pick(30) : pick(2000));
			}
			intern(sets[s], counts[s], pick(4));
		}
		/* those without a reference cannot be encoded: give each one */
		for (size_t s = 0; s < SETS; s++)
			intern(sets[s], counts[s], 1);
		place();
		for (size_t s = 0; s < SETS; s++)
			check(intern(sets[s], counts[s], 0), sets[s], counts[s]);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

/* The tables grow, and still find everything. */
static void a_hundred_thousand_sets(void **state)
{
	enum { COUNT = 100000 };
	static uint32_t ids[COUNT];
	char name[32];
	struct mica_kv k[2] = {text(name, "value"), text("user.common", "common")};

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		ids[i] = intern(k, 2, 1);
		assert_int_equal(ids[i], i + 1);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		assert_int_equal(intern(k, 2, 0), ids[i]);
	}
	place();
	assert_int_equal(area, 16);
	for (uint32_t i = 0; i < COUNT; i += 997) {
		snprintf(name, sizeof(name), "user.%u", i);
		assert_int_equal(check(ids[i], k, 2), 1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_erofs_cannot_hold),
		TEST(name_spaces_that_erofs_does_not_have),
		TEST(equal_sets_have_equal_ids),
		TEST(shared_where_that_is_smaller),
		TEST(attributes_of_hidden_files_cost_nothing),
		TEST(many_and_large_ones_fit_beside_a_tail),
		TEST(more_than_can_be_shared),
		TEST(more_than_an_inode_can_carry),
		TEST(random_sets),
		TEST(a_hundred_thousand_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
