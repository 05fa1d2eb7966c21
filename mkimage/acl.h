/* SPDX-License-Identifier: MIT */
/*
 * POSIX ACLs: archives carry them as text or in the kernel's xattr form, an
 * image holds the latter, in its one canonical order.
 */
#ifndef MICA_MKIMAGE_ACL_H
#define MICA_MKIMAGE_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"
#include "report.h"
#include "../lib/err.h"

#define MICA_ACL_ACCESS	 "system.posix_acl_access"
#define MICA_ACL_DEFAULT "system.posix_acl_default"

enum mica_acl_tag {
	MICA_ACL_USER_OBJ = 0x01,
	MICA_ACL_USER = 0x02,
	MICA_ACL_GROUP_OBJ = 0x04,
	MICA_ACL_GROUP = 0x08,
	MICA_ACL_MASK = 0x10,
	MICA_ACL_OTHER = 0x20,
};

struct mica_acl_entry {
	uint16_t tag;  /* enum mica_acl_tag */
	uint16_t perm; /* as in a mode: r 4, w 2, x 1 */
	uint32_t id;   /* USER and GROUP */
};

struct mica_acl {
	struct mica_acl_entry *v; /* owned */
	size_t count, cap;
};

int mica_acl_add(struct mica_acl *acl, struct mica_acl_entry entry, struct mica_err *err);

/*
 * "user::rw-,user:joe:r--:1000,...", separated by commas or newlines. A
 * trailing id decides; a qualifier is a number or a name that this machine
 * knows. Entries of unknown names are left out and reported for path.
 */
int mica_acl_parse_text(struct mica_acl *acl, const char *text, struct mica_report *report,
			const char *path, struct mica_err *err);

int mica_acl_parse_xattr(struct mica_acl *acl, const void *value, size_t len, struct mica_err *err);

/*
 * Bring into canonical order, without doubles. Missing entries of owner, group
 * and others come from mode, a mask that is needed from what it masks.
 */
int mica_acl_settle(struct mica_acl *acl, uint16_t mode, struct mica_err *err);

/* A settled ACL of owner, group and others alone says no more than a mode. */
bool mica_acl_is_minimal(const struct mica_acl *acl);

/* mode with the permission bits that a settled access ACL gives it. */
uint16_t mica_acl_mode(const struct mica_acl *acl, uint16_t mode);

/* The xattr's value; NULL: out of memory. */
void *mica_acl_encode(const struct mica_acl *acl, struct mica_pool *pool, size_t *len);

void mica_acl_free(struct mica_acl *acl);

#endif
