/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "../../formats/erofs.h"
#include "../../lib/tree.h"
#include "../../lib/util.h"
#include "../../mkimage/dirents.h"

static uint32_t block_size = 4096;

#define ENTRY 12u

static struct mica_tree *tree;
static unsigned char *encoded; /* the blocks, one behind the other */
static uint64_t encoded_len;
static unsigned int blocks;

static int setup(void **state)
{
	struct mica_err err;

	(void)state;
	encoded = NULL;
	encoded_len = 0;
	blocks = 0;
	return mica_tree_new(&tree, &err);
}

static int teardown(void **state)
{
	(void)state;
	free(encoded);
	mica_tree_free(tree);
	return 0;
}

static struct mica_tnode *add(struct mica_tnode *dir, const char *name, mode_t mode, uint64_t nid)
{
	struct mica_tinode *inode = NULL;
	struct mica_tnode *node = NULL;
	struct mica_err err;

	assert_int_equal(mica_tree_add(tree, dir, name, strlen(name), &node, &err), 0);
	assert_int_equal(mica_tree_inode_new(tree, &inode, &err), 0);
	inode->mode = (uint16_t)mode;
	inode->nid = nid;
	mica_tree_set_inode(tree, node, inode);
	return node;
}

static int keep_block(void *ctx, const void *block, uint32_t len, struct mica_err *err)
{
	(void)ctx;
	(void)err;
	assert_in_range(len, 1, block_size);
	assert_int_equal(encoded_len % block_size, 0); /* only the last one is short */
	encoded = realloc(encoded, encoded_len + len);
	assert_non_null(encoded);
	memcpy(encoded + encoded_len, block, len);
	encoded_len += len;
	blocks++;
	return 0;
}

static void encode(struct mica_tnode *dir)
{
	struct mica_tree_counts counts;
	struct mica_err err;

	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
	assert_int_equal(mica_dirents_encode(dir, true, block_size, keep_block, NULL, &err), 0);
	assert_int_equal(encoded_len, mica_dirents_size(dir, true, block_size));
}

struct seen {
	char name[256];
	uint32_t len;
	uint64_t nid;
	uint8_t type;
};

/* Entry i of the block at off, which has `size` bytes; checks its place. */
static struct seen entry_at(uint64_t off, uint32_t size, uint32_t i)
{
	struct erofs_dirent_disk d, next;
	struct seen s = {0};
	uint32_t count, end = size;

	memcpy(&d, encoded + off, sizeof(d));
	count = le16_get(d.nameoff) / ENTRY;
	memcpy(&d, encoded + off + i * ENTRY, sizeof(d));
	if (i + 1 < count) {
		memcpy(&next, encoded + off + (i + 1) * ENTRY, sizeof(next));
		end = le16_get(next.nameoff);
	}
	assert_true(le16_get(d.nameoff) >= count * ENTRY && le16_get(d.nameoff) < end);
	s.len = (uint32_t)strnlen((char *)encoded + off + le16_get(d.nameoff),
				  end - le16_get(d.nameoff));
	if (i + 1 < count)
		assert_int_equal(s.len, end - le16_get(d.nameoff));
	assert_in_range(s.len, 1, 255);
	memcpy(s.name, encoded + off + le16_get(d.nameoff), s.len);
	s.nid = le64_get(d.nid);
	s.type = d.file_type;
	return s;
}

static uint32_t block_count(uint64_t off)
{
	struct erofs_dirent_disk d;

	memcpy(&d, encoded + off, sizeof(d));
	assert_true(le16_get(d.nameoff) && le16_get(d.nameoff) % ENTRY == 0);
	return le16_get(d.nameoff) / ENTRY;
}

/* All entries in order; each block takes as many as fit. Returns their number. */
static uint64_t walk(void (*visit)(const struct seen *s, uint64_t n))
{
	struct seen before = {0};
	uint64_t n = 0;
	uint32_t used = 0;

	for (uint64_t off = 0; off < encoded_len; off += block_size) {
		uint32_t size = (uint32_t)mica_min(block_size, encoded_len - off);
		uint32_t count = block_count(off);

		for (uint32_t i = 0; i < count; i++, n++) {
			struct seen s = entry_at(off, size, i);

			if (off && !i)
				assert_true(used + ENTRY + s.len > block_size);
			used = i ? used + ENTRY + s.len : ENTRY + s.len;
			if (n)
				assert_true(strcmp(before.name, s.name) < 0);
			before = s;
			if (visit)
				visit(&s, n);
		}
		for (uint32_t i = used; i < size; i++)
			assert_int_equal(encoded[off + i], 0);
		assert_true(used <= size && (off + block_size < encoded_len || used == size));
	}
	return n;
}

static const char *const dotty[] = {"!a", "-", ".", "..", "...", "..a", ".a", "0", "\x7f", "\x80"};

static void dotty_visit(const struct seen *s, uint64_t n)
{
	assert_string_equal(s->name, dotty[n]);
}

static void dots_stand_where_bytes_put_them(void **state)
{
	static const int order[] = {9, 4, 0, 7, 6, 1, 8, 5};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		add(mica_tree_root(tree), dotty[order[i]], S_IFREG, 100);
	encode(mica_tree_root(tree));
	assert_int_equal(walk(dotty_visit), 10);
}

static void empty_visit(const struct seen *s, uint64_t n)
{
	assert_string_equal(s->name, n ? ".." : ".");
	assert_int_equal(s->nid, n ? 41 : 42);
	assert_int_equal(s->type, EROFS_FT_DIR);
}

