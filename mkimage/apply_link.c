/* SPDX-License-Identifier: MIT */
/* Hard links: to what is on the stage, or, across layers, to what comes later. */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "apply_impl.h"
#include "quote.h"

enum link_found {
	LINK_FOUND,
	LINK_ABSENT,
	LINK_REMOVED, /* by a whiteout or something in its place */
	LINK_DIR,
};

/* What the layer that is read has at path. */
static enum link_found link_lookup(struct mica_apply *a, const struct mica_tnode *root,
				   const char *path, struct mica_tinode **inode)
{
	const struct mica_tnode *at = root;
	bool removed = at->cut == a->order;
	const char *name;
	size_t len;

	while (mica_apply_component(&path, &name, &len)) {
		if (!at->inode || !S_ISDIR(at->inode->mode))
			return LINK_REMOVED;
		at = mica_tree_find(a->tree, at, name, len);
		if (!at)
			return removed ? LINK_REMOVED : LINK_ABSENT;
		removed = removed || at->cut == a->order;
	}
	if (!at->inode)
		return LINK_REMOVED;
	if (S_ISDIR(at->inode->mode))
		return LINK_DIR;
	*inode = at->inode;
	return LINK_FOUND;
}

static int target_root(struct mica_apply *a, const char *path, struct mica_tnode **root,
		       struct mica_err *err)
{
	bool aside;
	int ret = mica_apply_excluded(a, path, &aside, err);

	*root = aside || mica_apply_is_meta(path) ? a->aside : a->stage;
	return ret;
}

static int links_grow(struct mica_apply *a, struct mica_err *err)
{
	size_t cap = a->link_cap ? a->link_cap * 2 : 16;
	struct mica_link *grown;

	if (a->link_count < a->link_cap)
		return 0;
	grown = realloc(a->links, cap * sizeof(*grown));
	if (!grown)
		return mica_err_nomem(err);
	a->links = grown;
	a->link_cap = cap;
	return 0;
}

/* Remember that a target has to come from a layer below; *inode stands for it. */
static int link_await(struct mica_apply *a, const struct mica_entry *e, struct mica_tinode **inode,
		      struct mica_err *err)
{
	struct mica_link link = {.order = a->order};
	int ret;

	ret = links_grow(a, err);
	if (!ret)
		ret = mica_tree_inode_new(a->tree, inode, err);
	if (ret)
		return ret;
	link.path = strdup(e->path);
	link.target = strdup(e->hardlink);
	link.layer = strdup(a->layer);
	if (!link.path || !link.target || !link.layer) {
		free(link.path);
		free(link.target);
		free(link.layer);
		return mica_err_nomem(err);
	}
	/* nid is the layout's: until then it names the link */
	(*inode)->nid = a->link_count;
	link.placeholder = *inode;
	mica_tree_inode_hold(*inode);
	a->links[a->link_count++] = link;
	return 0;
}

static int link_to_dir(const char *path, const char *target, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_INPUT, "'%s': hard link to '%s', which is a directory",
			    mica_quote(path).text, mica_quote(target).text);
}

int mica_apply_hardlink(struct mica_apply *a, struct mica_tnode *root, const struct mica_entry *e,
			struct mica_err *err)
{
	struct mica_tinode *inode = NULL;
	struct mica_tnode *from, *node;
	enum link_found found;
	int ret;

	ret = target_root(a, e->hardlink, &from, err);
	if (ret)
		return ret;
	found = link_lookup(a, from, e->hardlink, &inode);
	if (found == LINK_DIR)
		return link_to_dir(e->path, e->hardlink, err);
	if (found == LINK_FOUND && !strcmp(e->path, e->hardlink))
		return 0;
	if (found != LINK_FOUND)
		ret = link_await(a, e, &inode, err);
	if (ret)
		return ret;
	/* the link may take the place of its target, or of a directory that holds it */
	mica_tree_inode_hold(inode);
	ret = mica_apply_make(a, root, e->path, &node, err);
	if (!ret) {
		if (node->inode && S_ISDIR(node->inode->mode))
			mica_tree_clear(a->tree, node);
		node->cut = a->order;
		mica_tree_set_inode(a->tree, node, inode);
	}
	mica_tree_inode_release(a->tree, inode);
	return ret;
}

/* Nobody but this link itself has its placeholder. */
static bool link_is_unseen(const struct mica_link *link)
{
	return !link->placeholder || link->placeholder->refs == 1;
}

