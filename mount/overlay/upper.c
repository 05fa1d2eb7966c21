/* SPDX-License-Identifier: MIT */
#include "upper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "index.h"
#include "layer_impl.h"
#include "xattrs.h"

#define WORK	 "work"
#define WHITEOUT "#whiteout"
#define PROC_MAX (PATH_MAX + 32)

#define LOCK_TRIES    40 /* for two seconds */
#define LOCK_PAUSE_NS 50000000

static int work_make(const char *path, struct mica_err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return mica_err_sys(err, errno, "%s: make the work directory", path);
	return 0;
}

static int upper_dir_open(struct mica_upper *u, const char *upper, struct mica_err *err)
{
	u->layer.name = strdup(upper);
	if (!u->layer.name)
		return mica_err_nomem(err);
	u->layer.fd = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (u->layer.fd < 0)
		return mica_err_sys(err, errno, "upper directory %s", upper);
	return 0;
}

/*
 * Held until the process ends: two that change one upper directory would destroy it. A server
 * whose mount was just ended by umount(8), which waits for nobody, may take a moment to go.
 */
static int work_lock(struct mica_upper *u, const char *work, struct mica_err *err)
{
	u->lock = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->lock < 0)
		return mica_err_sys(err, errno, "work directory %s", work);
	for (unsigned int i = 0; flock(u->lock, LOCK_EX | LOCK_NB) < 0 && i < LOCK_TRIES; i++)
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
	if (flock(u->lock, LOCK_EX | LOCK_NB) < 0)
		return mica_err_set(err, MICA_E_USAGE,
				    "work directory %s is in use by another mount", work);
	if (mkdirat(u->lock, WORK, 0700) < 0 && errno != EEXIST)
		return mica_err_sys(err, errno, "%s/" WORK, work);
	u->work = openat(u->lock, WORK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u->work < 0)
		return mica_err_sys(err, errno, "%s/" WORK, work);
	return 0;
}

/* What lies in the work directory is never deep: an empty directory, or one of whiteouts. */
static int remove_tree(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), ret = 0;
	struct dirent *de;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return unlinkat(dir, name, 0) < 0 ? -errno : 0;
	}
	while (!ret && (de = readdir(d))) {
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		if (unlinkat(fd, de->d_name, 0) < 0)
			ret = errno == EISDIR || errno == EPERM ? remove_tree(fd, de->d_name)
								: -errno;
	}
	closedir(d);
	if (!ret && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		ret = -errno;
	return ret;
}

/* What a server that was killed had not finished. */
static int work_clean(struct mica_upper *u, const char *work, struct mica_err *err)
{
	int fd = dup(u->work), ret = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d)
		return mica_err_sys(err, errno, "%s/" WORK, work);
	while (!ret && (de = readdir(d)))
		if (strcmp(de->d_name, ".") && strcmp(de->d_name, ".."))
			ret = remove_tree(u->work, de->d_name);
	closedir(d);
	return ret ? mica_err_sys(err, -ret, "%s/" WORK ": remove what is left there", work) : 0;
}

static int same_file_system(const struct mica_upper *u, const char *upper, const char *work,
			    struct mica_err *err)
{
	struct stat a, b;

	if (fstat(u->layer.fd, &a) < 0 || fstat(u->work, &b) < 0)
		return mica_err_sys(err, errno, "%s", upper);
	if (a.st_dev != b.st_dev)
		return mica_err_set(err, MICA_E_USAGE,
				    "upper directory %s and work directory %s are not on one "
				    "file system",
				    upper, work);
	return 0;
}

/* trusted.* where the process may write that, as the kernel's overlayfs without userxattr. */
static void xattr_class(struct mica_upper *u)
{
	char name[MICA_XATTR_NAME_MAX];

	mica_overlay_xattr(false, "probe", name);
	if (!u->layer.userxattr && fsetxattr(u->work, name, "y", 1, 0) < 0)
		u->layer.userxattr = true;
	else
		fremovexattr(u->work, name);
}

