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

#define PROC_FD_MAX   32
#define PROC_NAME_MAX (PROC_FD_MAX + NAME_MAX + 1)

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

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

/* A name in a directory that is open already: no path on which to be led astray. */
static bool single(const struct mica_place *at)
{
	return !strncmp(at->path, "./", 2) && at->path[2] && !strchr(at->path + 2, '/') &&
	       strcmp(at->path + 2, "..") != 0;
}

int mica_handle_open(const struct mica_place *at, struct mica_handle *h)
{
	*h = (struct mica_handle){.dir = at->fd, .name = "", .flags = AT_EMPTY_PATH};
	if (at->fd >= 0)
		return 0;
	h->dir = at->base;
	if (!strcmp(at->path, "."))
		return 0;
	if (single(at)) {
		h->name = at->path + 2;
		h->flags = AT_SYMLINK_NOFOLLOW;
		return 0;
	}
	h->dir = mica_in_dir_open_path(at);
	h->owned = h->dir >= 0;
	return h->owned ? 0 : h->dir;
}

void mica_handle_close(struct mica_handle *h)
{
	if (h->owned)
		close(h->dir);
	h->owned = false;
}

/* For calls without a descriptor for the directory. */
static void proc_path(const struct mica_handle *h, char proc[PROC_NAME_MAX])
{
	snprintf(proc, PROC_NAME_MAX, "/proc/self/fd/%d%s%s", h->dir, *h->name ? "/" : "", h->name);
}

long mica_handle_getxattr(const struct mica_handle *h, const char *name, void *buf, size_t cap)
{
	char proc[PROC_NAME_MAX];
	ssize_t n;

	proc_path(h, proc);
	/* without a name the last part is the link in /proc, which is to be followed */
	n = *h->name ? lgetxattr(proc, name, buf, cap) : getxattr(proc, name, buf, cap);
	return n < 0 ? -errno : n;
}

int mica_handle_setxattr(const struct mica_handle *h, const char *name, const void *value,
			 size_t len, int flags)
{
	char proc[PROC_NAME_MAX];
	int ret;

	proc_path(h, proc);
	if (!value)
		ret = *h->name ? lremovexattr(proc, name) : removexattr(proc, name);
	else if (*h->name)
		ret = lsetxattr(proc, name, value, len, flags);
	else
		ret = setxattr(proc, name, value, len, flags);
	return ret < 0 ? -errno : 0;
}

/* Since Linux 6.6 a name can be kept from being followed in this call, too. */
static int chmod_name(const struct mica_handle *h, mode_t mode)
{
	char proc[PROC_FD_MAX];
	cleanup_fd int fd = -1;

	if (!syscall(SYS_fchmodat2, h->dir, h->name, mode, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (errno != ENOSYS)
		return -errno;
	fd = openat(h->dir, h->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return chmod(proc, mode) < 0 ? -errno : 0;
}

int mica_handle_chmod(const struct mica_handle *h, mode_t mode)
{
	char proc[PROC_NAME_MAX];

	if (*h->name)
		return chmod_name(h, mode);
	proc_path(h, proc);
	return chmod(proc, mode) < 0 ? -errno : 0;
}

int mica_in_dir_stat(const struct mica_place *at, struct stat *st)
{
	cleanup_handle struct mica_handle h;
	int ret = mica_handle_open(at, &h);

	if (ret)
		return ret;
	return fstatat(h.dir, h.name, st, h.flags | AT_NO_AUTOMOUNT) < 0 ? -errno : 0;
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
	cleanup_handle struct mica_handle h;
	ssize_t n = mica_handle_open(at, &h);

	if (n)
		return (int)n;
	n = readlinkat(h.dir, h.name, buf, cap);
	if (n < 0)
		return -errno;
	if ((size_t)n >= cap)
		return -ENAMETOOLONG;
	buf[n] = 0;
	return 0;
}

long mica_in_dir_getxattr(const struct mica_place *at, const char *name, void *buf, size_t cap)
{
	cleanup_handle struct mica_handle h;
	int ret = mica_handle_open(at, &h);

	return ret ? ret : mica_handle_getxattr(&h, name, buf, cap);
}

long mica_in_dir_listxattr(const struct mica_place *at, char *buf, size_t cap)
{
	cleanup_handle struct mica_handle h;
	char proc[PROC_NAME_MAX];
	ssize_t n = mica_handle_open(at, &h);

	if (n)
		return n;
	proc_path(&h, proc);
	n = *h.name ? llistxattr(proc, buf, cap) : listxattr(proc, buf, cap);
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
