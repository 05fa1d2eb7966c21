/* SPDX-License-Identifier: MIT */
/*
 * Overlayfs' own extended attributes: trusted.overlay.*, or user.overlay.* for those
 * who may not write the former (the kernel's mount option userxattr). They are never
 * shown; one that a user sets is stored with "overlay." once more in its name, and
 * loses it on the way back, as in the kernel's fs/overlayfs/xattrs.c.
 */
#ifndef MICA_OVERLAY_XATTRS_H
#define MICA_OVERLAY_XATTRS_H

#include "layer.h"

#define MICA_DEFAULT_ACL    "system.posix_acl_default"
#define MICA_XATTR_NAME_MAX 256

/* The full name of one of overlayfs' attributes: "opaque", "origin", "redirect" ... */
void mica_overlay_xattr(bool userxattr, const char *key, char name[MICA_XATTR_NAME_MAX]);

/*
 * True when the attribute is there. value may be NULL, else gets its first byte. An image
 * is read with trusted.* whoever mounts it, since reading it takes no privilege.
 */
bool mica_overlay_marked(const struct mica_place *place, const char *key, char *value);

/* The value of an attribute, NUL-terminated; its length, or -ENODATA and the like. */
long mica_overlay_value(const struct mica_place *place, const char *key, char *buf, size_t cap);

/*
 * True when an object in a directory is known to have no attribute of overlayfs: most have none, and one
 * listing says so for all of them. Images are not asked, there each question is cheap.
 */
bool mica_overlay_bare(const struct mica_place *place);

/* What is stored for a user's name. -ERANGE: it becomes too long; -EPERM: it is not a user's */
int mica_overlay_name_store(bool userxattr, const char *name, char out[MICA_XATTR_NAME_MAX]);

/* What a user sees of a stored name; false: nothing. */
bool mica_overlay_name_show(bool userxattr, const char *name, char out[MICA_XATTR_NAME_MAX]);

/* Turns stored names (as listxattr(2) gives them) into shown ones, in place; the new length. */
size_t mica_overlay_names_show(bool userxattr, bool trusted, char *names, size_t len);

#endif
