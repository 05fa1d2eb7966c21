/* SPDX-License-Identifier: MIT */
#include "acl.h"

#include "../formats/le.h"

#define ACL_VERSION 2u

struct acl_header_disk {
	le32 version;
};

struct acl_entry_disk {
	le16 tag;
	le16 perm;
	le32 id;
};

long mica_acl_count(const void *value, size_t len, struct mica_err *err)
{
	const struct acl_header_disk *head = value;

	if (len < sizeof(*head) || (len - sizeof(*head)) % sizeof(struct acl_entry_disk))
		return mica_err_set(err, MICA_E_CORRUPT, "ACL of %zu bytes is not 4 + 8 * N", len);
	if (le32_get(head->version) != ACL_VERSION)
		return mica_err_set(err, MICA_E_CORRUPT, "ACL version %u is not %u",
				    le32_get(head->version), ACL_VERSION);
	return (long)((len - sizeof(*head)) / sizeof(struct acl_entry_disk));
}

int mica_acl_entry(const void *value, size_t i, struct mica_acl_entry *out, struct mica_err *err)
{
	const struct acl_header_disk *head = value;
	const struct acl_entry_disk *e = (const struct acl_entry_disk *)(head + 1) + i;
	unsigned int tag = le16_get(e->tag), perm = le16_get(e->perm);

	switch (tag) {
	case MICA_ACL_USER_OBJ:
	case MICA_ACL_USER:
	case MICA_ACL_GROUP_OBJ:
	case MICA_ACL_GROUP:
	case MICA_ACL_MASK:
	case MICA_ACL_OTHER:
		break;
	default:
		return mica_err_set(err, MICA_E_CORRUPT, "ACL entry %zu has the unknown tag 0x%x",
				    i, tag);
	}
	if (perm > 7)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "ACL entry %zu has permissions 0x%x over 7", i, perm);
	*out = (struct mica_acl_entry){
		.tag = (enum mica_acl_tag)tag, .perm = perm, .id = le32_get(e->id)};
	return 0;
}
