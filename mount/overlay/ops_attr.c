/* SPDX-License-Identifier: MIT */
/* Attributes, plain and extended. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../ops.h"
#include "copyup.h"
#include "files.h"
#include "layer_impl.h"
#include "lookup.h"
#include "owners.h"
#include "xattrs.h"

void mica_ovl_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = mica_ovl_begin(req, id);
	struct stat st;
	int ret;

	(void)fi;
	if (!node)
		return;
	pthread_rwlock_rdlock(&ovl->tree);
	ret = mica_ovl_stat(ovl, node, &st);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	if (!mica_ovl_failed(req, ret))
		fuse_reply_attr(req, &st, ovl->timeout);
}

static void set_time(struct timespec *out, int set, int bit, int now_bit, const struct timespec *to)
{
	*out = *to;
	if (set & now_bit)
		out->tv_nsec = UTIME_NOW;
	else if (!(set & bit))
		out->tv_nsec = UTIME_OMIT;
}

/* In this order: a change of owner or size takes bits of the mode, and moves the times. */
static int apply(const struct mica_place *at, const struct stat *attr, int set)
{
	cleanup_handle struct mica_handle h;
	struct timespec times[2];
	int ret = mica_handle_open(at, &h);

	if (ret)
		return ret;
	if (at->layer->owners)
		ret = mica_owners_change(at, attr, set);
	else if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) &&
		 fchownat(h.dir, h.name, set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1,
			  set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1, h.flags) < 0)
		return -errno;
	if (!at->layer->owners && set & FUSE_SET_ATTR_MODE)
		ret = mica_handle_chmod(&h, attr->st_mode & 07777);
	if (ret || !(set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME |
			    FUSE_SET_ATTR_MTIME_NOW)))
		return ret;
	set_time(&times[0], set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, &attr->st_atim);
	set_time(&times[1], set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, &attr->st_mtim);
	return utimensat(h.dir, h.name, times, h.flags) < 0 ? -errno : 0;
}

static int cut(struct mica_ovl *ovl, struct mica_node *node, off_t size)
{
	struct mica_file *file;
	int ret = mica_file_get(ovl, node, true, &file);

	if (ret)
		return ret;
	ret = ftruncate(file->fd, size) < 0 ? -errno : 0;
	mica_file_put(ovl, file);
	return ret;
}

/* To the owners that are stored. */
static int owners_store(const struct mica_ovl *ovl, struct stat *attr, int set)
{
	int ret = 0;

	if (set & FUSE_SET_ATTR_UID)
		ret = mica_ids_store(&ovl->ids->uids, geteuid(), &attr->st_uid);
	if (!ret && set & FUSE_SET_ATTR_GID)
		ret = mica_ids_store(&ovl->ids->gids, getegid(), &attr->st_gid);
	return ret;
}

/*
 * A kernel that gathers writes keeps the times of files, and sends them when one lost a name, too.
 * What changes no more of a lower file than its ctime is not worth a copy of it.
 */
static bool keeps_times(const struct mica_ovl *ovl, const struct mica_node *node,
			const struct stat *attr, int set)
{
	struct mica_place at;
	struct stat st;

	return !node->upper && !(set & ~(FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_CTIME)) &&
	       !mica_node_lower(ovl, node, 0, &at) && !mica_place_stat(&at, &st) &&
	       st.st_mtim.tv_sec == attr->st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == attr->st_mtim.tv_nsec;
}

static int setattr(struct mica_ovl *ovl, struct mica_node *node, const struct stat *attr, int set)
{
	struct mica_place at;
	bool sized = set & FUSE_SET_ATTR_SIZE;
	int ret = sized ? mica_copy_up(ovl, node, (uint64_t)attr->st_size)
			: mica_copy_up_meta(ovl, node);

	if (!ret && sized)
		ret = cut(ovl, node, attr->st_size);
	if (!ret)
		ret = mica_node_upper(ovl, node, &at);
	if (!ret && set & ~FUSE_SET_ATTR_SIZE)
		ret = apply(&at, attr, set);
	return ret;
}

void mica_ovl_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int set,
		      struct fuse_file_info *fi)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = mica_ovl_begin(req, id);
	struct stat st;
	int ret;

	(void)fi;
	if (!node)
		return;
	pthread_rwlock_rdlock(&ovl->tree);
	ret = owners_store(ovl, attr, set);
	if (!ret && !keeps_times(ovl, node, attr, set))
		ret = setattr(ovl, node, attr, set);
	if (!ret)
		ret = mica_ovl_stat(ovl, node, &st);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	if (!mica_ovl_failed(req, ret))
		fuse_reply_attr(req, &st, ovl->timeout);
}

