/* SPDX-License-Identifier: MIT */
/* Where everything lies: with made-up contents, and xattrs of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/layout.h"

#define BLOCK	   (1u << mica_block_bits(&opts))
#define WRITER_GAP (64 * MICA_BLOCK) /* how far the writer can go back */

static struct mica_tree *tree;
static struct mica_build_opts opts;
static struct mica_layout layout;
static struct mica_err err;
static uint64_t xattr_bytes; /* of the shared area */
static uint64_t rng;

/* In place of the real ones: set number n takes n bytes behind the inode. */
void mica_xattrs_ref(struct mica_xattrs *xattrs, uint32_t id)
{
	(void)xattrs;
	(void)id;
}

void mica_xattrs_place(struct mica_xattrs *xattrs, uint64_t *bytes)
{
	(void)xattrs;
	*bytes = xattr_bytes;
}

uint32_t mica_xattrs_ibody_size(const struct mica_xattrs *xattrs, uint32_t id)
{
	(void)xattrs;
	return id;
}

static int setup(void **state)
{
	(void)state;
	opts = (struct mica_build_opts){.cluster = 256 << 10};
	xattr_bytes = 0;
	rng = 1;
	return mica_compat_parse("6.12", &opts.compat, &err) || mica_tree_new(&tree, &err);
}

static int teardown(void **state)
{
	(void)state;
	mica_tree_free(tree);
	return 0;
}

static uint32_t pick(uint32_t below)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rng >> 33) % below;
}

static struct mica_tnode *add(struct mica_tnode *dir, const char *name, mode_t mode)
{
	struct mica_tinode *inode = NULL;
	struct mica_tnode *node = NULL;

	assert_int_equal(mica_tree_add(tree, dir, name, strlen(name), &node, &err), 0);
	assert_int_equal(mica_tree_inode_new(tree, &inode, &err), 0);
	inode->mode = (uint16_t)mode;
	mica_tree_set_inode(tree, node, inode);
	return node;
}

static int plan_code(uint64_t data_end)
{
	struct mica_tree_counts counts;

	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
	layout = (struct mica_layout){.opts = &opts, .tree = tree};
	return mica_layout_plan(&layout, data_end, &err);
}

/* An inode as it lies in the image, with all that belongs to it. */
struct object {
	uint64_t off, end;
};

struct survey {
	struct object *v;
	size_t count, cap;
	uint64_t dir_block, farthest, bytes;
};

static void survey_dir(struct survey *s, const struct mica_tinode *i)
{
	uint64_t full = (uint64_t)i->data.blocks * BLOCK;

	assert_int_equal(i->data.kind, MICA_DATA_FLAT);
	assert_true(i->data.tail_len <= (layout.metabox ? BLOCK : mica_tail_max(&opts)));
	assert_true(full + i->data.tail_len >= i->size && full < i->size + BLOCK);
	if (!i->data.blocks)
		return;
	/* one behind the other, in the order of the walk */
	assert_int_equal(i->data.start, s->dir_block * BLOCK);
	s->dir_block += i->data.blocks;
}

static int survey_visit(void *ctx, struct mica_tnode *node, struct mica_err *e)
{
	struct survey *s = ctx;
	const struct mica_tinode *i = node->inode;
	struct mica_shape shape;
	uint64_t off = mica_layout_place(&layout, i), tail;

	(void)e;
	mica_layout_shape(&layout, i, &shape);
	tail = off + shape.head;
	assert_true(i->nid > 0);
	assert_int_equal(i->nid >> 63, layout.metabox);
	if (shape.tail)
		assert_true(tail % BLOCK + shape.tail <= BLOCK);
	assert_true(off >= layout.xattr_start + layout.xattr_bytes);
	assert_true(tail + shape.tail <= layout.meta_end);
	assert_true(off + (layout.metabox ? 0 : WRITER_GAP) >= s->farthest);
	assert_true(shape.head >= shape.isize + shape.xattr);
	s->farthest = mica_max(s->farthest, tail + shape.tail);
	s->bytes += shape.head + shape.tail;
	if (S_ISDIR(i->mode))
		survey_dir(s, i);
	if (s->count == s->cap) {
		s->cap = 2 * s->cap + 100;
		s->v = realloc(s->v, s->cap * sizeof(*s->v));
		assert_non_null(s->v);
	}
	s->v[s->count++] = (struct object){off, tail + shape.tail};
	return 0;
}

