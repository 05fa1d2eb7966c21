/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "acl.h"
#include "quote.h"
#include "source_impl.h"

static void acl_cleanup(struct mica_acl *acl)
{
	mica_acl_free(acl);
}

int mica_source_xattr(struct mica_source *src, const char *name, size_t name_len, const void *value,
		      size_t len, struct mica_err *err)
{
	struct mica_entry *entry = &src->entry;
	struct mica_kv *kv;

	if (entry->xattr_count == src->xattr_cap) {
		size_t cap = src->xattr_cap ? src->xattr_cap * 2 : 8;
		struct mica_kv *grown = mica_pool_alloc(&src->pool, cap * sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		if (entry->xattr_count)
			memcpy(grown, entry->xattrs, entry->xattr_count * sizeof(*grown));
		entry->xattrs = grown;
		src->xattr_cap = cap;
	}
	kv = &entry->xattrs[entry->xattr_count];
	kv->name = mica_pool_copy(&src->pool, name, name_len);
	kv->value = (unsigned char *)mica_pool_copy(&src->pool, value, len);
	kv->len = len;
	if (!kv->name || !kv->value)
		return mica_err_nomem(err);
	entry->xattr_count++;
	return 0;
}

/* By name; of one name the one that came last is first: pieces of a pool have no order. */
struct xattr_rank {
	struct mica_kv kv;
	size_t at;
};

static int rank_compare(const void *pa, const void *pb)
{
	const struct xattr_rank *a = pa, *b = pb;
	int diff = strcmp(a->kv.name, b->kv.name);

	if (diff)
		return diff;
	return a->at > b->at ? -1 : 1;
}

static int xattrs_sort(struct mica_entry *entry, struct mica_err *err)
{
	cleanup_free struct xattr_rank *ranks = NULL;
	size_t kept = 0;

	if (entry->xattr_count < 2)
		return 0;
	ranks = malloc(entry->xattr_count * sizeof(*ranks));
	if (!ranks)
		return mica_err_nomem(err);
	for (size_t i = 0; i < entry->xattr_count; i++)
		ranks[i] = (struct xattr_rank){entry->xattrs[i], i};
	qsort(ranks, entry->xattr_count, sizeof(*ranks), rank_compare);
	for (size_t i = 0; i < entry->xattr_count; i++)
		if (!i || strcmp(ranks[i].kv.name, ranks[i - 1].kv.name))
			entry->xattrs[kept++] = ranks[i].kv;
	entry->xattr_count = kept;
	return 0;
}

static struct mica_kv *xattr_find(struct mica_entry *entry, const char *name)
{
	for (size_t i = 0; i < entry->xattr_count; i++)
		if (!strcmp(entry->xattrs[i].name, name))
			return &entry->xattrs[i];
	return NULL;
}

/* Text becomes an xattr unless there is one: ids are exact, names are not. */
static int acl_take_text(struct mica_source *src, const char *name, const char *text,
			 struct mica_err *err)
{
	cleanup(acl_cleanup) struct mica_acl acl = {0};
	void *value;
	size_t len;
	int ret;

	if (!text || !*text || xattr_find(&src->entry, name))
		return 0;
	ret = mica_acl_parse_text(&acl, text, src->report, src->entry.path, err);
	if (ret)
		return ret;
	value = mica_acl_encode(&acl, &src->pool, &len);
	if (!value)
		return mica_err_nomem(err);
	return mica_source_xattr(src, name, strlen(name), value, len, err);
}

/* What the kernel would do with the xattr: see acl(5) on the equivalence with modes. */
static int acl_settle(struct mica_source *src, const char *name, struct mica_err *err)
{
	cleanup(acl_cleanup) struct mica_acl acl = {0};
	struct mica_entry *entry = &src->entry;
	struct mica_kv *kv = xattr_find(entry, name);
	bool access = !strcmp(name, MICA_ACL_ACCESS);
	bool fits = access ? !S_ISLNK(entry->mode) : S_ISDIR(entry->mode);
	int ret;

	if (!kv)
		return 0;
	if (fits) {
		ret = mica_acl_parse_xattr(&acl, kv->value, kv->len, err);
		if (!ret && acl.count)
			ret = mica_acl_settle(&acl, entry->mode, err);
		if (ret)
			return ret;
	} else {
		mica_report_warn(src->report, "%s: %s is left out: files of this type have none",
				 mica_quote(entry->path).text, name);
	}
	if (access && acl.count)
		entry->mode = mica_acl_mode(&acl, entry->mode);
	if (acl.count && !(access && mica_acl_is_minimal(&acl))) {
		kv->value = mica_acl_encode(&acl, &src->pool, &kv->len);
		return kv->value ? 0 : mica_err_nomem(err);
	}
	entry->xattr_count--;
	memmove(kv, kv + 1, (size_t)(entry->xattrs + entry->xattr_count - kv) * sizeof(*kv));
	return 0;
}

int mica_source_settle_xattrs(struct mica_source *src, struct mica_err *err)
{
	struct mica_entry *entry = &src->entry;
	int ret;

	if (entry->hardlink) {
		entry->xattr_count = 0;
		return 0;
	}
	ret = acl_take_text(src, MICA_ACL_ACCESS, src->acl_access, err);
	if (!ret)
		ret = acl_take_text(src, MICA_ACL_DEFAULT, src->acl_default, err);
	if (!ret)
		ret = xattrs_sort(entry, err);
	if (!ret)
		ret = acl_settle(src, MICA_ACL_ACCESS, err);
	if (!ret)
		ret = acl_settle(src, MICA_ACL_DEFAULT, err);
	return ret;
}
