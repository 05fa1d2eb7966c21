/* SPDX-License-Identifier: MIT */
/*
 * Owners and modes of files and directories that are kept in an xattr, since the host's cannot be
 * changed (a network file system, or a user with one id): fuse-overlayfs' xattr_permissions=. Its
 * value is UID:GID:MODE, the last in octal. A layer is kept so when its root has the xattr.
 */
#ifndef MICA_OVERLAY_OWNERS_H
#define MICA_OVERLAY_OWNERS_H

#include "overlay.h"

/* Which xattr; an enum value of MICA_OWNERS_ from the option. */
enum {
	MICA_OWNERS_HOST = 0,
	MICA_OWNERS_SECURITY = 1, /* security.fuseoverlayfs.override_stat */
	MICA_OWNERS_USER = 2,	  /* user.containers.override_stat, or user.fuseoverlayfs. */
};

/* Finds out how each layer is kept, and makes the upper directory one that is. */
int mica_owners_open(struct mica_ovl *ovl, unsigned int kind, struct mica_err *err);

/* st becomes what the xattr at a place says; without one it stays. */
void mica_owners_show(const struct mica_place *at, struct stat *st);

/* Of what a path leads to; owners: a layer's. Other objects than files and directories are left. */
int mica_owners_store(const char *owners, const char *path, const struct stat *st);

/* As chown(2) and chmod(2); set: FUSE_SET_ATTR_UID, _GID, _MODE */
int mica_owners_change(const struct mica_place *at, const struct stat *attr, int set);

/* What the host's mode is then. */
mode_t mica_owners_mode(mode_t mode);

/* A name that users do not get at in such a mount. */
bool mica_owners_reserved(const char *name);

#endif
