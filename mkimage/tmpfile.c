/* SPDX-License-Identifier: MIT */
#include "tmpfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "../lib/util.h"

#define FD_PATH	 "/proc/self/fd/%d"
#define NAME	 ".mica-%016" PRIx64 ".tmp"
#define NAME_LEN 26

/* The directory part of path, "." when it has none; short enough for a name in it. */
static int dir_of(const char *path, char dir[PATH_MAX], struct mica_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 1;

	if (!len)
		len = 1; /* "/name" */
	if (len + 1 + NAME_LEN >= PATH_MAX)
		return mica_err_sys(err, ENAMETOOLONG, "%s", path);
	memcpy(dir, slash ? path : ".", len);
	dir[len] = 0;
	return 0;
}

/*
 * A name that nobody else has: a signal handler may unlink it before it is
 * known whether the file is there.
 */
static int tmp_name(struct mica_tmpfile *t, const char *target, struct mica_err *err)
{
	char dir[PATH_MAX];
	uint64_t random;
	int ret = dir_of(target, dir, err);

	if (ret)
		return ret;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return mica_err_sys(err, errno, "%s: a name for a temporary file", target);
	if (snprintf(t->name, sizeof(t->name), "%s/" NAME, dir, random) >= (int)sizeof(t->name))
		return mica_err_sys(err, ENAMETOOLONG, "%s", target);
	atomic_store(&t->named, true);
	return 0;
}

void mica_tmpfile_unname(struct mica_tmpfile *t)
{
	if (atomic_exchange(&t->named, false))
		unlink(t->name);
}

/* For file systems without O_TMPFILE. */
static int tmpfile_open_named(const char *target, bool keep, struct mica_tmpfile *t,
			      struct mica_err *err)
{
	sigset_t all, old;
	int ret = tmp_name(t, target, err);

	if (ret)
		return ret;
	/* the name of one that is not kept lives too short for a handler to hear of it */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	t->fd = open(t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, keep ? 0666 : 0600);
	if (t->fd < 0)
		ret = mica_err_sys(err, errno, "%s: create a temporary file beside it", target);
	if (ret || !keep)
		mica_tmpfile_unname(t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

/* Whether a nameless file can be named later: that takes /proc. */
static bool tmpfile_linkable(int fd)
{
	char self[64];
	struct stat by_fd, by_path;

	snprintf(self, sizeof(self), FD_PATH, fd);
	return !fstat(fd, &by_fd) && !stat(self, &by_path) && by_fd.st_ino == by_path.st_ino &&
	       by_fd.st_dev == by_path.st_dev;
}

int mica_tmpfile_open(const char *target, bool keep, struct mica_tmpfile *out, struct mica_err *err)
{
	char dir[PATH_MAX];
	int ret;

	out->fd = -1;
	atomic_init(&out->named, false);
	out->placed = false;
	ret = dir_of(target, dir, err);
	if (ret)
		return ret;
	out->fd =
		open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC | (keep ? 0 : O_EXCL), keep ? 0666 : 0600);
	if (out->fd >= 0 && (!keep || tmpfile_linkable(out->fd)))
		return 0;
	if (out->fd >= 0)
		mica_tmpfile_close(out);
	else if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return mica_err_sys(err, errno, "%s: create a temporary file beside it", target);
	return tmpfile_open_named(target, keep, out, err);
}

int mica_tmpfile_write(struct mica_tmpfile *t, const char *shown, const void *buf, size_t len,
		       uint64_t off, struct mica_err *err)
{
	const unsigned char *p = buf;

	while (len) {
		ssize_t n = pwrite(t->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "%s: write %zu bytes at %llu", shown, len,
					    (unsigned long long)off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/*
 * Name a nameless file: the target itself where that is free, so that not even
 * SIGKILL finds a temporary name; linkat() replaces nothing, so else one to
 * rename from.
 */
static int tmpfile_link(struct mica_tmpfile *t, const char *target, struct mica_err *err)
{
	char self[64];
	int ret;

	snprintf(self, sizeof(self), FD_PATH, t->fd);
	if (!linkat(AT_FDCWD, self, AT_FDCWD, target, AT_SYMLINK_FOLLOW))
		return 0;
	if (errno == EEXIST) {
		ret = tmp_name(t, target, err);
		if (ret || !linkat(AT_FDCWD, self, AT_FDCWD, t->name, AT_SYMLINK_FOLLOW))
			return ret;
		atomic_store(&t->named, false);
	}
	return mica_err_sys(err, errno, "%s: give the finished image a name", target);
}

static int dir_sync(const struct mica_tmpfile *t, const char *target, struct mica_err *err)
{
	char dir[PATH_MAX];
	int ret = dir_of(target, dir, err);

	if (ret)
		return ret;
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* one may be allowed to write to a directory but not to read it */
	if (fd < 0 && errno == EACCES)
		ret = syncfs(t->fd);
	/* some file systems cannot sync a directory; the rename stands all the same */
	else if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
		ret = -1;
	return ret ? mica_err_sys(err, errno,
				  "%s: the image is whole and in place, but may not outlive a "
				  "power cut: sync %s",
				  target, dir)
		   : 0;
}

int mica_tmpfile_publish(struct mica_tmpfile *t, const char *target, struct mica_err *err)
{
	int ret;

	if (fsync(t->fd) < 0)
		return mica_err_sys(err, errno, "%s: sync", target);
	ret = t->named ? 0 : tmpfile_link(t, target, err);
	if (!ret && t->named) {
		if (rename(t->name, target) < 0)
			ret = mica_err_sys(err, errno, "%s: rename from %s", target, t->name);
		else
			atomic_store(&t->named, false);
	}
	t->placed = !ret;
	return ret ? ret : dir_sync(t, target, err);
}

void mica_tmpfile_close(struct mica_tmpfile *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}
