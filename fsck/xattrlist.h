/* SPDX-License-Identifier: MIT */
/* All extended attributes of an inode at once. */
#ifndef MICA_FSCK_XATTRLIST_H
#define MICA_FSCK_XATTRLIST_H

#include <stddef.h>

#include "../lib/image.h"
#include "../lib/util.h"

struct mica_xattr_value {
	char *name;
	void *value;
	size_t len;
};

struct mica_xattrlist {
	struct mica_xattr_value *list; /* in stored order */
	size_t count;
};

int mica_xattrlist_load(struct mica_image *img, const struct mica_inode *inode,
			struct mica_xattrlist *out, struct mica_err *err);

/* NULL when there is none of that name */
const struct mica_xattr_value *mica_xattrlist_find(const struct mica_xattrlist *list,
						   const char *name);

void mica_xattrlist_clear(struct mica_xattrlist *list);

#define cleanup_xattrlist cleanup(mica_xattrlist_clear)

#endif
