/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "apply_impl.h"
#include "quote.h"

#define META_PREFIX ".wh..wh."

bool mica_apply_component(const char **path, const char **name, size_t *len)
{
	const char *end;

	if (!**path)
		return false;
	end = strchrnul(*path, '/');
	*name = *path;
	*len = (size_t)(end - *path);
	*path = *end ? end + 1 : end;
	return true;
}

int mica_apply_excludes_new(struct mica_apply *a, struct mica_err *err)
{
	int ret = 0;

	for (const char *const *glob = a->opts.excludes; !ret && glob && *glob; glob++)
		ret = mica_globs_add(&a->excludes, *glob, err);
	return ret;
}

int mica_apply_excluded(struct mica_apply *a, const char *path, bool *excluded,
			struct mica_err *err)
{
	size_t found;
	int ret = mica_globs_find(&a->excludes, path, &found, err);

	*excluded = !ret && found != MICA_GLOBS_NONE;
	return ret;
}

bool mica_apply_is_meta(const char *path)
{
	const char *name;
	size_t len;

	while (mica_apply_component(&path, &name, &len)) {
		if (strncmp(name, META_PREFIX, strlen(META_PREFIX)))
			continue;
		/* what is not below it, the mark of opaque directories is none of aufs' own */
		if (*path || strcmp(name, MICA_APPLY_OPAQUE))
			return true;
	}
	return false;
}

bool mica_apply_upper(struct mica_apply *a, const char *path, struct mica_tnode **node)
{
	struct mica_tnode *at = mica_tree_root(a->tree);
	const char *name;
	size_t len;

	while (mica_apply_component(&path, &name, &len)) {
		if (!at->inode || !S_ISDIR(at->inode->mode) || at->cut < a->order) {
			*node = NULL;
			return false;
		}
		at = mica_tree_find(a->tree, at, name, len);
		if (!at) {
			*node = NULL;
			return true;
		}
	}
	*node = at;
	return true;
}

int mica_apply_make_dir(struct mica_apply *a, struct mica_tnode *node, struct mica_err *err)
{
	struct mica_tinode *inode;
	int ret;

	if (node->inode && S_ISDIR(node->inode->mode))
		return 0;
	ret = mica_tree_inode_new(a->tree, &inode, err);
	if (ret)
		return ret;
	mica_apply_attributes(a, inode, S_IFDIR | 0755, 0, 0, 0, 0);
	/* what layers below have here was removed before: their directory is another one */
	inode->implicit = node->cut == MICA_TREE_UNCUT;
	mica_tree_set_inode(a->tree, node, inode);
	return 0;
}

/* path without what comes after its first len bytes */
static void report_replaced(struct mica_apply *a, const char *path, size_t len)
{
	cleanup_free char *shown = strndup(path, len);

	mica_report_warn(a->report, "%s: becomes a directory, since an entry lies below it",
			 mica_quote(shown ? shown : path).text);
}

int mica_apply_make(struct mica_apply *a, struct mica_tnode *root, const char *path,
		    struct mica_tnode **out, struct mica_err *err)
{
	struct mica_tnode *at = root;
	const char *rest = path, *name;
	size_t len;

	while (mica_apply_component(&rest, &name, &len)) {
		struct mica_tnode *child;
		int ret;

		if (at->inode && !S_ISDIR(at->inode->mode))
			report_replaced(a, path, (size_t)(name - path - 1));
		ret = mica_apply_make_dir(a, at, err);
		if (ret)
			return ret;
		child = mica_tree_find(a->tree, at, name, len);
		if (!child) {
			ret = mica_tree_add(a->tree, at, name, len, &child, err);
			if (ret)
				return ret;
			child->order = a->order;
		}
		at = child;
	}
	*out = at;
	return 0;
}
