/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>

#include "../lib/util.h"
#include "layout.h"

/*
 * A non-directory keeps its first name in ->children, which it has no other
 * use for, so that later walks meet it there again.
 */
static bool node_is_first(struct mica_tnode *node, bool planned)
{
	struct mica_tinode *inode = node->inode;

	if (S_ISDIR(inode->mode))
		return true;
	if (!planned && !inode->children)
		inode->children = node;
	return inode->children == node;
}

struct stack {
	struct mica_tnode **v;
	size_t count, cap;
};

static int stack_push(struct stack *s, struct mica_tnode *node, struct mica_err *err)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct mica_tnode **v = reallocarray(s->v, cap, sizeof(struct mica_tnode *));

		if (!v)
			return mica_err_nomem(err);
		s->v = v;
		s->cap = cap;
	}
	s->v[s->count++] = node;
	return 0;
}

/* Visit a directory's children; its subdirectories wait, the first one on top. */
static int dir_visit(struct stack *s, struct mica_tnode *dir, bool planned,
		     int (*visit)(void *ctx, struct mica_tnode *node, struct mica_err *err),
		     void *ctx, struct mica_err *err)
{
	size_t bottom = s->count;

	for (struct mica_tnode *c = dir->inode->children; c; c = c->sibling) {
		int ret = node_is_first(c, planned) ? visit(ctx, c, err) : 0;

		if (!ret && S_ISDIR(c->inode->mode))
			ret = stack_push(s, c, err);
		if (ret)
			return ret;
	}
	for (size_t i = bottom, k = s->count; i + 1 < k; i++, k--) {
		struct mica_tnode *swap = s->v[i];

		s->v[i] = s->v[k - 1];
		s->v[k - 1] = swap;
	}
	return 0;
}

int mica_layout_walk(struct mica_tree *tree, bool planned,
		     int (*visit)(void *ctx, struct mica_tnode *node, struct mica_err *err),
		     void *ctx, struct mica_err *err)
{
	struct stack s = {0};
	struct mica_tnode *root = mica_tree_root(tree);
	int ret = visit(ctx, root, err);

	if (!ret)
		ret = stack_push(&s, root, err);
	while (!ret && s.count)
		ret = dir_visit(&s, s.v[--s.count], planned, visit, ctx, err);
	free(s.v);
	return ret;
}

/* Half of a walk: the directories, or all others. */
struct half {
	bool dirs;
	int (*visit)(void *ctx, struct mica_tnode *node, struct mica_err *err);
	void *ctx;
};

static int visit_half(void *ctx, struct mica_tnode *node, struct mica_err *err)
{
	const struct half *h = ctx;

	return S_ISDIR(node->inode->mode) == h->dirs ? h->visit(h->ctx, node, err) : 0;
}

int mica_layout_walk_places(const struct mica_layout *l,
			    int (*visit)(void *ctx, struct mica_tnode *node, struct mica_err *err),
			    void *ctx, struct mica_err *err)
{
	struct half dirs = {true, visit, ctx}, others = {false, visit, ctx};
	int ret;

	if (!l->metabox)
		return mica_layout_walk(l->tree, true, visit, ctx, err);
	ret = mica_layout_walk(l->tree, true, visit_half, &dirs, err);
	return ret ? ret : mica_layout_walk(l->tree, true, visit_half, &others, err);
}
