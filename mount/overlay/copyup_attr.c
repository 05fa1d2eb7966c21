/* SPDX-License-Identifier: MIT */
/* What belongs to an object beside its data: owner, mode, xattrs, times. */
#include "copyup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "owners.h"
#include "xattrs.h"

#define PROC_MAX 32

/* Access control and capabilities must not get lost; what the file system cannot hold, may. */
static bool may_be_lost(const char *name, int error)
{
	if (error == EOPNOTSUPP)
		return strncmp(name, "system.posix_acl_", 17) != 0;
	return error == EPERM &&
	       (!strncmp(name, "trusted.", 8) ||
		(!strncmp(name, "security.", 9) && strcmp(name, "security.capability")));
}

static int copy_xattr(const struct mica_place *from, const char *proc, const char *name)
{
	cleanup_free char *value = NULL;
	long n = mica_place_getxattr(from, name, NULL, 0);

	if (n >= 0) {
		value = malloc((size_t)n + 1);
		if (!value)
			return -ENOMEM;
	}
	if (n > 0)
		n = mica_place_getxattr(from, name, value, (size_t)n);
	if (n < 0)
		return n == -ENODATA ? 0 : (int)n;
	if (setxattr(proc, name, value, (size_t)n, 0) < 0 && !may_be_lost(name, errno))
		return -errno;
	return 0;
}

static int copy_xattrs(const struct mica_place *from, const char *proc, bool owners)
{
	char shown[MICA_XATTR_NAME_MAX];
	cleanup_free char *names = NULL;
	long n = mica_place_listxattr(from, NULL, 0);
	int ret = 0;

	if (n <= 0)
		return n == -EOPNOTSUPP ? 0 : (int)n;
	names = malloc((size_t)n);
	if (!names)
		return -ENOMEM;
	n = mica_place_listxattr(from, names, (size_t)n);
	for (char *name = names; !ret && name < names + n; name += strlen(name) + 1)
		/* overlayfs' own are about the lower place; escaped ones are a user's */
		if (mica_overlay_name_show(false, name, shown) &&
		    mica_overlay_name_show(true, name, shown) &&
		    !(owners && mica_owners_reserved(name)))
			ret = copy_xattr(from, proc, name);
	return n < 0 ? (int)n : ret;
}

static int owner_set(int to, const char *proc, const struct stat *st)
{
	if (fchownat(to, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	/* a symlink has no mode of its own */
	return !S_ISLNK(st->st_mode) && chmod(proc, st->st_mode & 07777) < 0 ? -errno : 0;
}

static int owner_keep(const char *proc, const struct stat *st, const char *owners)
{
	if (!S_ISLNK(st->st_mode) && chmod(proc, mica_owners_mode(st->st_mode)) < 0)
		return -errno;
	return mica_owners_store(owners, proc, st);
}

int mica_copy_attrs(const struct mica_place *from, const struct stat *st, int to,
		    const char *owners)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	char proc[PROC_MAX];
	int ret;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", to);
	ret = owners ? owner_keep(proc, st, owners) : owner_set(to, proc, st);
	if (!ret)
		ret = copy_xattrs(from, proc, owners);
	if (!ret && utimensat(to, "", times, AT_EMPTY_PATH) < 0)
		ret = -errno;
	return ret;
}
