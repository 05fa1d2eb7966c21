/* SPDX-License-Identifier: MIT */
#include "acl.h"

#include <string.h>

#include "../formats/le.h"
#include "../lib/util.h"

#define ACL_VERSION 2
#define ACL_NO_ID   UINT32_MAX
/* an xattr value holds no more */
#define ACL_MAX ((size_t)65535 / sizeof(struct acl_xattr_entry))

/* As in a value of system.posix_acl_*: a header of four bytes, then entries. */
struct acl_xattr_entry {
	le16 tag;
	le16 perm;
	le32 id;
};

int mica_acl_add(struct mica_acl *acl, struct mica_acl_entry entry, struct mica_err *err)
{
	if (acl->count == ACL_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "ACL: more than %zu entries", ACL_MAX);
	if (acl->count == acl->cap) {
		size_t cap = acl->cap ? acl->cap * 2 : 8;
		struct mica_acl_entry *v = realloc(acl->v, cap * sizeof(*v));

		if (!v)
			return mica_err_nomem(err);
		acl->v = v;
		acl->cap = cap;
	}
	acl->v[acl->count++] = entry;
	return 0;
}

void mica_acl_free(struct mica_acl *acl)
{
	free(acl->v);
	*acl = (struct mica_acl){0};
}

static bool tag_is_named(uint16_t tag)
{
	return tag == MICA_ACL_USER || tag == MICA_ACL_GROUP;
}

int mica_acl_parse_xattr(struct mica_acl *acl, const void *value, size_t len, struct mica_err *err)
{
	const unsigned char *p = value;
	struct acl_xattr_entry e;
	le32 version;

	if (len < sizeof(version) || (len - sizeof(version)) % sizeof(e))
		return mica_err_set(err, MICA_E_INPUT, "ACL: %zu bytes are no valid length", len);
	memcpy(&version, p, sizeof(version));
	if (le32_get(version) != ACL_VERSION)
		return mica_err_set(err, MICA_E_INPUT, "ACL: version %u, known is %d",
				    le32_get(version), ACL_VERSION);
	for (size_t i = sizeof(version); i < len; i += sizeof(e)) {
		struct mica_acl_entry entry;
		int ret;

		memcpy(&e, p + i, sizeof(e));
		entry.tag = le16_get(e.tag);
		entry.perm = le16_get(e.perm);
		entry.id = tag_is_named(entry.tag) ? le32_get(e.id) : ACL_NO_ID;
		if (!entry.tag || entry.tag > MICA_ACL_OTHER || entry.tag & (entry.tag - 1))
			return mica_err_set(err, MICA_E_INPUT, "ACL: unknown tag 0x%x", entry.tag);
		if (entry.perm > 7)
			return mica_err_set(err, MICA_E_INPUT, "ACL: permissions 0x%x exceed 7",
					    entry.perm);
		ret = mica_acl_add(acl, entry, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int entry_compare(const void *pa, const void *pb)
{
	const struct mica_acl_entry *a = pa, *b = pb;

	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static const struct mica_acl_entry *acl_find(const struct mica_acl *acl, uint16_t tag)
{
	for (size_t i = 0; i < acl->count; i++)
		if (acl->v[i].tag == tag)
			return &acl->v[i];
	return NULL;
}

static int acl_complete(struct mica_acl *acl, uint16_t tag, unsigned perm, struct mica_err *err)
{
	if (acl_find(acl, tag))
		return 0;
	return mica_acl_add(
		acl,
		(struct mica_acl_entry){.tag = tag, .perm = (uint16_t)(perm & 7), .id = ACL_NO_ID},
		err);
}

/* What a mask limits: named users, and all groups. */
static unsigned acl_group_class(const struct mica_acl *acl, bool *named)
{
	unsigned perm = 0;

	*named = false;
	for (size_t i = 0; i < acl->count; i++) {
		if (!tag_is_named(acl->v[i].tag) && acl->v[i].tag != MICA_ACL_GROUP_OBJ)
			continue;
		*named = *named || tag_is_named(acl->v[i].tag);
		perm |= acl->v[i].perm;
	}
	return perm;
}

int mica_acl_settle(struct mica_acl *acl, uint16_t mode, struct mica_err *err)
{
	bool named;
	unsigned perm;
	int ret;

	ret = acl_complete(acl, MICA_ACL_USER_OBJ, mode >> 6u, err);
	if (!ret)
		ret = acl_complete(acl, MICA_ACL_GROUP_OBJ, mode >> 3u, err);
	if (!ret)
		ret = acl_complete(acl, MICA_ACL_OTHER, mode, err);
	perm = acl_group_class(acl, &named);
	if (!ret && named)
		ret = acl_complete(acl, MICA_ACL_MASK, perm, err);
	if (ret)
		return ret;
	qsort(acl->v, acl->count, sizeof(*acl->v), entry_compare);
	for (size_t i = 1; i < acl->count; i++)
		if (!entry_compare(&acl->v[i - 1], &acl->v[i]))
			return mica_err_set(err, MICA_E_INPUT,
					    "ACL: two entries of tag 0x%x, id %u", acl->v[i].tag,
					    acl->v[i].id);
	return 0;
}

bool mica_acl_is_minimal(const struct mica_acl *acl)
{
	return acl->count == 3;
}

uint16_t mica_acl_mode(const struct mica_acl *acl, uint16_t mode)
{
	const struct mica_acl_entry *mask = acl_find(acl, MICA_ACL_MASK);
	unsigned perm = acl_find(acl, MICA_ACL_OTHER)->perm;

	perm |= (unsigned)(mask ? mask : acl_find(acl, MICA_ACL_GROUP_OBJ))->perm << 3;
	perm |= (unsigned)acl_find(acl, MICA_ACL_USER_OBJ)->perm << 6;
	return (uint16_t)((mode & ~0777u) | perm);
}

void *mica_acl_encode(const struct mica_acl *acl, struct mica_pool *pool, size_t *len)
{
	le32 version = le32_make(ACL_VERSION);
	unsigned char *value;

	*len = sizeof(version) + acl->count * sizeof(struct acl_xattr_entry);
	value = mica_pool_alloc(pool, *len);
	if (!value)
		return NULL;
	memcpy(value, &version, sizeof(version));
	for (size_t i = 0; i < acl->count; i++) {
		struct acl_xattr_entry e = {
			.tag = le16_make(acl->v[i].tag),
			.perm = le16_make(acl->v[i].perm),
			.id = le32_make(acl->v[i].id),
		};

		memcpy(value + sizeof(version) + i * sizeof(e), &e, sizeof(e));
	}
	return value;
}
