/* SPDX-License-Identifier: MIT */
/* The last pass over the tree: what is no file goes, directories are sorted, links counted. */
#include "tree.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* By bytes; the list is NULL-terminated through .sibling. */
static struct mica_tnode *list_merge(struct mica_tnode *a, struct mica_tnode *b)
{
	struct mica_tnode *head = NULL;
	struct mica_tnode **end = &head;

	while (a && b) {
		struct mica_tnode **min = strcmp(a->name, b->name) <= 0 ? &a : &b;

		*end = *min;
		end = &(*min)->sibling;
		*min = (*min)->sibling;
	}
	*end = a ? a : b;
	return head;
}

/* Bottom-up merge sort: runs[i] is empty or holds 2^i names. */
static struct mica_tnode *list_sort(struct mica_tnode *list)
{
	struct mica_tnode *runs[64] = {NULL};
	struct mica_tnode *all = NULL;

	while (list) {
		struct mica_tnode *run = list;
		size_t i = 0;

		list = list->sibling;
		run->sibling = NULL;
		for (; runs[i]; i++) {
			run = list_merge(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (size_t i = 0; i < 64; i++)
		if (runs[i])
			all = list_merge(runs[i], all);
	return all;
}

/* Take node, the only child in its directory's list, out of the tree. */
static void node_remove(struct mica_tree *tree, struct mica_tnode *dir, struct mica_tnode *node)
{
	node->sibling = NULL;
	dir->inode->children = node;
	mica_tree_drop(tree, mica_tree_pop(tree, dir));
}

static void counts_add(struct mica_tree_counts *counts, const struct mica_tinode *inode, bool first)
{
	counts->names++;
	if (!first)
		return;
	counts->inodes++;
	if (S_ISDIR(inode->mode))
		counts->dirs++;
	else if (S_ISREG(inode->mode))
		counts->files++;
	else if (S_ISLNK(inode->mode))
		counts->symlinks++;
	else
		counts->others++;
}

static int dir_finish(struct mica_tree *tree, struct mica_tnode *dir,
		      struct mica_tree_counts *counts, struct mica_err *err)
{
	struct mica_tnode *list = dir->inode->children;
	struct mica_tnode *kept = NULL;

	dir->inode->children = NULL;
	dir->inode->child_count = 0;
	dir->inode->nlink = 2;
	while (list) {
		struct mica_tnode *node = list;
		struct mica_tinode *inode = node->inode;

		list = node->sibling;
		if (!inode) {
			node_remove(tree, dir, node);
			continue;
		}
		if (dir->inode->child_count == UINT32_MAX || inode->nlink == UINT32_MAX)
			return mica_err_set(err, MICA_E_LIMIT,
					    "more than %" PRIu32
					    " names in a directory or of a file",
					    UINT32_MAX);
		counts_add(counts, inode, !inode->nlink);
		inode->nlink++;
		if (S_ISDIR(inode->mode))
			dir->inode->nlink++;
		else
			mica_tree_clear(tree, node);
		dir->inode->child_count++;
		node->sibling = kept;
		kept = node;
	}
	dir->inode->children = list_sort(kept);
	return 0;
}

/* The name after node when a directory comes before its content; NULL: that was the last. */
static struct mica_tnode *walk_next(struct mica_tnode *node)
{
	if (S_ISDIR(node->inode->mode) && node->inode->children)
		return node->inode->children;
	while (node && !node->sibling)
		node = node->parent;
	return node ? node->sibling : NULL;
}

int mica_tree_finish(struct mica_tree *tree, struct mica_tree_counts *counts, struct mica_err *err)
{
	struct mica_tnode *root = mica_tree_root(tree);
	int ret;

	memset(counts, 0, sizeof(*counts));
	counts_add(counts, root->inode, true);
	for (struct mica_tnode *node = root; node; node = walk_next(node)) {
		if (!S_ISDIR(node->inode->mode))
			continue;
		ret = dir_finish(tree, node, counts, err);
		if (ret)
			return ret;
	}
	return 0;
}