static void an_empty_directory(void **state)
{
	struct mica_tnode *dir = add(mica_tree_root(tree), "d", S_IFDIR, 42);

	(void)state;
	mica_tree_root(tree)->inode->nid = 41;
	encode(dir);
	assert_int_equal(encoded_len, 2 * ENTRY + 3);
	assert_int_equal(walk(empty_visit), 2);
}

static void root_visit(const struct seen *s, uint64_t n)
{
	(void)n;
	assert_int_equal(s->nid, 7);
}

static void the_root_is_its_own_parent(void **state)
{
	(void)state;
	mica_tree_root(tree)->inode->nid = 7;
	encode(mica_tree_root(tree));
	assert_int_equal(walk(root_visit), 2);
}

static const struct {
	const char *name;
	mode_t mode;
	uint8_t type;
} kinds[] = {
	{"blk", S_IFBLK, EROFS_FT_BLK},	   {"chr", S_IFCHR, EROFS_FT_CHR},
	{"dir", S_IFDIR, EROFS_FT_DIR},	   {"fifo", S_IFIFO, EROFS_FT_FIFO},
	{"lnk", S_IFLNK, EROFS_FT_LNK},	   {"reg", S_IFREG, EROFS_FT_REG},
	{"sock", S_IFSOCK, EROFS_FT_SOCK},
};

static void kinds_visit(const struct seen *s, uint64_t n)
{
	if (n < 2)
		return; /* the dots */
	assert_string_equal(s->name, kinds[n - 2].name);
	assert_int_equal(s->type, kinds[n - 2].type);
	assert_int_equal(s->nid, 0x123456789a00u + n);
}

static void types_and_nids(void **state)
{
	(void)state;
	for (size_t i = 0; i < 7; i++)
		add(mica_tree_root(tree), kinds[i].name, kinds[i].mode | 0644, 0x123456789a02u + i);
	encode(mica_tree_root(tree));
	assert_int_equal(walk(kinds_visit), 9);
}

/* Names of one length fill blocks to the byte or leave some: every length, around two blocks. */
static void block_boundaries(void **state)
{
	(void)state;
	for (uint32_t len = 4; len <= 255; len++) {
		uint32_t per_block = block_size / (ENTRY + len);

		for (uint32_t count = 2 * per_block - 2; count <= 2 * per_block + 1; count++) {
			for (uint32_t i = 0; i < count; i++) {
				char name[256];

				snprintf(name, sizeof(name), "%0*u", (int)len, i);
				add(mica_tree_root(tree), name, S_IFREG, i);
			}
			encode(mica_tree_root(tree));
			assert_int_equal(walk(NULL), count + 2);
			teardown(NULL);
			setup(NULL);
		}
	}
}

static void boundaries_of_small_blocks(void **state)
{
	block_size = 512;
	block_boundaries(state);
	block_size = 4096;
}

/* 4096 bytes to the last: 2 dots in 27 bytes, so 4069 remain for the names. */
static void exactly_one_block(void **state)
{
	char name[256];

	(void)state;
	for (int i = 0; i < 16; i++) { /* 16 names of 12 + 239 = 251 bytes: 4016 */
		snprintf(name, sizeof(name), "%0239d", i);
		add(mica_tree_root(tree), name, S_IFREG, 1);
	}
	snprintf(name, sizeof(name), "%041d", 1); /* 53 more */
	add(mica_tree_root(tree), name, S_IFREG, 1);
	encode(mica_tree_root(tree));
	assert_int_equal(encoded_len, block_size);
	assert_int_equal(blocks, 1);
	assert_int_equal(walk(NULL), 19);
}

static void many_visit(const struct seen *s, uint64_t n)
{
	char name[16];

	snprintf(name, sizeof(name), "n%07u", (unsigned int)n - 2);
	if (n >= 2)
		assert_string_equal(s->name, name);
}

static void a_large_directory(void **state)
{
	const unsigned int count = 300000;

	(void)state;
	for (unsigned int i = 0; i < count; i++) {
		char name[16];

		/* not in order: 7 has no divisor in common with the count */
		snprintf(name, sizeof(name), "n%07u", (unsigned int)((uint64_t)i * 7 % count));
		add(mica_tree_root(tree), name, S_IFREG, i);
	}
	encode(mica_tree_root(tree));
	assert_int_equal(walk(many_visit), count + 2);
}

static int refuse_second(void *ctx, const void *block, uint32_t len, struct mica_err *err)
{
	(void)block;
	(void)len;
	return ++*(unsigned int *)ctx == 2 ? mica_err_set(err, MICA_E_LIMIT, "full") : 0;
}

static void a_failure_ends_it(void **state)
{
	unsigned int calls = 0;
	struct mica_tree_counts counts;
	struct mica_err err = {0};

	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", i);
		add(mica_tree_root(tree), name, S_IFREG, i);
	}
	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
	assert_int_equal(mica_dirents_encode(mica_tree_root(tree), true, block_size, refuse_second,
					     &calls, &err),
			 MICA_E_LIMIT);
	assert_int_equal(calls, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dots_stand_where_bytes_put_them, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_is_its_own_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(types_and_nids, setup, teardown),
		cmocka_unit_test_setup_teardown(block_boundaries, setup, teardown),
		cmocka_unit_test_setup_teardown(boundaries_of_small_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(exactly_one_block, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_ends_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
