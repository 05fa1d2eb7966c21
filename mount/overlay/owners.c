/* SPDX-License-Identifier: MIT */
#include "owners.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../log.h"
#include "layer_impl.h"

#define VALUE_MAX  64
#define PROC_MAX   32
#define ROOT_FIRST "0:0:555"

static const char *const names[] = {
	"security.fuseoverlayfs.override_stat",
	"user.containers.override_stat",
	"user.fuseoverlayfs.override_stat",
};

bool mica_owners_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

mode_t mica_owners_mode(mode_t mode)
{
	return (mode & 0777) | 0755;
}

static bool kept(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

/* The root's xattr as text; NULL: the layer is not kept so. */
static const char *root_value(const struct mica_ovl_layer *layer, unsigned int kind,
			      char value[VALUE_MAX])
{
	size_t first = kind == MICA_OWNERS_SECURITY ? 0 : 1,
	       last = kind == MICA_OWNERS_SECURITY ? 0 : 2;
	struct mica_place at;

	mica_ovl_layer_root(layer, &at);
	for (size_t i = first; !layer->image && i <= last; i++) {
		long n = mica_place_getxattr(&at, names[i], value, VALUE_MAX - 1);

		if (n < 0)
			continue;
		value[n] = 0;
		return names[i];
	}
	return NULL;
}

static int upper_begin(struct mica_ovl *ovl, unsigned int kind, const char *value,
		       struct mica_err *err)
{
	struct mica_ovl_layer *upper = &ovl->upper.layer;
	char proc[PROC_MAX], own[VALUE_MAX];

	upper->owners = root_value(upper, kind, own);
	if (upper->owners)
		return 0;
	upper->owners = names[kind == MICA_OWNERS_SECURITY ? 0 : 1];
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", upper->fd);
	if (setxattr(proc, upper->owners, value, strlen(value), 0) < 0)
		return mica_err_sys(err, errno, "%s: set %s", upper->name, upper->owners);
	return 0;
}

int mica_owners_open(struct mica_ovl *ovl, unsigned int kind, struct mica_err *err)
{
	char value[VALUE_MAX] = ROOT_FIRST, found[VALUE_MAX];

	if (kind == MICA_OWNERS_HOST)
		return 0;
	/* bottom to top: the root's own are those of the topmost */
	for (unsigned int i = 0; i < ovl->lower_count; i++) {
		ovl->lowers[i].owners = root_value(&ovl->lowers[i], kind, found);
		if (ovl->lowers[i].owners)
			strcpy(value, found);
	}
	return mica_ovl_writable(ovl) ? upper_begin(ovl, kind, value, err) : 0;
}

void mica_owners_show(const struct mica_place *at, struct stat *st)
{
	char value[VALUE_MAX];
	unsigned int uid, gid, mode;
	long n;

	if (!kept(st->st_mode))
		return;
	n = mica_place_getxattr(at, at->layer->owners, value, sizeof(value) - 1);
	if (n < 0)
		return;
	value[n] = 0;
	/* a type may follow, of what cannot be made on the host: that is not for here */
	if (sscanf(value, "%u:%u:%o", &uid, &gid, &mode) != 3) {
		mica_log_failure("%s: %s: '%s' is not UID:GID:MODE", at->layer->name,
				 at->layer->owners, value);
		return;
	}
	st->st_uid = uid;
	st->st_gid = gid;
	st->st_mode = (st->st_mode & S_IFMT) | (mode & 07777);
}

int mica_owners_store(const char *owners, const char *path, const struct stat *st)
{
	char value[VALUE_MAX];
	int n;

	if (!kept(st->st_mode))
		return 0;
	n = snprintf(value, sizeof(value), "%u:%u:%o", st->st_uid, st->st_gid, st->st_mode & 07777);
	return setxattr(path, owners, value, (size_t)n, 0) < 0 ? -errno : 0;
}

/* As the host takes them from a file whose owner changes. */
static mode_t without_privileges(mode_t mode)
{
	if (!S_ISREG(mode))
		return mode;
	return mode & ~(mode_t)(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

int mica_owners_change(const struct mica_place *at, const struct stat *attr, int set)
{
	cleanup_fd int fd = mica_in_dir_open_path(at);
	char proc[PROC_MAX];
	struct stat st;
	int ret = fd < 0 ? fd : mica_place_stat(at, &st);

	if (ret || !(set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID | FUSE_SET_ATTR_MODE)))
		return ret;
	if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		st.st_mode = without_privileges(st.st_mode);
	if (set & FUSE_SET_ATTR_UID)
		st.st_uid = attr->st_uid;
	if (set & FUSE_SET_ATTR_GID)
		st.st_gid = attr->st_gid;
	if (set & FUSE_SET_ATTR_MODE)
		st.st_mode = (st.st_mode & S_IFMT) | (attr->st_mode & 07777);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return mica_owners_store(at->layer->owners, proc, &st);
}