static void tmpfile_probe(struct mica_upper *u)
{
	int fd = openat(u->work, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	u->tmpfile = fd >= 0;
	if (fd >= 0)
		close(fd);
}

int mica_upper_open(struct mica_upper *u, const char *upper, const char *work, unsigned int flags,
		    struct mica_err *err)
{
	cleanup_free char *beside = NULL;
	size_t len = strlen(upper);

	while (len > 1 && upper[len - 1] == '/')
		len--;
	if (!work && asprintf(&beside, "%.*s.work", (int)len, upper) < 0)
		return mica_err_nomem(err);
	u->layer.userxattr = flags & MICA_OVL_USERXATTR;
	if (upper_dir_open(u, upper, err) || (!work && work_make(beside, err)))
		return err->code;
	work = work ? work : beside;
	if (work_lock(u, work, err) || same_file_system(u, upper, work, err) ||
	    work_clean(u, work, err))
		return err->code;
	xattr_class(u);
	tmpfile_probe(u);
	mica_index_open(u);
	return 0;
}

void mica_upper_close(struct mica_upper *u)
{
	if (u->work >= 0) {
		unlinkat(u->work, WHITEOUT, 0);
		close(u->work);
	}
	if (u->lock >= 0)
		close(u->lock);
	if (u->index >= 0)
		close(u->index);
	u->work = u->lock = u->index = -1;
	mica_ovl_layer_clear(&u->layer);
}

void mica_upper_temp(struct mica_upper *u, char name[MICA_TEMP_NAME_MAX])
{
	snprintf(name, MICA_TEMP_NAME_MAX, "#%lx", atomic_fetch_add(&u->counter, 1));
}

void mica_upper_discard(struct mica_upper *u, const char *name)
{
	if (unlinkat(u->work, name, 0) < 0 && errno != ENOENT)
		remove_tree(u->work, name);
}

int mica_upper_mark_temp(struct mica_upper *u, const char *name, const char *key, const void *value,
			 size_t len)
{
	char full[MICA_XATTR_NAME_MAX], path[PROC_MAX];

	mica_overlay_xattr(u->layer.userxattr, key, full);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", u->work, name);
	return lsetxattr(path, full, value, len, 0) < 0 ? -errno : 0;
}

int mica_upper_mark(const struct mica_place *at, const char *key, const void *value, size_t len)
{
	cleanup_handle struct mica_handle h;
	char full[MICA_XATTR_NAME_MAX];
	int ret = mica_handle_open(at, &h);

	if (ret)
		return ret;
	mica_overlay_xattr(at->layer->userxattr, key, full);
	return mica_handle_setxattr(&h, full, value, len, 0);
}

int mica_upper_unmark(const struct mica_upper *u, int fd, const char *key)
{
	char full[MICA_XATTR_NAME_MAX];

	mica_overlay_xattr(u->layer.userxattr, key, full);
	/* to look is cheap, and mostly all */
	if (fgetxattr(fd, full, NULL, 0) < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	return fremovexattr(fd, full) < 0 ? -errno : 0;
}

/* All whiteouts are links to one device where the file system lets them. */
static int whiteout_link(struct mica_upper *u, int dir, const char *path)
{
	if (!atomic_load(&u->whiteout)) {
		if (mknodat(u->work, WHITEOUT, S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST)
			return -errno;
		atomic_store(&u->whiteout, true);
	}
	if (!linkat(u->work, WHITEOUT, dir, path, 0))
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	return mknodat(dir, path, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

int mica_upper_whiteout_temp(struct mica_upper *u, char name[MICA_TEMP_NAME_MAX])
{
	mica_upper_temp(u, name);
	return whiteout_link(u, u->work, name);
}

int mica_upper_whiteout(struct mica_upper *u, const struct mica_place *at)
{
	return whiteout_link(u, at->base, at->path);
}

void mica_upper_uncover(const struct mica_place *dir, const char *name)
{
	char mark[sizeof(MICA_DOT_WHITEOUT) + NAME_MAX];
	struct mica_found found = {.nid = 0};
	struct mica_place at = *dir;

	snprintf(mark, sizeof(mark), MICA_DOT_WHITEOUT "%s", name);
	if (!mica_place_enter(&at, mark, &found))
		unlinkat(at.base, at.path, 0);
}

int mica_upper_place(struct mica_upper *u, const char *name, const struct mica_place *at,
		     unsigned int flags)
{
	return renameat2(u->work, name, at->base, at->path, flags) < 0 ? -errno : 0;
}