static int object_compare(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Nothing overlaps; returns the share of bytes lost between inodes, in percent. */
static unsigned int survey(uint64_t data_end)
{
	struct survey s = {0};
	uint64_t used;

	assert_int_equal(layout.nid_base % BLOCK, 0);
	assert_int_equal(layout.xattr_start % BLOCK, 0);
	assert_int_equal(layout.end % MICA_BLOCK, 0);
	s.dir_block = mica_round_up(data_end, MICA_BLOCK) / BLOCK;
	assert_int_equal(mica_layout_walk_places(&layout, survey_visit, &s, &err), 0);
	if (!layout.metabox) {
		assert_true(mica_tree_root(tree)->inode->nid < 65536);
		assert_int_equal(layout.meta_start, mica_round_up(data_end, MICA_BLOCK));
		assert_int_equal(s.dir_block * BLOCK, layout.xattr_start);
	} else if (s.dir_block == mica_round_up(data_end, MICA_BLOCK) / BLOCK) {
		assert_int_equal(layout.meta_start, data_end);
	}
	assert_int_equal(s.count, layout.inodes);
	qsort(s.v, s.count, sizeof(*s.v), object_compare);
	for (size_t i = 1; i < s.count; i++)
		assert_true(s.v[i - 1].end <= s.v[i].off);
	used = layout.end - s.v[0].off;
	free(s.v);
	return (unsigned int)((used - s.bytes) * 100 / used);
}

static void file_make(struct mica_tinode *i)
{
	static const uint64_t sizes[] = {1, 4096, 70000, 1 << 20, 40 << 20, 5ull << 30};
	uint32_t kind = pick(opts.small_blocks ? 4 : 6);

	i->uid = pick(4) ? 0 : 70000;
	i->xattrs = pick(3) ? 0 : 12 + 4 * pick(110);
	i->size = sizes[pick(6)];
	if (!kind)
		return;
	i->data = (struct mica_data){
		.kind = (uint8_t)(opts.compat.extents ? MICA_DATA_EXTENTS : MICA_DATA_PCLUSTERS),
		.count = 1 + pick(40),
		.start = pick(1000),
		.blocks = pick(100000),
	};
	if (kind == 1) {
		i->data.kind = MICA_DATA_CHUNK;
		i->data.lclusterbits = (uint8_t)(20 + pick(10));
	} else if (kind < 4) {
		i->data.kind = MICA_DATA_FLAT;
		i->data.tail_len = pick(2) ? 1 + pick(mica_tail_max(&opts)) : 0;
		i->size = i->size / BLOCK * BLOCK + i->data.tail_len;
	} else if (!opts.compat.extents && pick(2)) {
		i->data.tail_len = 1 + pick(MICA_TAIL_MAX);
	}
}

static void random_trees(void **state)
{
	static const char *const compats[] = {"6.12", "6.15", "6.17", "6.4", "6.16"};

	(void)state;
	for (unsigned int seed = 0; seed < 300; seed++) {
		struct mica_tnode *dirs[300] = {mica_tree_root(tree)};
		unsigned int dir_count = 1;

		rng = seed;
		mica_compat_parse(compats[seed % 5], &opts.compat, &err);
		opts.meta_cluster = seed % 5 == 2 ? 32 << 10 : 0;
		opts.small_blocks = seed % 5 > 2;
		xattr_bytes = pick(2) ? 4 * pick(5000) : 0;
		for (unsigned int n = 0; n < 50 + pick(1500); n++) {
			struct mica_tnode *dir = dirs[pick(dir_count)], *node;
			char name[256];

			snprintf(name, sizeof(name), "%0*u", (int)(4 + pick(250)), n);
			node = add(dir, name, pick(8) ? S_IFREG : S_IFDIR);
			if (S_ISREG(node->inode->mode))
				file_make(node->inode);
			else if (dir_count < 300)
				dirs[dir_count++] = node;
		}
		assert_int_equal(plan_code(4096 + pick(100000)), 0);
		survey(layout.meta_start);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

/* Tails of all lengths and maps between them leave few bytes unused. */
static void gaps_are_filled(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 20000; n++) {
		char name[16];
		struct mica_tnode *node;

		snprintf(name, sizeof(name), "%u", n);
		node = add(mica_tree_root(tree), name, S_IFREG);
		node->inode->data.kind = MICA_DATA_FLAT;
		node->inode->data.tail_len = pick(3) ? 1 + pick(MICA_TAIL_MAX) : 0;
		node->inode->size = node->inode->data.tail_len;
	}
	assert_int_equal(plan_code(4096), 0);
	assert_in_range(survey(4096), 0, 9);
}

/* The longest tail behind the largest inode with as many xattrs as there may be. */
static void the_longest_tail(void **state)
{
	struct mica_tnode *node = add(mica_tree_root(tree), "a", S_IFREG);

	(void)state;
	node->inode->uid = 70000;
	node->inode->xattrs = 448;
	node->inode->data = (struct mica_data){.kind = MICA_DATA_FLAT, .tail_len = MICA_TAIL_MAX};
	node->inode->size = MICA_TAIL_MAX;
	assert_int_equal(plan_code(4096), 0);
	survey(4096);
}

static void the_longest_tail_of_small_blocks(void **state)
{
	(void)state;
	for (uint32_t xattrs = 0; xattrs <= 1000; xattrs += 4) {
		struct mica_tnode *node = add(mica_tree_root(tree), "a", S_IFREG);

		opts.small_blocks = true;
		node->inode->xattrs = xattrs;
		node->inode->data = (struct mica_data){
			.kind = MICA_DATA_FLAT,
			.tail_len = mica_tail_max(&opts),
		};
		node->inode->size = node->inode->data.tail_len;
		assert_int_equal(plan_code(4096), 0);
		survey(4096);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

static void directories_of_every_length(void **state)
{
	(void)state;
	/* the last block inline, too long for that, or full */
	for (unsigned int n = 0; n < 1000; n++) {
		opts.small_blocks = n >= 800;
		if (n >= 400 && n < 800) {
			mica_compat_parse("6.17", &opts.compat, &err);
			opts.meta_cluster = 32 << 10;
			mica_tree_root(tree)->inode->xattrs = n % 2 ? 16 : 0;
		}
		for (unsigned int k = 0; k < n % 400; k++) {
			char name[16];

			snprintf(name, sizeof(name), "%08u", k);
			add(mica_tree_root(tree), name, S_IFREG);
		}
		assert_int_equal(plan_code(4096), 0);
		survey(4096);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

static void depth_costs_no_stack(void **state)
{
	struct mica_tnode *node = mica_tree_root(tree);

	(void)state;
	for (unsigned int n = 0; n < 100000; n++)
		node = add(node, "d", S_IFDIR);
	assert_int_equal(plan_code(4096), 0);
	survey(4096);
	assert_int_equal(layout.inodes, 100001);
	/* a leaf still knows its parent */
	assert_int_equal(node->inode->nlink, 2);
	assert_int_equal(node->parent->inode->nlink, 3);
}

static void a_large_directory(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 300000; n++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", n);
		add(mica_tree_root(tree), name, S_IFREG);
	}
	assert_int_equal(plan_code(4096), 0);
	survey(4096);
}

static void hard_links_are_one_inode(void **state)
{
	struct mica_tnode *a = add(mica_tree_root(tree), "a", S_IFREG), *b = NULL;
	struct mica_tnode *dir = add(mica_tree_root(tree), "d", S_IFDIR);

	(void)state;
	assert_int_equal(mica_tree_add(tree, dir, "b", 1, &b, &err), 0);
	mica_tree_set_inode(tree, b, a->inode);
	assert_int_equal(plan_code(4096), 0);
	survey(4096);
	assert_int_equal(layout.inodes, 3);
	assert_int_equal(a->inode->nlink, 2);
}

static bool is_extended(const struct mica_tinode *i)
{
	struct mica_shape shape;

	mica_layout_shape(&layout, i, &shape);
	assert_int_equal(shape.isize, shape.extended ? 64 : 32);
	return shape.extended;
}

/* A file whose attributes are set by change() stands beside ten ordinary ones. */
static bool extended_with(const char *compat, void (*change)(struct mica_tinode *i))
{
	struct mica_tinode *special;
	bool extended;

	assert_int_equal(mica_compat_parse(compat, &opts.compat, &err), 0);
	mica_tree_root(tree)->inode->mtime = 1000;
	for (unsigned int n = 0; n < 10; n++) {
		char name[16];

		snprintf(name, sizeof(name), "%u", n);
		add(mica_tree_root(tree), name, S_IFREG)->inode->mtime = 1000;
	}
	special = add(mica_tree_root(tree), "special", S_IFREG)->inode;
	special->mtime = 1000;
	change(special);
	assert_int_equal(plan_code(4096), 0);
	survey(4096);
	if (layout.epoch == 1000)
		assert_false(is_extended(mica_tree_root(tree)->inode));
	extended = is_extended(special);
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	return extended;
}

static void change_nothing(struct mica_tinode *i)
{
	(void)i;
}

static void change_ids(struct mica_tinode *i)
{
	i->uid = i->gid = 65535;
}

static void change_uid(struct mica_tinode *i)
{
	i->uid = 65536;
}

static void change_gid(struct mica_tinode *i)
{
	i->gid = 65536;
}

static void change_size(struct mica_tinode *i)
{
	i->size = UINT32_MAX;
}

static void change_size_more(struct mica_tinode *i)
{
	i->size = UINT32_MAX + 1ull;
}

static void change_time(struct mica_tinode *i)
{
	i->mtime = 1001;
}

static void change_nsec(struct mica_tinode *i)
{
	i->mtime_nsec = 1;
}

static void change_time_far(struct mica_tinode *i)
{
	i->mtime = 1000 + (int64_t)UINT32_MAX;
}

static void change_time_earliest(struct mica_tinode *i)
{
	i->mtime = INT64_MIN;
}

static void change_time_latest(struct mica_tinode *i)
{
	i->mtime = INT64_MAX;
}

static void compact_where_it_fits(void **state)
{
	(void)state;
	assert_false(extended_with("6.12", change_nothing));
	assert_false(extended_with("6.12", change_ids));
	assert_true(extended_with("6.12", change_uid));
	assert_true(extended_with("6.12", change_gid));
	assert_false(extended_with("6.12", change_size));
	assert_true(extended_with("6.12", change_size_more));
	/* one time for all compact ones before 6.15, then one range */
	assert_true(extended_with("6.12", change_time));
	assert_false(extended_with("6.15", change_time));
	assert_true(extended_with("6.15", change_nsec));
	assert_false(extended_with("6.15", change_time_far));
	/* the rest is more than 136 years away: one end of them is extended */
	assert_true(extended_with("6.15", change_time_earliest));
	extended_with("6.15", change_time_latest);
}

static void more_links_than_a_compact_inode_counts(void **state)
{
	struct mica_tinode *i = add(mica_tree_root(tree), "first", S_IFREG)->inode;

	(void)state;
	for (unsigned int n = 1; n < 65536; n++) {
		struct mica_tnode *node = NULL;
		char name[16];

		snprintf(name, sizeof(name), "%u", n);
		assert_int_equal(
			mica_tree_add(tree, mica_tree_root(tree), name, strlen(name), &node, &err),
			0);
		mica_tree_set_inode(tree, node, i);
	}
	assert_int_equal(plan_code(4096), 0);
	assert_int_equal(i->nlink, 65536);
	assert_true(is_extended(i));
	i->nlink--;
	assert_false(is_extended(i));
}

/* Of a list's forms the one that fits, and that the kernel finds fast. */
static void records_of_extents(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t count;
		uint64_t data_end;
		uint8_t bits, flags;
		unsigned int rec;
	} cases[] = {
		{1, 1, 4096, 12, 0, 4},
		{1, 1, 4096, 12, MICA_DATA_SCATTERED, 8},
		{16 << 20, 64, 1ull << 40, 18, 0, 4},
		{(16 << 20) + 1, 65, 4096, 18, 0, 8},
		/* addresses over 4 GiB, too few records for so many clusters */
		{(16 << 20) + 1, 65, 1ull << 32, 18, 0, 16},
		{(16 << 20) + 1, 65, UINT32_MAX, 18, 0, 8},
		{100 << 20, 200, 4096, 18, 0, 8},
		{100 << 20, 199, 4096, 18, 0, 16},
		/* no size in common */
		{16 << 20, 64, 4096, 0, 0, 16},
		{UINT32_MAX, 100, 4096, 18, 0, 16},
		{UINT32_MAX + 1ull, 100, 4096, 18, 0, 32},
		{INT64_MAX, 3, 4096, 18, 0, 32},
	};

	(void)state;
	assert_int_equal(mica_compat_parse("6.15", &opts.compat, &err), 0);
	assert_int_equal(plan_code(4096), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mica_tinode inode = {.mode = S_IFREG, .size = cases[i].size};
		struct mica_shape shape;

		inode.data = (struct mica_data){.kind = MICA_DATA_EXTENTS,
						.lclusterbits = cases[i].bits,
						.flags = cases[i].flags,
						.count = cases[i].count};
		layout.meta_start = cases[i].data_end;
		mica_layout_shape(&layout, &inode, &shape);
		assert_int_equal(shape.rec_size, cases[i].rec);
		assert_int_equal(shape.index_off % 8, 0);
		assert_true(shape.head - shape.index_off >=
			    8 + (uint64_t)shape.rec_size *
					    (shape.rec_size > 8
						     ? cases[i].count
						     : mica_div_round_up(cases[i].size,
									 1ull << cases[i].bits)));
	}
}

/* The root is first, whatever comes before it. */
static void the_root_is_near_the_start(void **state)
{
	(void)state;
	xattr_bytes = 1ull << 30;
	mica_tree_root(tree)->inode->xattrs = 448;
	for (unsigned int n = 0; n < 3000; n++) {
		char name[256];

		snprintf(name, sizeof(name), "%0255u", n);
		add(mica_tree_root(tree), name, S_IFDIR)->inode->xattrs = 448;
	}
	assert_int_equal(plan_code(1ull << 40), 0);
	survey(1ull << 40);
	assert_in_range(mica_tree_root(tree)->inode->nid, 1, 255);
}

/* A tree of count files of this size, each with a map of all its blocks. */
static int plan_maps(uint64_t data_end, unsigned int count, uint64_t size)
{
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	for (unsigned int n = 0; n < count; n++) {
		char name[16];
		struct mica_tinode *i;

		snprintf(name, sizeof(name), "%u", n);
		i = add(mica_tree_root(tree), name, S_IFREG)->inode;
		i->size = size;
		i->data = (struct mica_data){.kind = MICA_DATA_CHUNK, .lclusterbits = 12};
	}
	return plan_code(data_end);
}

static void images_of_more_than_16_tib(void **state)
{
	(void)state;
	assert_int_equal(plan_maps(MICA_BYTES_MAX - BLOCK, 1, BLOCK), 0);
	assert_int_equal(layout.end, MICA_BYTES_MAX);
	assert_int_equal(plan_maps(MICA_BYTES_MAX, 1, BLOCK), MICA_E_LIMIT);
	assert_non_null(strstr(err.msg, "the limit is 17592186040320"));
	assert_int_equal(plan_maps(BLOCK, 2, 8ull << 50), MICA_E_LIMIT);
	/* 2^64 bytes: sums must not come round to small numbers again */
	assert_int_equal(plan_maps(BLOCK, 2048, INT64_MAX), MICA_E_LIMIT);
}

static void more_shared_xattrs_than_can_be_addressed(void **state)
{
	(void)state;
	xattr_bytes = 4ull * UINT32_MAX;
	assert_int_equal(plan_code(4096), 0);
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	xattr_bytes = 4ull * UINT32_MAX + 4;
	assert_int_equal(plan_code(4096), MICA_E_LIMIT);
	assert_string_equal(err.msg,
			    "17179869184 bytes of shared xattrs; the limit is 17179869180");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_trees),
		TEST(gaps_are_filled),
		TEST(the_longest_tail),
		TEST(the_longest_tail_of_small_blocks),
		TEST(directories_of_every_length),
		TEST(depth_costs_no_stack),
		TEST(a_large_directory),
		TEST(hard_links_are_one_inode),
		TEST(compact_where_it_fits),
		TEST(more_links_than_a_compact_inode_counts),
		TEST(records_of_extents),
		TEST(the_root_is_near_the_start),
		TEST(images_of_more_than_16_tib),
		TEST(more_shared_xattrs_than_can_be_addressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
