/* SPDX-License-Identifier: MIT */
#include "xattrlist.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

static int xattrlist_add(struct mica_xattrlist *list, const struct mica_xattr *x,
			 struct mica_err *err)
{
	struct mica_xattr_value *grown, *v;

	grown = realloc(list->list, (list->count + 1) * sizeof(*grown));
	if (!grown)
		return mica_err_nomem(err);
	list->list = grown;
	v = &grown[list->count];
	v->name = strdup(x->name);
	v->len = x->value_len;
	v->value = malloc(v->len ? v->len : 1);
	if (!v->name || !v->value) {
		free(v->name);
		free(v->value);
		return mica_err_nomem(err);
	}
	memcpy(v->value, x->value, v->len);
	list->count++;
	return 0;
}

int mica_xattrlist_load(struct mica_image *img, const struct mica_inode *inode,
			struct mica_xattrlist *out, struct mica_err *err)
{
	struct mica_xattr_iter *it cleanup_xattr_iter = NULL;
	struct mica_xattrlist list cleanup_xattrlist = {0};
	struct mica_xattr x;
	int ret = 0;

	*out = list;
	if (!inode->xattr_isize)
		return 0;
	ret = mica_xattr_iter_new(img, inode, &it, err);
	while (!ret) {
		ret = mica_xattr_iter_next(it, &x, err);
		if (ret <= 0)
			break;
		ret = xattrlist_add(&list, &x, err);
	}
	if (ret)
		return ret;
	*out = list;
	list = (struct mica_xattrlist){0};
	return 0;
}

const struct mica_xattr_value *mica_xattrlist_find(const struct mica_xattrlist *list,
						   const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->list[i].name, name))
			return &list->list[i];
	return NULL;
}

void mica_xattrlist_clear(struct mica_xattrlist *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->list[i].name);
		free(list->list[i].value);
	}
	free(list->list);
	*list = (struct mica_xattrlist){0};
}
