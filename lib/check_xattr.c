/* SPDX-License-Identifier: MIT */
/* Extended attributes: names unique, ACLs well-formed, the name filter right. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "check_priv.h"
#include "util.h"

struct names {
	char **list;
	size_t count, cap;
};

static void names_clear(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->list[i]);
	free(n->list);
}

static int names_add(struct names *n, const char *name, struct mica_err *err)
{
	if (n->count == n->cap) {
		size_t cap = n->cap ? n->cap * 2 : 8;
		char **list = realloc(n->list, cap * sizeof(*list));

		if (!list)
			return mica_err_nomem(err);
		n->list = list;
		n->cap = cap;
	}
	n->list[n->count] = strdup(name);
	if (!n->list[n->count])
		return mica_err_nomem(err);
	n->count++;
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void value_check(struct check *c, uint32_t row, const struct mica_inode *inode,
			const struct mica_xattr *x)
{
	struct mica_acl_entry entry;
	struct mica_err err = {0};
	long count;

	if (strncmp(x->name, "system.posix_acl_", 17))
		return;
	count = mica_acl_count(x->value, x->value_len, &err);
	for (long i = 0; i < count; i++)
		if (mica_acl_entry(x->value, (size_t)i, &entry, &err))
			break;
	if (err.code)
		mica_check_fail(c, "xattr", row, inode->off + inode->isize, "%s: %s", x->name,
				err.msg);
}

static int xattr_take(struct check *c, uint32_t row, const struct mica_inode *inode,
		      const struct mica_xattr *x, struct names *names, struct mica_err *err)
{
	struct check_span span = {
		.kind = CHECK_SPAN_XATTR,
		.owner = row,
		.start = c->sb->xattr_off + 4ULL * x->shared_id,
		.device = c->sb->feature_compat & EROFS_COMPAT_SHARED_EA_IN_METABOX ? CHECK_METABOX
										    : 0,
	};
	struct erofs_xattr_entry_disk entry;
	int ret;

	value_check(c, row, inode, x);
	ret = names_add(names, x->name, err);
	if (ret || !x->shared)
		return ret;
	ret = mica_check_read_meta(c, span.device == CHECK_METABOX, &entry, sizeof(entry),
				   span.start, err);
	if (ret)
		return mica_check_fail_err(c, "xattr", row, span.start, err);
	span.len = sizeof(entry) + entry.name_len + x->value_len;
	return mica_check_span_add(c, &span, err);
}

static int body_check(struct check *c, uint32_t row, const struct mica_inode *inode, uint32_t want,
		      struct mica_err *err)
{
	uint64_t off = inode->off + inode->isize;
	struct erofs_xattr_ibody_disk body;
	uint32_t got;
	int ret = mica_check_read_meta(c, inode->in_metabox, &body, sizeof(body), off, err);

	if (ret)
		return mica_check_fail_err(c, "xattr", row, off, err);
	got = le32_get(body.name_filter);
	if (c->sb->xattr_filter && got != want)
		mica_check_fail(c, "xattr", row, off,
				"name filter 0x%08" PRIx32 ", but the names make 0x%08" PRIx32, got,
				want);
	for (size_t i = 0; i < sizeof(body.reserved); i++) {
		if (!body.reserved[i] || c->sb->feature_compat & ~(uint32_t)EROFS_COMPAT_ALL)
			continue;
		mica_check_fail(c, "xattr", row,
				off + offsetof(struct erofs_xattr_ibody_disk, reserved),
				"reserved bytes are not zero");
		break;
	}
	return 0;
}

static int xattrs_read(struct check *c, uint32_t row, const struct mica_inode *inode,
		       struct names *names, uint32_t *filter, struct mica_err *err)
{
	struct mica_xattr_iter *it cleanup_xattr_iter = NULL;
	struct mica_xattr x;
	int ret = mica_xattr_iter_new(c->img, inode, &it, err);

	while (!ret) {
		ret = mica_xattr_iter_next(it, &x, err);
		if (ret <= 0)
			break;
		ret = xattr_take(c, row, inode, &x, names, err);
		if (ret)
			return ret;
	}
	if (!ret)
		*filter = mica_xattr_iter_filter(it);
	return ret;
}

int mica_check_xattrs(struct check *c, uint32_t row, const struct mica_inode *inode,
		      struct mica_err *err)
{
	struct names names cleanup(names_clear) = {0};
	uint32_t filter = UINT32_MAX;
	int ret;

	if (!inode->xattr_isize)
		return 0;
	if (c->sb->no_xattrs)
		mica_check_fail(c, "xattr", row, inode->off + inode->isize,
				"there are some, but the seal says that no inode has any");
	ret = xattrs_read(c, row, inode, &names, &filter, err);
	if (ret)
		return mica_check_fail_err(c, "xattr", row, inode->off + inode->isize, err);
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), name_compare);
	for (size_t i = 1; i < names.count; i++)
		if (!strcmp(names.list[i - 1], names.list[i]))
			mica_check_fail(c, "xattr", row, inode->off + inode->isize,
					"attribute %s is there twice", names.list[i]);
	return body_check(c, row, inode, filter, err);
}
