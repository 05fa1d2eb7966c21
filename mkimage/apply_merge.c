/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>

#include "../lib/util.h"
#include "apply_impl.h"
#include "quote.h"

/* A staged directory, taken off the stage, and the directory of the tree that it goes below. */
struct merge_pair {
	struct mica_tnode *staged, *dir;
};

struct merge {
	struct mica_apply *a;
	struct merge_pair *v; /* owned; still to be done */
	size_t count, cap;
};

static void merge_cleanup(struct merge *m)
{
	free(m->v);
}

static int merge_push(struct merge *m, struct mica_tnode *staged, struct mica_tnode *dir,
		      struct mica_err *err)
{
	if (m->count == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		struct merge_pair *grown = realloc(m->v, cap * sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		m->v = grown;
		m->cap = cap;
	}
	m->v[m->count++] = (struct merge_pair){staged, dir};
	return 0;
}

static bool node_is_dir(const struct mica_tnode *node)
{
	return node->inode && S_ISDIR(node->inode->mode);
}

/* The topmost entry that names a directory gives it its attributes. */
static void merge_attributes(struct mica_tinode *dir, const struct mica_tinode *staged)
{
	if (!dir->implicit || staged->implicit)
		return;
	dir->mode = staged->mode;
	dir->uid = staged->uid;
	dir->gid = staged->gid;
	dir->mtime = staged->mtime;
	dir->mtime_nsec = staged->mtime_nsec;
	dir->xattrs = staged->xattrs;
	dir->implicit = false;
}

/* An archive may well have counted on the symlink that a layer below has there. */
static int report_replaced(struct merge *m, const struct mica_tnode *there, struct mica_err *err)
{
	cleanup_free char *path = mica_tree_path(there);

	if (!path)
		return mica_err_nomem(err);
	mica_report_warn(m->a->report,
			 "%s: becomes a directory, since an entry of an upper layer lies below it",
			 mica_quote(path).text);
	return 0;
}

/* A staged name for which dir has one already. */
static int merge_meet(struct merge *m, struct mica_tnode *staged, struct mica_tnode *there,
		      struct mica_err *err)
{
	if (node_is_dir(there) && node_is_dir(staged))
		return merge_push(m, staged, there, err);
	if (node_is_dir(there)) {
		bool meant = !there->inode->implicit || there->cut != MICA_TREE_UNCUT;
		int ret = meant || !staged->inode ? 0 : report_replaced(m, there, err);

		if (ret)
			return ret;
		/* hidden itself, it hides what is below it */
		there->cut = (uint32_t)mica_min(there->cut, m->a->order);
		there->inode->implicit = false;
	}
	mica_tree_drop(m->a->tree, staged);
	return 0;
}

static int merge_dir(struct merge *m, struct mica_tnode *staged, struct mica_tnode *dir,
		     struct mica_err *err)
{
	struct mica_tree *tree = m->a->tree;
	struct mica_tnode *child;

	merge_attributes(dir->inode, staged->inode);
	/* an upper layer's cut leaves nothing of this one */
	while (dir->cut >= m->a->order && (child = mica_tree_pop(tree, staged))) {
		struct mica_tnode *there = mica_tree_find(tree, dir, child->name, child->name_len);
		int ret;

		if (!there) {
			mica_tree_put(tree, dir, child);
			continue;
		}
		ret = merge_meet(m, child, there, err);
		if (ret)
			return ret;
	}
	dir->cut = (uint32_t)mica_min(dir->cut, staged->cut);
	mica_tree_drop(tree, staged);
	return 0;
}

int mica_apply_merge(struct mica_apply *a, struct mica_err *err)
{
	cleanup(merge_cleanup) struct merge m = {.a = a};
	int ret = merge_push(&m, a->stage, mica_tree_root(a->tree), err);

	a->stage = NULL;
	while (!ret && m.count) {
		struct merge_pair *pair = &m.v[--m.count];

		ret = merge_dir(&m, pair->staged, pair->dir, err);
	}
	return ret;
}
