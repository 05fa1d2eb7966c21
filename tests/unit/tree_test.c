/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "../../lib/tree.h"
#include "../../lib/util.h"

static struct mica_tree *tree;
static struct mica_tree_counts counts;

static int setup(void **state)
{
	struct mica_err err;

	(void)state;
	return mica_tree_new(&tree, &err);
}

static int teardown(void **state)
{
	(void)state;
	mica_tree_free(tree);
	return 0;
}

static struct mica_tnode *add(struct mica_tnode *dir, const char *name, mode_t mode)
{
	struct mica_tnode *node = NULL;
	struct mica_tinode *inode = NULL;
	struct mica_err err;

	assert_int_equal(mica_tree_add(tree, dir, name, strlen(name), &node, &err), 0);
	if (!mode)
		return node;
	assert_int_equal(mica_tree_inode_new(tree, &inode, &err), 0);
	assert_int_equal(inode->refs, 0);
	inode->mode = (uint16_t)mode;
	mica_tree_set_inode(tree, node, inode);
	return node;
}

static struct mica_tnode *find(struct mica_tnode *dir, const char *name)
{
	return mica_tree_find(tree, dir, name, strlen(name));
}

static void finish(void)
{
	struct mica_err err;

	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
}

/* "a b c": the names of a directory in list order */
static void assert_children(struct mica_tnode *dir, const char *expected)
{
	char got[4096] = "";
	uint32_t n = 0;

	for (struct mica_tnode *c = dir->inode->children; c; c = c->sibling, n++) {
		strcat(got, n ? " " : "");
		strcat(got, c->name);
		assert_ptr_equal(c->parent, dir);
	}
	assert_string_equal(got, expected);
	assert_int_equal(dir->inode->child_count, n);
}

static void test_empty(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);

	(void)state;
	assert_true(S_ISDIR(root->inode->mode));
	assert_true(root->inode->implicit);
	assert_int_equal(root->cut, MICA_TREE_UNCUT);
	assert_int_equal(root->order, 0);
	finish();
	assert_int_equal(counts.names, 1);
	assert_int_equal(counts.inodes, 1);
	assert_int_equal(counts.dirs, 1);
	assert_int_equal(root->inode->nlink, 2);
	assert_children(root, "");
}

static void test_find(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *d = add(root, "d", S_IFDIR);
	struct mica_tnode *e = add(root, "e", S_IFDIR);
	struct mica_tnode *dx = add(d, "x", S_IFREG);
	struct mica_tnode *ex = add(e, "x", S_IFREG);

	(void)state;
	assert_ptr_equal(find(d, "x"), dx);
	assert_ptr_equal(find(e, "x"), ex);
	assert_null(find(root, "x"));
	assert_null(find(d, "xx"));
	assert_ptr_equal(mica_tree_find(tree, d, "xyz", 1), dx);
}

static void test_names(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	char name[256];
	struct mica_tnode *node;

	(void)state;
	for (size_t len = 1; len <= 255; len++) {
		memset(name, 0xff, len);
		name[len] = '\0';
		add(root, name, S_IFREG);
	}
	memset(name, 0xff, 255);
	for (size_t len = 1; len <= 255; len++) {
		node = mica_tree_find(tree, root, name, len);
		assert_non_null(node);
		assert_int_equal(node->name_len, len);
		assert_int_equal(strlen(node->name), len);
	}
	finish();
	assert_int_equal(counts.names, 256);
}

static void test_sorted_by_bytes(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	static const char *const names[] = {"b",  "a.",	  "\xff", "a", "B",
					    "aa", "\x01", "a-",	  "Z", "\xc3\xa4"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add(root, names[i], S_IFREG);
	finish();
	assert_children(root, "\x01 B Z a a- a. aa b \xc3\xa4 \xff");
}

static void test_many_sorted(void **state)
{
	enum { N = 100000 };
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *last = NULL;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%u", i * 7919u % N);
		add(root, name, S_IFREG);
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_non_null(find(root, name));
	}
	finish();
	assert_int_equal(root->inode->child_count, N);
	for (struct mica_tnode *c = root->inode->children; c; last = c, c = c->sibling)
		if (last)
			assert_true(strcmp(last->name, c->name) < 0);
	assert_string_equal(last->name, "99999");
	/* names can still be looked up */
	assert_ptr_equal(find(root, "99999"), last);
}

static void test_links_counted(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *d = add(root, "d", S_IFDIR);
	struct mica_tnode *f = add(d, "f", S_IFREG);
	struct mica_tnode *g = add(root, "g", 0);

	(void)state;
	mica_tree_set_inode(tree, g, f->inode);
	add(d, "s", S_IFDIR);
	add(d, "t", S_IFDIR);
	add(d, "l", S_IFLNK);
	add(d, "p", S_IFIFO);
	finish();
	assert_int_equal(f->inode->nlink, 2);
	assert_int_equal(f->inode->refs, 2);
	assert_int_equal(d->inode->nlink, 4);
	assert_int_equal(root->inode->nlink, 3);
	assert_int_equal(counts.names, 8);
	assert_int_equal(counts.inodes, 7);
	assert_int_equal(counts.dirs, 4);
	assert_int_equal(counts.files, 1);
	assert_int_equal(counts.symlinks, 1);
	assert_int_equal(counts.others, 1);
}

static void test_nameless_dropped(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *f = add(root, "f", S_IFREG);
	struct mica_tnode *d = add(root, "d", S_IFDIR);

	(void)state;
	add(root, "whiteout", 0);
	add(root, "a", S_IFIFO);
	add(d, "gone", 0);
	finish();
	assert_children(root, "a d f");
	assert_children(d, "");
	assert_null(find(root, "whiteout"));
	assert_ptr_equal(find(root, "f"), f);
}