int mica_apply_links_find(struct mica_apply *a, struct mica_err *err)
{
	for (size_t i = 0; i < a->link_count; i++) {
		struct mica_link *link = &a->links[i];
		struct mica_tnode *root;
		int ret;

		if (link->found || link->order == a->order || link_is_unseen(link))
			continue;
		ret = target_root(a, link->target, &root, err);
		if (ret)
			return ret;
		switch (link_lookup(a, root, link->target, &link->found)) {
		case LINK_FOUND:
			mica_tree_inode_hold(link->found);
			break;
		case LINK_ABSENT:
			break;
		case LINK_DIR:
			link_to_dir(link->path, link->target, err);
			return mica_err_wrap(err, "%s", link->layer);
		case LINK_REMOVED:
			return mica_err_set(
				err, MICA_E_INPUT,
				"%s: '%s': hard link to '%s', which a layer below removes",
				link->layer, mica_quote(link->path).text,
				mica_quote(link->target).text);
		}
	}
	return 0;
}

static void link_forget(struct mica_apply *a, struct mica_link *link)
{
	if (link->placeholder)
		mica_tree_inode_release(a->tree, link->placeholder);
	if (link->found)
		mica_tree_inode_release(a->tree, link->found);
	free(link->path);
	free(link->target);
	free(link->layer);
	*link = (struct mica_link){0};
}

void mica_apply_links_drop(struct mica_apply *a)
{
	for (size_t i = 0; i < a->link_count; i++)
		if (a->links[i].placeholder && link_is_unseen(&a->links[i]))
			link_forget(a, &a->links[i]);
}

bool mica_apply_links_wait(const struct mica_apply *a)
{
	for (size_t i = 0; i < a->link_count; i++)
		if (!a->links[i].found && !link_is_unseen(&a->links[i]))
			return true;
	return false;
}

/*
 * An image of one layer gets the target's name as well, as overlayfs would copy
 * it up: so the two are still one file, where both are seen.
 */
static int link_bring_target(struct mica_apply *a, const struct mica_link *link,
			     struct mica_err *err)
{
	struct mica_tinode *inode = link->placeholder;
	struct mica_tnode *node;
	bool excluded;
	int ret = mica_apply_excluded(a, link->target, &excluded, err);

	if (ret || excluded || mica_apply_is_meta(link->target) ||
	    !mica_apply_upper(a, link->target, &node) || node)
		return ret;
	while (!inode->mode)
		inode = a->links[inode->nid].found;
	ret = mica_apply_make(a, mica_tree_root(a->tree), link->target, &node, err);
	if (!ret)
		mica_tree_set_inode(a->tree, node, inode);
	return ret;
}

/* The name after node, what is below it first; NULL: that was the last. */
static struct mica_tnode *walk_next(struct mica_tnode *node)
{
	if (node->inode && node->inode->children)
		return node->inode->children;
	while (node && !node->sibling)
		node = node->parent;
	return node ? node->sibling : NULL;
}

int mica_apply_links_settle(struct mica_apply *a, struct mica_err *err)
{
	bool any = false;

	for (size_t i = 0; i < a->link_count; i++) {
		const struct mica_link *link = &a->links[i];

		if (!link->placeholder)
			continue;
		any = true;
		if (!link->found)
			return mica_err_set(
				err, MICA_E_INPUT,
				"%s: '%s': hard link to '%s', which is neither before it "
				"in its layer nor in a layer below",
				link->layer, mica_quote(link->path).text,
				mica_quote(link->target).text);
	}
	if (!any)
		return 0;
	for (struct mica_tnode *n = mica_tree_root(a->tree); n; n = walk_next(n)) {
		struct mica_tinode *inode = n->inode;

		if (!inode || inode->mode)
			continue;
		while (!inode->mode)
			inode = a->links[inode->nid].found;
		mica_tree_set_inode(a->tree, n, inode);
	}
	for (size_t i = 0; a->opts.lone_layer && i < a->link_count; i++) {
		int ret = a->links[i].placeholder ? link_bring_target(a, &a->links[i], err) : 0;

		if (ret)
			return ret;
	}
	for (size_t i = 0; i < a->link_count; i++)
		link_forget(a, &a->links[i]);
	return 0;
}

void mica_apply_links_free(struct mica_apply *a)
{
	for (size_t i = 0; i < a->link_count; i++) {
		free(a->links[i].path);
		free(a->links[i].target);
		free(a->links[i].layer);
	}
	free(a->links);
}
