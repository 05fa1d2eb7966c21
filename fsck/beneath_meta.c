/* SPDX-License-Identifier: MIT */
#include "beneath_meta.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ACL_ACCESS  "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

/* The magic link leads to the object that fd holds, be it a symlink itself. */
static void fd_path(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

int mica_beneath_meta_chmod(int fd, mode_t mode)
{
	char path[32];

	fd_path(fd, path);
	return chmod(path, mode);
}

static int xattr_set(int fd, bool by_path, const struct mica_xattr_value *x)
{
	char path[32];

	if (!by_path)
		return fsetxattr(fd, x->name, x->value, x->len, 0);
	fd_path(fd, path);
	return setxattr(path, x->name, x->value, x->len, 0);
}

static void xattr_remove(int fd, bool by_path, const char *name)
{
	char path[32];

	fd_path(fd, path);
	/* Mostly there is none; where it cannot be removed it could not be set either. */
	if (by_path ? removexattr(path, name) : fremovexattr(fd, name))
		errno = 0;
}

static int meta_owner(int fd, const struct mica_beneath_meta *meta,
		      struct mica_beneath_skipped *skipped, bool *restored, struct mica_err *err)
{
	/* no file can have the last id, which means "as it is" to the call */
	*restored = meta->uid != (uid_t)-1 && meta->gid != (gid_t)-1;
	if (!fchownat(fd, "", meta->uid, meta->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
		skipped->owners += !*restored;
		return 0;
	}
	/* EINVAL: the id has no mapping in this user namespace */
	if (errno != EPERM && errno != EINVAL)
		return mica_err_sys(err, errno, "cannot set the owner to %u:%u", meta->uid,
				    meta->gid);
	*restored = false;
	skipped->owners++;
	return 0;
}

/*
 * The right to set it, or a place for it, is missing. ENOSPC is what ext4 says when an inode has
 * no room for more; a file system that is full will say so of data as well.
 */
static bool xattr_is_refused(int number)
{
	return number == EPERM || number == EACCES || number == EOPNOTSUPP || number == EINVAL ||
	       number == ENOSPC || number == E2BIG || number == ERANGE;
}

static bool xattr_is_acl(const struct mica_xattr_value *x)
{
	return !strcmp(x->name, ACL_ACCESS) || !strcmp(x->name, ACL_DEFAULT);
}

static size_t xattr_size(const struct mica_xattr_value *x)
{
	return strlen(x->name) + x->len;
}

static int larger_first(const void *a, const void *b)
{
	size_t x = xattr_size(*(const struct mica_xattr_value *const *)a);
	size_t y = xattr_size(*(const struct mica_xattr_value *const *)b);

	return (x < y) - (x > y);
}

/*
 * ext4 puts an xattr into what is left of the inode if it fits there, else into a block; what
 * it has no room for in one order may have some in another. Larger ones first leaves the
 * inode to those that the block would not take. Whether all are set now.
 */
static bool xattrs_refit(int fd, bool by_path, const struct mica_xattrlist *xattrs)
{
	const struct mica_xattr_value **order = calloc(xattrs->count, sizeof(*order));
	size_t count = 0, set = 0;

	if (!order)
		return false;
	for (size_t i = 0; i < xattrs->count; i++) {
		if (xattr_is_acl(&xattrs->list[i]))
			continue;
		order[count++] = &xattrs->list[i];
		xattr_remove(fd, by_path, xattrs->list[i].name);
	}
	qsort(order, count, sizeof(*order), larger_first);
	while (set < count && !xattr_set(fd, by_path, order[set]))
		set++;
	/* as many as there were before, in the order in which they were set */
	for (size_t i = 0; set < count && i < xattrs->count; i++)
		if (!xattr_is_acl(&xattrs->list[i]))
			xattr_remove(fd, by_path, xattrs->list[i].name);
	for (size_t i = 0; set < count && i < xattrs->count; i++)
		if (!xattr_is_acl(&xattrs->list[i]) && xattr_set(fd, by_path, &xattrs->list[i]))
			errno = 0;
	free(order);
	return set == count;
}

/* ACLs come last: they change the mode, and the mode decides who may set the others. */
static int meta_xattrs(int fd, bool by_path, bool acls, const struct mica_beneath_meta *meta,
		       struct mica_beneath_skipped *skipped, struct mica_err *err)
{
	const struct mica_xattr_value *first = NULL;
	uint64_t missing = 0;
	int number = 0;

	for (size_t i = 0; i < meta->xattrs->count; i++) {
		const struct mica_xattr_value *x = &meta->xattrs->list[i];

		if (xattr_is_acl(x) != acls || !xattr_set(fd, by_path, x))
			continue;
		if (!xattr_is_refused(errno))
			return mica_err_sys(err, errno, "cannot set the xattr %s", x->name);
		if (!missing++) {
			first = x;
			number = errno;
		}
	}
	if (!missing || (number == ENOSPC && !acls && xattrs_refit(fd, by_path, meta->xattrs)))
		return 0;
	if (!skipped->xattrs) {
		snprintf(skipped->xattr_name, sizeof(skipped->xattr_name), "%s", first->name);
		skipped->xattr_errno = number;
	}
	skipped->xattrs += missing;
	return 0;
}

/* What a default ACL of the destination has put on: it is not in the image. */
static void meta_drop_acls(int fd, bool by_path, const struct mica_beneath_meta *meta)
{
	if (!mica_xattrlist_find(meta->xattrs, ACL_ACCESS))
		xattr_remove(fd, by_path, ACL_ACCESS);
	if (S_ISDIR(meta->mode) && !mica_xattrlist_find(meta->xattrs, ACL_DEFAULT))
		xattr_remove(fd, by_path, ACL_DEFAULT);
}

static int meta_mode(int fd, bool by_path, mode_t mode, struct mica_err *err)
{
	if (by_path ? mica_beneath_meta_chmod(fd, mode) : fchmod(fd, mode))
		return mica_err_sys(err, errno, "cannot set the mode to %04o", mode);
	return 0;
}

/* File systems cut off what they cannot hold without an error. */
static int meta_time(int fd, const struct mica_beneath_meta *meta,
		     struct mica_beneath_skipped *skipped, struct mica_err *err)
{
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = meta->mtime, .tv_nsec = meta->mtime_nsec},
	};
	struct stat st;

	if (utimensat(fd, "", times, AT_EMPTY_PATH))
		return mica_err_sys(err, errno, "cannot set the time");
	if (meta->mtime >= INT32_MIN && meta->mtime <= INT32_MAX)
		return 0;
	if (fstat(fd, &st))
		return mica_err_sys(err, errno, "fstat");
	skipped->times += st.st_mtim.tv_sec != meta->mtime;
	return 0;
}

/*
 * The order matters: a change of owner clears setuid bits and file
 * capabilities, and everything but utimensat() changes the times.
 */
int mica_beneath_meta_apply(int fd, bool by_path, const struct mica_beneath_meta *meta,
			    struct mica_beneath_skipped *skipped, struct mica_err *err)
{
	mode_t mode = meta->mode & 07777;
	bool owned;
	int ret = meta_owner(fd, meta, skipped, &owned, err);

	if (!ret)
		ret = meta_xattrs(fd, by_path, false, meta, skipped, err);
	if (!ret && !S_ISLNK(meta->mode)) {
		meta_drop_acls(fd, by_path, meta);
		ret = meta_xattrs(fd, by_path, true, meta, skipped, err);
	}
	if (!ret && !S_ISLNK(meta->mode)) {
		if (!owned && (mode & (S_ISUID | S_ISGID)) && !S_ISDIR(meta->mode)) {
			mode &= ~(mode_t)(S_ISUID | S_ISGID);
			skipped->setids++;
		}
		ret = meta_mode(fd, by_path, mode, err);
	}
	return ret ? ret : meta_time(fd, meta, skipped, err);
}
