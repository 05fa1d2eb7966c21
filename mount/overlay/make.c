/* SPDX-License-Identifier: MIT */
/* New names: files, directories, links. */
#include "change.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "copyup.h"
#include "lookup.h"
#include "owners.h"
#include "upper.h"
#include "xattrs.h"

#define PROC_MAX (PATH_MAX + 32)

int mica_spot_free(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		   struct mica_spot *out)
{
	struct mica_found found = {.nid = 0};
	int ret;

	*out = (struct mica_spot){.dir = dir, .name = name};
	if (dir->removed)
		return -ENOENT;
	ret = mica_node_upper(ovl, dir, &out->at);
	return ret ? ret : mica_place_enter(&out->at, name, &found);
}

int mica_spot_find(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		   struct mica_spot *out)
{
	struct mica_found found;
	struct mica_place parent;
	struct stat st;
	int ret = mica_spot_free(ovl, dir, name, out);

	if (ret)
		return ret;
	if (fstatat(out->at.base, out->at.path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		if (!ovl->upper.layer.dot_whiteouts)
			return 0;
		ret = mica_node_upper(ovl, dir, &parent);
		if (!ret)
			ret = mica_place_lookup(&parent, name, &found);
		out->dot_whiteout = !ret && found.whiteout;
		return ret == -ENOENT ? 0 : ret;
	}
	out->type = st.st_mode & S_IFMT;
	out->whiteout = S_ISCHR(st.st_mode) && st.st_rdev == 0;
	return 0;
}

/* Whether what is made in a directory inherits an ACL. Asked once, since all changes pass through here. */
static int default_acl(const struct mica_place *at, struct mica_node *dir, char **acl, long *len)
{
	*acl = NULL;
	*len = 0;
	if (dir->no_default_acl)
		return 0;
	*len = mica_place_getxattr(at, MICA_DEFAULT_ACL, NULL, 0);
	if (*len <= 0) {
		dir->no_default_acl = *len == 0 || *len == -ENODATA || *len == -EOPNOTSUPP;
		*len = 0;
		return 0;
	}
	*acl = malloc((size_t)*len);
	if (!*acl)
		return -ENOMEM;
	*len = mica_place_getxattr(at, MICA_DEFAULT_ACL, *acl, (size_t)*len);
	return *len < 0 ? (int)*len : 0;
}

/* The mode and group that a new object gets from its directory and its maker. */
static int inherit(const struct mica_place *dir, const struct mica_make *what, bool acl,
		   mode_t *mode, gid_t *gid)
{
	struct stat st;
	int ret = mica_place_stat(dir, &st);

	if (ret)
		return ret;
	*gid = what->gid;
	*mode = what->mode;
	if (!acl && !S_ISLNK(what->mode))
		*mode &= ~what->umask;
	if (st.st_mode & S_ISGID) {
		*gid = st.st_gid;
		if (S_ISDIR(what->mode))
			*mode |= S_ISGID;
	}
	return 0;
}

static int object_make(int dir, const char *path, mode_t mode, const struct mica_make *what)
{
	int ret;

	if (S_ISDIR(mode))
		ret = mkdirat(dir, path, mode & 07777);
	else if (S_ISLNK(mode))
		ret = symlinkat(what->target, dir, path);
	else
		ret = mknodat(dir, path, mode, what->rdev);
	return ret < 0 ? -errno : 0;
}

/*
 * In a directory of its own with the default ACL that it is to inherit, so that the host
 * works out both of its ACLs; then one up.
 */
static int made_with_acl(struct mica_upper *u, const char *temp, mode_t mode,
			 const struct mica_make *what, const char *acl, size_t acl_len)
{
	char nest[MICA_TEMP_NAME_MAX], inner[MICA_TEMP_NAME_MAX + 2], proc[PROC_MAX];
	int ret = 0;

	mica_upper_temp(u, nest);
	snprintf(inner, sizeof(inner), "%s/x", nest);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", u->work, nest);
	if (mkdirat(u->work, nest, 0700) < 0)
		return -errno;
	if (setxattr(proc, MICA_DEFAULT_ACL, acl, acl_len, 0) < 0)
		ret = -errno;
	if (!ret)
		ret = object_make(u->work, inner, mode, what);
	if (!ret && renameat(u->work, inner, u->work, temp) < 0)
		ret = -errno;
	mica_upper_discard(u, nest);
	return ret;
}

/* In the work directory, complete. acl: what it inherits, NULL: none */
static int temp_make(struct mica_upper *u, const char *temp, const struct mica_place *dir,
		     const struct mica_make *what, const char *acl, size_t acl_len)
{
	char proc[PROC_MAX];
	mode_t mode, on_host;
	gid_t gid;
	int ret = inherit(dir, what, acl, &mode, &gid);

	if (ret)
		return ret;
	on_host = u->layer.owners ? (mode & S_IFMT) | mica_owners_mode(mode) : mode;
	if (acl && !S_ISLNK(mode))
		ret = made_with_acl(u, temp, on_host, what, acl, acl_len);
	else
		ret = object_make(u->work, temp, on_host, what);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", u->work, temp);
	if (u->layer.owners)
		return ret ? ret
			   : mica_owners_store(u->layer.owners, proc,
					       &(struct stat){.st_uid = what->uid,
							      .st_gid = gid,
							      .st_mode = mode});
	if (!ret && fchownat(u->work, temp, what->uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		ret = -errno;
	/* the change of owner took these away */
	if (!ret && mode & (S_ISUID | S_ISGID) && !S_ISLNK(mode) && chmod(proc, mode & 07777) < 0)
		ret = -errno;
	return ret;
}

/*
 * From the work directory to its name; where a whiteout is, it goes. A directory must hide
 * what the whiteout hid before it is there.
 */
static int temp_place(struct mica_upper *u, const char *temp, const struct mica_spot *n,
		      bool is_dir)
{
	int ret = 0;

	if (is_dir && (n->whiteout || n->dot_whiteout))
		ret = mica_upper_mark_temp(u, temp, "opaque", "y", 1);
	if (ret || !n->whiteout)
		return ret ? ret : mica_upper_place(u, temp, &n->at, RENAME_NOREPLACE);
	ret = mica_upper_place(u, temp, &n->at, is_dir ? RENAME_EXCHANGE : 0);
	if (!ret && is_dir)
		mica_upper_discard(u, temp);
	return ret;
}

/*
 * In its place at once, where the host makes it with the right owner, group, mode and ACL by itself.
 * -EEXIST: there is something, maybe a whiteout
 */
static int made_in_place(const struct mica_place *at, const struct mica_make *what, bool acl,
			 const char *name)
{
	struct mica_found found = {.nid = 0};
	struct mica_place to = *at;
	int ret;

	if (at->layer->owners || what->uid != geteuid() || what->gid != getegid() ||
	    what->mode & (S_ISUID | S_ISGID) || (S_ISDIR(what->mode) && at->layer->dot_whiteouts))
		return -EEXIST;
	ret = mica_place_enter(&to, name, &found);
	if (ret)
		return ret;
	return object_make(to.base, to.path, acl ? what->mode : what->mode & ~what->umask, what);
}

/* By way of the work directory. */
static int make_apart(struct mica_ovl *ovl, const struct mica_place *parent,
		      const struct mica_spot *n, const struct mica_make *what, const char *acl,
		      size_t acl_len)
{
	char temp[MICA_TEMP_NAME_MAX];
	int ret;

	mica_upper_temp(&ovl->upper, temp);
	ret = temp_make(&ovl->upper, temp, parent, what, acl, acl_len);
	if (!ret)
		ret = temp_place(&ovl->upper, temp, n, S_ISDIR(what->mode));
	if (ret)
		mica_upper_discard(&ovl->upper, temp);
	return ret;
}

static int make_locked(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		       const struct mica_make *what, struct mica_node **out, struct stat *st)
{
	cleanup_free char *acl = NULL;
	struct mica_place parent;
	struct mica_spot n;
	long acl_len = 0;
	int ret = mica_node_upper(ovl, dir, &parent);

	if (!ret)
		ret = default_acl(&parent, dir, &acl, &acl_len);
	if (!ret)
		ret = made_in_place(&parent, what, acl, name);
	if (!ret)
		return mica_ovl_made(ovl, dir, name, out, st);
	if (ret == -EEXIST)
		ret = mica_spot_find(ovl, dir, name, &n);
	if (!ret && n.type && !n.whiteout)
		ret = -EEXIST;
	if (!ret)
		ret = make_apart(ovl, &parent, &n, what, acl, (size_t)acl_len);
	return ret ? ret : mica_ovl_lookup(ovl, dir, name, out, st);
}

void mica_change_named(struct mica_ovl *ovl, struct mica_node *dir, const char *name)
{
	struct mica_place at;

	if (ovl->upper.layer.dot_whiteouts && !mica_node_upper(ovl, dir, &at))
		mica_upper_uncover(&at, name);
}

int mica_change_name_allowed(const struct mica_ovl *ovl, const char *name)
{
	return mica_ovl_layer_reserves(&ovl->upper.layer, name) ? -EPERM : 0;
}

int mica_change_make(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		     const struct mica_make *what, struct mica_node **out, struct stat *st)
{
	int ret = mica_change_name_allowed(ovl, name);

	/* that would be a whiteout */
	if (S_ISCHR(what->mode) && what->rdev == 0)
		return -EPERM;
	if (ret)
		return ret;
	pthread_rwlock_wrlock(&ovl->tree);
	ret = dir->removed ? -ENOENT : mica_copy_up(ovl, dir, UINT64_MAX);
	if (!ret)
		ret = make_locked(ovl, dir, name, what, out, st);
	if (!ret)
		mica_change_named(ovl, dir, name);
	pthread_rwlock_unlock(&ovl->tree);
	return ret;
}

int mica_change_host_link(const struct mica_place *from, int dir, const char *path)
{
	char proc[PROC_MAX];
	int ret;

	if (from->fd >= 0) {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", from->fd);
		ret = linkat(AT_FDCWD, proc, dir, path, AT_SYMLINK_FOLLOW);
	} else {
		ret = linkat(from->base, from->path, dir, path, 0);
	}
	return ret < 0 ? -errno : 0;
}

static int link_locked(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *dir,
		       const char *name)
{
	char temp[MICA_TEMP_NAME_MAX];
	struct mica_place from;
	struct mica_spot n;
	int ret = mica_spot_find(ovl, dir, name, &n);

	if (!ret && n.type && !n.whiteout)
		ret = -EEXIST;
	if (!ret && node->metacopy)
		ret = mica_change_redirect_file(ovl, node);
	if (!ret)
		ret = mica_node_upper(ovl, node, &from);
	if (ret)
		return ret;
	if (!n.whiteout)
		return mica_change_host_link(&from, n.at.base, n.at.path);
	mica_upper_temp(&ovl->upper, temp);
	ret = mica_change_host_link(&from, ovl->upper.work, temp);
	if (ret)
		return ret;
	ret = mica_upper_place(&ovl->upper, temp, &n.at, 0);
	if (ret)
		mica_upper_discard(&ovl->upper, temp);
	return ret;
}

int mica_change_link(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *dir,
		     const char *name, struct stat *st)
{
	int ret = mica_change_name_allowed(ovl, name);

	if (ret)
		return ret;
	pthread_rwlock_wrlock(&ovl->tree);
	ret = dir->removed ? -ENOENT : mica_copy_up_meta(ovl, node);
	if (!ret)
		ret = mica_copy_up(ovl, dir, UINT64_MAX);
	if (!ret)
		ret = link_locked(ovl, node, dir, name);
	if (!ret)
		mica_change_named(ovl, dir, name);
	/* often the older name is removed next */
	if (!ret)
		ret = mica_node_rename(ovl, node, dir, name);
	/* it may have begun without a name */
	if (!ret)
		node->removed = false;
	if (!ret)
		ret = mica_ovl_stat(ovl, node, st);
	pthread_rwlock_unlock(&ovl->tree);
	return ret;
}
