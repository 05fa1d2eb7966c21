/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>
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

/* Paths have no leading or trailing '/' and no "./", so neither have the globs for them. */
static int exclude_set(struct mica_exclude *x, const char *glob, struct mica_err *err)
{
	size_t len;

	while (!strncmp(glob, "./", 2) || *glob == '/') {
		x->whole = true;
		glob += *glob == '/' ? 1 : 2;
	}
	len = strlen(glob);
	while (len && glob[len - 1] == '/')
		len--;
	x->glob = strndup(glob, len);
	if (!x->glob)
		return mica_err_nomem(err);
	x->whole = x->whole || strchr(x->glob, '/');
	return 0;
}

int mica_apply_excludes_new(struct mica_apply *a, struct mica_err *err)
{
	const char *const *globs = a->opts.excludes;
	size_t count = 0;

	while (globs && globs[count])
		count++;
	if (!count)
		return 0;
	a->excludes = calloc(count, sizeof(*a->excludes));
	if (!a->excludes)
		return mica_err_nomem(err);
	for (; a->exclude_count < count; a->exclude_count++) {
		int ret = exclude_set(&a->excludes[a->exclude_count], globs[a->exclude_count], err);

		if (ret)
			return ret;
	}
	return 0;
}

void mica_apply_excludes_free(struct mica_apply *a)
{
	for (size_t i = 0; i < a->exclude_count; i++)
		free(a->excludes[i].glob);
	free(a->excludes);
}

static bool excluded_one(const struct mica_apply *a, const char *path, const char *last)
{
	for (size_t i = 0; i < a->exclude_count; i++) {
		const struct mica_exclude *x = &a->excludes[i];

		if (!fnmatch(x->glob, x->whole ? path : last, x->whole ? FNM_PATHNAME : 0))
			return true;
	}
	return false;
}

int mica_apply_excluded(struct mica_apply *a, const char *path, bool *excluded,
			struct mica_err *err)
{
	cleanup_free char *upto = NULL;
	char *last;

	*excluded = false;
	if (!a->exclude_count || !*path)
		return 0;
	upto = strdup(path);
	if (!upto)
		return mica_err_nomem(err);
	/* a directory excludes all below it */
	for (last = upto; last && !*excluded;) {
		char *end = strchr(last, '/');

		if (end)
			*end = '\0';
		*excluded = excluded_one(a, upto, last);
		if (end)
			*end = '/';
		last = end ? end + 1 : NULL;
	}
	return 0;
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
