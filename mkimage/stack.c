/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "outfile.h"
#include "pool.h"

struct mica_stack {
	bool user;
	pthread_mutex_t lock;
	pthread_cond_t turned;
	size_t turn; /* layers that are settled */
	bool cancelled;
	/*
	 * What the settled layers show. Directories have inodes with attributes; other
	 * names have none, and order NAME_THERE. NAME_GONE: was there.
	 */
	struct mica_tree *below;
	struct mica_xattrs *xattrs; /* of its directories */
	struct mica_spool *spool;
};

enum {
	NAME_GONE,
	NAME_THERE,
};

/* A directory of the layer, and the one below at the same place. */
struct pair {
	struct mica_tnode *dir;
	struct mica_tnode *under;
	bool fresh;  /* under was not there before, or is hidden */
	bool opaque; /* hides what it is put over, whatever the layer says */
};

struct settling {
	struct mica_stack *stack;
	struct mica_tree *tree;
	struct mica_xattrs *xattrs;
	struct pair *v; /* owned; still to be done */
	size_t count, cap;
};

int mica_stack_new(const char *path, bool user, struct mica_stack **out, struct mica_err *err)
{
	struct mica_stack *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mica_err_nomem(err);
	s->user = user;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->turned, NULL);
	ret = mica_tree_new(&s->below, err);
	if (!ret)
		ret = mica_spool_new(path, &s->spool, err);
	if (!ret)
		ret = mica_xattrs_new(s->spool, &s->xattrs, err);
	if (ret) {
		mica_stack_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void mica_stack_free(struct mica_stack *s)
{
	if (!s)
		return;
	mica_xattrs_free(s->xattrs);
	mica_spool_free(s->spool);
	mica_tree_free(s->below);
	pthread_cond_destroy(&s->turned);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void settling_cleanup(struct settling *w)
{
	free(w->v);
}

static void pool_cleanup(struct mica_pool *pool)
{
	mica_pool_free(pool);
}

static int settle_push(struct settling *w, struct pair pair, struct mica_err *err)
{
	if (w->count == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;
		struct pair *grown = reallocarray(w->v, cap, sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		w->v = grown;
		w->cap = cap;
	}
	w->v[w->count++] = pair;
	return 0;
}

static bool node_is_dir(const struct mica_tnode *node)
{
	return node->inode && S_ISDIR(node->inode->mode);
}

static bool node_is_there(const struct mica_tnode *node)
{
	return node && (node->inode || node->order == NAME_THERE);
}

static int attributes_copy(struct mica_tinode *to, struct mica_xattrs *to_xattrs,
			   const struct mica_tinode *from, struct mica_xattrs *from_xattrs,
			   struct mica_err *err)
{
	struct mica_pool pool cleanup(pool_cleanup) = {0};
	struct mica_kv *kvs;
	size_t count;
	int ret = 0;

	to->mode = from->mode;
	to->uid = from->uid;
	to->gid = from->gid;
	to->mtime = from->mtime;
	to->mtime_nsec = from->mtime_nsec;
	to->xattrs = 0;
	if (!from->xattrs)
		return 0;
	ret = mica_xattrs_list(from_xattrs, from->xattrs, &pool, &kvs, &count, err);
	return ret ? ret : mica_xattrs_intern(to_xattrs, kvs, count, &to->xattrs, err);
}

static int mark_whiteout(struct settling *w, struct mica_tnode *node, struct mica_err *err)
{
	struct mica_tinode *inode;
	int ret = mica_tree_inode_new(w->tree, &inode, err);

	if (ret)
		return ret;
	/* nobody sees more of it than that it is one */
	inode->mode = S_IFCHR;
	mica_tree_set_inode(w->tree, node, inode);
	return 0;
}

static int mark_opaque(struct settling *w, struct mica_tnode *dir, struct mica_err *err)
{
	struct mica_pool pool cleanup(pool_cleanup) = {0};
	struct mica_kv *old, *kvs;
	size_t count;
	int ret = mica_xattrs_list(w->xattrs, dir->inode->xattrs, &pool, &old, &count, err);

	if (ret)
		return ret;
	kvs = mica_pool_alloc(&pool, (count + 1) * sizeof(*kvs));
	if (!kvs)
		return mica_err_nomem(err);
	memcpy(kvs, old, count * sizeof(*kvs));
	kvs[count] = (struct mica_kv){
		.name = w->stack->user ? (char *)"user.overlay.opaque"
				       : (char *)"trusted.overlay.opaque",
		.value = (unsigned char *)"y",
		.len = 1,
	};
	return mica_xattrs_intern(w->xattrs, kvs, count + 1, &dir->inode->xattrs, err);
}

/* The names below an opaque root that the layer does not have itself. */
static int settle_hidden_names(struct settling *w, struct mica_tnode *root, struct mica_err *err)
{
	struct mica_tnode *under = mica_tree_root(w->stack->below)->inode->children;
	int ret = 0;

	for (; !ret && under; under = under->sibling) {
		struct mica_tnode *node;

		if (!node_is_there(under) ||
		    mica_tree_find(w->tree, root, under->name, under->name_len))
			continue;
		ret = mica_tree_add(w->tree, root, under->name, under->name_len, &node, err);
		if (!ret)
			ret = mark_whiteout(w, node, err);
		mica_tree_set_inode(w->stack->below, under, NULL);
		under->order = NAME_GONE;
	}
	return ret;
}

/* What is below the layer's directory, or would be, becomes a directory, too. */
static int under_make_dir(struct settling *w, struct mica_tnode *dir, struct mica_tnode *child,
			  struct mica_tnode **under, struct mica_err *err)
{
	struct mica_tree *below = w->stack->below;
	struct mica_tinode *inode;
	int ret = 0;

	if (!*under)
		ret = mica_tree_add(below, dir, child->name, child->name_len, under, err);
	if (!ret)
		ret = mica_tree_inode_new(below, &inode, err);
	if (ret)
		return ret;
	inode->mode = S_IFDIR;
	mica_tree_set_inode(below, *under, inode);
	return 0;
}

/*
 * One name of the layer's directory: what it needs in the image, and what it
 * does below. hidden: all that is below has to be hidden name by name.
 */
static int settle_child(struct settling *w, struct mica_tnode *child, struct mica_tnode *dir,
			bool hidden, struct mica_err *err)
{
	struct mica_tree *below = w->stack->below;
	struct mica_tnode *under = mica_tree_find(below, dir, child->name, child->name_len);
	bool there = node_is_there(under);
	bool over_dir = there && node_is_dir(under);
	int ret = 0;

	if (node_is_dir(child)) {
		if (!over_dir)
			ret = under_make_dir(w, dir, child, &under, err);
		else if (hidden)
			mica_tree_clear(below, under);
		return ret ? ret
			   : settle_push(w,
					 (struct pair){
						 .dir = child,
						 .under = under,
						 .fresh = hidden || !over_dir,
						 .opaque = hidden && over_dir,
					 },
					 err);
	}
	if (!child->inode) {
		/* a whiteout, which would show where it hides nothing */
		if (!there)
			return 0;
		mica_tree_set_inode(below, under, NULL);
		under->order = NAME_GONE;
		return mark_whiteout(w, child, err);
	}
	if (!under)
		ret = mica_tree_add(below, dir, child->name, child->name_len, &under, err);
	if (ret)
		return ret;
	mica_tree_set_inode(below, under, NULL);
	under->order = NAME_THERE;
	return 0;
}

static int settle_dir(struct settling *w, const struct pair *p, struct mica_err *err)
{
	struct mica_stack *s = w->stack;
	bool cut = p->dir->cut != MICA_TREE_UNCUT && !p->fresh;
	/* overlayfs merges the roots of all layers, opaque or not */
	bool hidden = cut && !p->dir->parent;
	struct mica_tnode *next;
	int ret = 0;

	if (p->dir->inode->implicit && !p->fresh)
		ret = attributes_copy(p->dir->inode, w->xattrs, p->under->inode, s->xattrs, err);
	if (!ret)
		ret = attributes_copy(p->under->inode, s->xattrs, p->dir->inode, w->xattrs, err);
	if (!ret && hidden)
		ret = settle_hidden_names(w, p->dir, err);
	else if (!ret && (cut || p->opaque))
		ret = mark_opaque(w, p->dir, err);
	if (cut && !hidden)
		mica_tree_clear(s->below, p->under);
	for (struct mica_tnode *c = p->dir->inode->children; !ret && c; c = next) {
		next = c->sibling;
		/* those that were added are whiteouts, and done */
		if (c->inode && S_ISCHR(c->inode->mode) && !c->inode->rdev)
			continue;
		ret = settle_child(w, c, p->under, hidden, err);
	}
	return ret;
}

static int stack_settle(struct mica_stack *s, struct mica_tree *tree, struct mica_xattrs *xattrs,
			struct mica_err *err)
{
	struct settling w cleanup(settling_cleanup) = {
		.stack = s,
		.tree = tree,
		.xattrs = xattrs,
	};
	struct pair roots = {
		.dir = mica_tree_root(tree),
		.under = mica_tree_root(s->below),
		.fresh = !s->turn,
	};
	int ret = settle_push(&w, roots, err);

	while (!ret && w.count) {
		struct pair p = w.v[--w.count];

		ret = settle_dir(&w, &p, err);
	}
	return ret;
}

int mica_stack_settle(struct mica_stack *s, size_t index, struct mica_tree *tree,
		      struct mica_xattrs *xattrs, struct mica_err *err)
{
	int ret;

	pthread_mutex_lock(&s->lock);
	while (s->turn < index && !s->cancelled)
		pthread_cond_wait(&s->turned, &s->lock);
	if (s->cancelled)
		ret = mica_err_sys(err, ECANCELED, "a layer below");
	else
		ret = stack_settle(s, tree, xattrs, err);
	if (!ret)
		s->turn++;
	pthread_cond_broadcast(&s->turned);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

void mica_stack_cancel(struct mica_stack *s)
{
	pthread_mutex_lock(&s->lock);
	s->cancelled = true;
	pthread_cond_broadcast(&s->turned);
	pthread_mutex_unlock(&s->lock);
}