/* A directory that lost its inode goes with all that is below it; a hard link out of it stays. */
static void test_subtree_dropped(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *d = add(root, "d", S_IFDIR);
	struct mica_tnode *e = add(d, "e", S_IFDIR);
	struct mica_tnode *f = add(e, "f", S_IFREG);
	struct mica_tnode *g = add(root, "g", 0);

	(void)state;
	mica_tree_set_inode(tree, g, f->inode);
	assert_int_equal(g->inode->refs, 2);
	mica_tree_set_inode(tree, d, NULL);
	assert_int_equal(g->inode->refs, 1);
	finish();
	assert_children(root, "g");
	assert_int_equal(g->inode->nlink, 1);
	assert_int_equal(counts.names, 2);
}

static void test_set_inode_keeps_children(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *d = add(root, "d", S_IFDIR);
	struct mica_tinode *inode;
	struct mica_err err;

	(void)state;
	add(d, "x", S_IFREG);
	assert_int_equal(mica_tree_inode_new(tree, &inode, &err), 0);
	inode->mode = S_IFDIR | 0700;
	mica_tree_set_inode(tree, d, inode);
	mica_tree_set_inode(tree, d, inode);
	assert_int_equal(inode->refs, 1);
	finish();
	assert_children(d, "x");
}

static void test_clear(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *d = add(root, "d", S_IFDIR);
	struct mica_tnode *e = add(d, "e", S_IFDIR);

	(void)state;
	add(e, "x", S_IFREG);
	add(d, "y", S_IFREG);
	mica_tree_clear(tree, d);
	assert_null(find(d, "e"));
	assert_null(find(d, "y"));
	add(d, "z", S_IFREG);
	finish();
	assert_children(d, "z");
}

static void test_move_below_other_root(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *stage, *d, *x, *got;
	struct mica_err err;

	(void)state;
	assert_int_equal(mica_tree_root_new(tree, &stage, &err), 0);
	d = add(stage, "d", S_IFDIR);
	x = add(d, "x", S_IFREG);
	assert_null(find(root, "d"));
	got = mica_tree_pop(tree, stage);
	assert_ptr_equal(got, d);
	assert_null(find(stage, "d"));
	assert_null(mica_tree_pop(tree, stage));
	mica_tree_put(tree, root, d);
	mica_tree_drop(tree, stage);
	assert_ptr_equal(find(root, "d"), d);
	assert_ptr_equal(find(d, "x"), x);
	finish();
	assert_children(root, "d");
	assert_children(d, "x");
}

static void test_hold(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *f = add(root, "f", S_IFREG);
	struct mica_tinode *inode = f->inode;
	struct mica_tinode *again;
	struct mica_err err;

	(void)state;
	mica_tree_inode_hold(inode);
	mica_tree_set_inode(tree, f, NULL);
	assert_int_equal(inode->refs, 1);
	mica_tree_set_inode(tree, f, inode);
	mica_tree_inode_release(tree, inode);
	assert_int_equal(inode->refs, 1);
	mica_tree_set_inode(tree, f, NULL);
	/* what was dropped serves again, and clean */
	assert_int_equal(mica_tree_inode_new(tree, &again, &err), 0);
	assert_ptr_equal(again, inode);
	assert_int_equal(again->mode, 0);
	assert_int_equal(again->refs, 0);
}

static void test_pinned(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *f = add(root, "f", S_IFREG);
	struct mica_tinode *inode = f->inode;
	struct mica_tinode *other;
	struct mica_err err;

	(void)state;
	inode->pinned = true;
	mica_tree_set_inode(tree, f, NULL);
	assert_int_equal(mica_tree_inode_new(tree, &other, &err), 0);
	assert_ptr_not_equal(other, inode);
	assert_int_equal(inode->mode, S_IFREG);
}

static void test_path(void **state)
{
	struct mica_tnode *root = mica_tree_root(tree);
	struct mica_tnode *d = add(root, "d", S_IFDIR);
	struct mica_tnode *e = add(d, "long name", S_IFDIR);
	cleanup_free char *p0 = mica_tree_path(root);
	cleanup_free char *p1 = mica_tree_path(d);
	cleanup_free char *p2 = mica_tree_path(add(e, "x", S_IFREG));

	(void)state;
	assert_string_equal(p0, "");
	assert_string_equal(p1, "d");
	assert_string_equal(p2, "d/long name/x");
}

static void test_deep(void **state)
{
	struct mica_tnode *node = mica_tree_root(tree);
	struct mica_tnode *top = NULL;
	cleanup_free char *path = NULL;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		node = add(node, "d", S_IFDIR);
		top = top ? top : node;
	}
	path = mica_tree_path(node);
	assert_int_equal(strlen(path), 199999);
	finish();
	assert_int_equal(counts.dirs, 100001);
	assert_int_equal(top->inode->nlink, 3);
	assert_int_equal(node->inode->nlink, 2);
	mica_tree_clear(tree, top);
	assert_null(top->inode->children);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_empty),
		T(test_find),
		T(test_names),
		T(test_sorted_by_bytes),
		T(test_many_sorted),
		T(test_links_counted),
		T(test_nameless_dropped),
		T(test_subtree_dropped),
		T(test_set_inode_keeps_children),
		T(test_clear),
		T(test_move_below_other_root),
		T(test_hold),
		T(test_pinned),
		T(test_path),
		T(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