/* Answers with a value or list of n bytes in buf, or the length when nothing else was asked. */
static void reply_bytes(fuse_req_t req, const char *buf, size_t size, long n)
{
	if (mica_ovl_failed(req, (int)n))
		return;
	if (size)
		fuse_reply_buf(req, buf, (size_t)n);
	else
		fuse_reply_xattr(req, (size_t)n);
}

/* ENOSYS once, and the kernel knows that there are none. */
static struct mica_node *xattrs_begin(fuse_req_t req, fuse_ino_t id)
{
	if (!(mica_ovl_of(req)->flags & MICA_OVL_NOXATTRS))
		return mica_ovl_begin(req, id);
	fuse_reply_err(req, ENOSYS);
	return NULL;
}

static int name_store(const struct mica_ovl *ovl, const char *name,
		      char stored[MICA_XATTR_NAME_MAX])
{
	if (ovl->upper.layer.owners && mica_owners_reserved(name))
		return -EPERM;
	return mica_overlay_name_store(ovl->upper.layer.userxattr, name, stored);
}

void mica_ovl_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size)
{
	char *buf = size ? mica_session_buffer(fuse_req_userdata(req), size) : NULL;
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = xattrs_begin(req, id);
	char stored[MICA_XATTR_NAME_MAX];
	struct mica_place at;
	long n;

	if (!node)
		return;
	n = name_store(ovl, name, stored);
	if (n)
		n = -ENODATA;
	if (!n && size && !buf)
		n = -ENOMEM;
	pthread_rwlock_rdlock(&ovl->tree);
	if (!n)
		n = mica_node_place(ovl, node, &at);
	if (!n)
		n = mica_place_getxattr(&at, stored, buf, size);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	reply_bytes(req, buf, size, n == -ERANGE && !buf ? -ENODATA : n);
}

/* All stored names, however many the caller has room for: some are not shown. */
static long names_read(const struct mica_place *at, char **names)
{
	long n = mica_place_listxattr(at, NULL, 0);

	*names = n > 0 ? malloc((size_t)n) : NULL;
	if (n <= 0)
		return n == -EOPNOTSUPP ? 0 : n;
	return *names ? mica_place_listxattr(at, *names, (size_t)n) : -ENOMEM;
}

static long without_owners(char *names, long len)
{
	long used = 0, n;

	for (char *name = names; name < names + len; name += n) {
		n = (long)strlen(name) + 1;
		if (mica_owners_reserved(name))
			continue;
		memmove(names + used, name, (size_t)n);
		used += n;
	}
	return used;
}

void mica_ovl_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = xattrs_begin(req, id);
	bool trusted = fuse_req_ctx(req)->uid == 0;
	cleanup_free char *names = NULL;
	struct mica_place at;
	long n;

	if (!node)
		return;
	pthread_rwlock_rdlock(&ovl->tree);
	n = mica_node_place(ovl, node, &at);
	if (!n)
		n = names_read(&at, &names);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	if (n > 0)
		n = (long)mica_overlay_names_show(ovl->upper.layer.userxattr, trusted, names,
						  (size_t)n);
	if (n > 0 && ovl->upper.layer.owners)
		n = without_owners(names, n);
	if (size && n > (long)size)
		n = -ERANGE;
	reply_bytes(req, names ? names : "", size, n);
}

/* value NULL: take it away */
static int change_xattr(struct mica_ovl *ovl, struct mica_node *node, const char *name,
			const char *value, size_t size, int flags)
{
	cleanup_handle struct mica_handle h = {.dir = -1};
	struct mica_place at;
	int ret = mica_node_place(ovl, node, &at);

	/* what is not there is not copied up to be taken away */
	if (!ret && !value && !node->upper)
		ret = (int)mica_place_getxattr(&at, name, NULL, 0);
	if (ret < 0)
		return ret;
	ret = mica_copy_up_meta(ovl, node);
	if (!ret)
		ret = mica_node_upper(ovl, node, &at);
	if (!ret)
		ret = mica_handle_open(&at, &h);
	node->no_default_acl = false; /* maybe not any more */
	return ret ? ret : mica_handle_setxattr(&h, name, value, size, flags);
}

static void xattr_request(fuse_req_t req, fuse_ino_t id, const char *name, const char *value,
			  size_t size, int flags)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = xattrs_begin(req, id);
	char stored[MICA_XATTR_NAME_MAX];
	int ret;

	if (!node)
		return;
	ret = name_store(ovl, name, stored);
	pthread_rwlock_rdlock(&ovl->tree);
	if (!ret)
		ret = change_xattr(ovl, node, stored, value, size, flags);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	mica_ovl_answer(req, ret);
}

void mica_ovl_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value,
		       size_t size, int flags)
{
	xattr_request(req, id, name, value, size, flags);
}

void mica_ovl_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	xattr_request(req, id, name, NULL, 0, 0);
}
