/* SPDX-License-Identifier: MIT */
/* POSIX ACLs as the kernel hands them out in system.posix_acl_* attributes. */
#ifndef MICA_LIB_ACL_H
#define MICA_LIB_ACL_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum mica_acl_tag {
	MICA_ACL_USER_OBJ = 0x01,
	MICA_ACL_USER = 0x02,
	MICA_ACL_GROUP_OBJ = 0x04,
	MICA_ACL_GROUP = 0x08,
	MICA_ACL_MASK = 0x10,
	MICA_ACL_OTHER = 0x20,
};

struct mica_acl_entry {
	enum mica_acl_tag tag;
	unsigned int perm; /* rwx, 0..7 */
	uint32_t id;	   /* MICA_ACL_USER, MICA_ACL_GROUP */
};

/* Entries in an ACL of len bytes, or MICA_E_CORRUPT. */
long mica_acl_count(const void *value, size_t len, struct mica_err *err);

/* Entry i (below the count); MICA_E_CORRUPT for an unknown tag or permission. */
int mica_acl_entry(const void *value, size_t i, struct mica_acl_entry *out, struct mica_err *err);

#endif
