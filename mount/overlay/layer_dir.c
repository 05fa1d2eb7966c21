/* SPDX-License-Identifier: MIT */
/*
 * A plain directory as a layer. Whoever may write to it must not lead the server
 * astray, so every path is opened below the layer's root, without symlinks, and what
 * follows goes by the descriptor.
 */
#include "layer_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROC_FD_MAX 32

int mica_in_dir_open_as(const struct mica_place *at, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	char proc[PROC_FD_MAX];
	long fd;

	if (at->fd >= 0) {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", at->fd);
		fd = flags & O_PATH ? fcntl(at->fd, F_DUPFD_CLOEXEC, 0)
				    : open(proc, flags | O_CLOEXEC);
	} else {
		fd = syscall(SYS_openat2, at->base, at->path, &how, sizeof(how));
	}
	return fd < 0 ? -errno : (int)fd;
}

/* A symlink on the way is a directory that was replaced: not there any more. */
int mica_in_dir_open_path(const struct mica_place *at)
{
	int fd = mica_in_dir_open_as(at, O_PATH);

	return fd == -ELOOP || fd == -ENOTDIR ? -ENOENT : fd;
}

int mica_in_dir_stat(const struct mica_place *at, struct stat *st)
{
	cleanup_fd int fd = mica_in_dir_open_path(at);

	if (fd < 0)
		return fd;
	return fstatat(fd, "", st, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int mica_in_dir_lookup(const struct mica_place *dir, const char *name, struct mica_found *out)
{
	struct mica_place at = *dir;
	int ret;

	out->nid = 0;
	ret = mica_place_enter(&at, name, out);
	return ret ? ret : mica_in_dir_stat(&at, &out->st);
}

int mica_in_dir_readlink(const struct mica_place *at, char *buf, size_t cap)
{
	cleanup_fd int fd = mica_in_dir_open_path(at);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", buf, cap);
	if (n < 0)
		return -errno;
	if ((size_t)n >= cap)
		return -ENAMETOOLONG;
	buf[n] = 0;
	return 0;
}

long mica_in_dir_getxattr(const struct mica_place *at, const char *name, void *buf, size_t cap)
{
	cleanup_fd int fd = mica_in_dir_open_path(at);
	char proc[PROC_FD_MAX];
	ssize_t n;

	if (fd < 0)
		return fd;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = getxattr(proc, name, buf, cap);
	return n < 0 ? -errno : n;
}

long mica_in_dir_listxattr(const struct mica_place *at, char *buf, size_t cap)
{
	cleanup_fd int fd = mica_in_dir_open_path(at);
	char proc[PROC_FD_MAX];
	ssize_t n;

	if (fd < 0)
		return fd;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = listxattr(proc, buf, cap);
	return n < 0 ? -errno : n;
}

int mica_in_dir_list(const struct mica_place *dir, mica_place_each *each, void *ctx)
{
	int fd = mica_in_dir_open_as(dir, O_RDONLY | O_DIRECTORY), ret = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return fd;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	errno = 0;
	while (!ret && (de = readdir(d))) {
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = each(ctx, de->d_name, de->d_ino, DTTOIF(de->d_type));
		errno = 0;
	}
	if (!ret)
		ret = -errno;
	closedir(d);
	return ret;
}

int mica_in_dir_open(const struct mica_place *at, int *fd)
{
	int got = mica_in_dir_open_as(at, O_RDONLY | O_NOATIME);

	if (got == -EPERM)
		got = mica_in_dir_open_as(at, O_RDONLY);
	if (got < 0)
		return got;
	*fd = got;
	return 0;
}
