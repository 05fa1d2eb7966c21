/* SPDX-License-Identifier: MIT */
#include "ordered.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/trace.h"
#include "../lib/util.h"

#define NAMES_MAX (1u << 24)

struct ordered_name {
	char *path; /* owned */
	uint32_t place;
	atomic_bool found;
};

struct mica_ordered {
	struct ordered_name *names; /* by path */
	size_t count, cap;
};

static int name_add(void *ctx, const struct mica_trace_line *line, struct mica_err *err)
{
	struct mica_ordered *o = ctx;
	char *path;

	/* parts of a file mostly follow each other */
	if (o->count && !strcmp(o->names[o->count - 1].path, line->path))
		return 0;
	if (o->count == NAMES_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "more than %u names", NAMES_MAX);
	if (o->count == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 256;
		struct ordered_name *names = reallocarray(o->names, cap, sizeof(*names));

		if (!names)
			return mica_err_nomem(err);
		o->names = names;
		o->cap = cap;
	}
	path = strdup(line->path);
	if (!path)
		return mica_err_nomem(err);
	o->names[o->count].path = path;
	o->names[o->count].place = (uint32_t)o->count;
	atomic_init(&o->names[o->count].found, false);
	o->count++;
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	const struct ordered_name *x = a, *y = b;
	int ret = strcmp(x->path, y->path);

	return ret ? ret : x->place < y->place ? -1 : x->place > y->place;
}

static void names_settle(struct mica_ordered *o)
{
	size_t kept = 0;

	if (o->count)
		qsort(o->names, o->count, sizeof(*o->names), name_compare);
	for (size_t i = 0; i < o->count; i++)
		if (kept && !strcmp(o->names[kept - 1].path, o->names[i].path))
			free(o->names[i].path);
		else
			o->names[kept++] = o->names[i];
	o->count = kept;
}

int mica_ordered_load(const char *file, struct mica_ordered **out, struct mica_err *err)
{
	struct mica_ordered *o = calloc(1, sizeof(*o));
	int ret = o ? mica_trace_load(file, name_add, o, err) : mica_err_nomem(err);

	if (ret) {
		mica_ordered_free(o);
		return ret;
	}
	names_settle(o);
	*out = o;
	return 0;
}

void mica_ordered_free(struct mica_ordered *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->count; i++)
		free(o->names[i].path);
	free(o->names);
	free(o);
}

static int path_compare(const void *path, const void *name)
{
	return strcmp(path, ((const struct ordered_name *)name)->path);
}

bool mica_ordered_find(const struct mica_ordered *o, const char *path, uint32_t *place)
{
	struct ordered_name *name =
		o && o->count ? bsearch(path, o->names, o->count, sizeof(*o->names), path_compare)
			      : NULL;

	if (!name)
		return false;
	atomic_store_explicit(&name->found, true, memory_order_relaxed);
	*place = name->place;
	return true;
}

static bool tree_has(struct mica_tree *tree, const char *path)
{
	const struct mica_tnode *node = mica_tree_root(tree);

	while (node && *path) {
		size_t len = strcspn(path, "/");

		node = node->inode && len <= UINT8_MAX ? mica_tree_find(tree, node, path, len)
						       : NULL;
		path += len;
		path += *path == '/';
	}
	return node && node->inode;
}

void mica_ordered_settle(const struct mica_ordered *o, struct mica_tree *tree)
{
	for (size_t i = 0; o && i < o->count; i++)
		if (!atomic_load_explicit(&o->names[i].found, memory_order_relaxed) &&
		    tree_has(tree, o->names[i].path))
			atomic_store_explicit(&o->names[i].found, true, memory_order_relaxed);
}

size_t mica_ordered_missing(const struct mica_ordered *o, size_t *total, const char **first)
{
	const struct ordered_name *name = NULL;
	size_t missing = 0;

	for (size_t i = 0; i < o->count; i++) {
		if (atomic_load_explicit(&o->names[i].found, memory_order_relaxed))
			continue;
		missing++;
		if (!name || o->names[i].place < name->place)
			name = &o->names[i];
	}
	*total = o->count;
	*first = name ? name->path : NULL;
	return missing;
}
