/* SPDX-License-Identifier: MIT */
/* What a directory source asks the file system about one file. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "../lib/util.h"
#include "source_dir.h"

#define XATTR_HALF (MICA_DIR_XATTR_BUF / 2)

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int names_add(struct mica_dir_names *names, const char *name, struct mica_err *err)
{
	size_t len = strlen(name) + 1;

	if (names->cap - names->len < len) {
		size_t cap = names->cap ? names->cap * 2 : 4096;
		char *grown = realloc(names->bytes, cap);

		if (!grown)
			return mica_err_nomem(err);
		names->bytes = grown;
		names->cap = cap;
	}
	memcpy(names->bytes + names->len, name, len);
	names->len += len;
	names->count++;
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int names_sort(struct mica_dir_names *names, struct mica_err *err)
{
	const char *p = names->bytes;

	names->v = malloc((names->count + 1) * sizeof(*names->v));
	if (!names->v)
		return mica_err_nomem(err);
	for (size_t i = 0; i < names->count; i++, p += strlen(p) + 1)
		names->v[i] = p;
	qsort(names->v, names->count, sizeof(*names->v), name_compare);
	return 0;
}

int mica_dir_names_read(struct mica_dir_names *names, int fd, struct mica_err *err)
{
	cleanup_fd int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	cleanup(dir_cleanup) DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *ent;

	if (!dir)
		return mica_err_sys(err, errno, "read the directory");
	mica_steal_fd(&copy);
	while ((errno = 0, ent = readdir(dir))) {
		int ret;

		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		ret = names_add(names, ent->d_name, err);
		if (ret)
			return ret;
	}
	if (errno)
		return mica_err_sys(err, errno, "read the directory");
	return names_sort(names, err);
}

void mica_dir_names_free(struct mica_dir_names *names)
{
	free(names->bytes);
	free(names->v);
	*names = (struct mica_dir_names){0};
}

static ssize_t xattr_list(int fd, const char *path, char *buf)
{
	return fd >= 0 ? flistxattr(fd, buf, XATTR_HALF) : llistxattr(path, buf, XATTR_HALF);
}

static ssize_t xattr_get(int fd, const char *path, const char *name, void *buf)
{
	return fd >= 0 ? fgetxattr(fd, name, buf, XATTR_HALF)
		       : lgetxattr(path, name, buf, XATTR_HALF);
}

int mica_dir_xattrs(struct mica_source *src, char *buf, int fd, int dir_fd, const char *name,
		    struct mica_err *err)
{
	char *list = buf, *value = buf + XATTR_HALF;
	char path[32 + NAME_MAX];
	ssize_t len;

	/* there is no lgetxattrat(): this is the same without following name */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
	len = xattr_list(fd, path, list);
	if (len < 0 && errno == ENOENT)
		return mica_err_sys(err, errno, "list xattrs by %s, which takes /proc", path);
	if (len < 0 && errno != ENOTSUP)
		return mica_err_sys(err, errno, "list xattrs");
	for (const char *p = list; p < list + len; p += strlen(p) + 1) {
		ssize_t got = xattr_get(fd, path, p, value);
		int ret;

		if (got < 0 && errno == ENODATA)
			continue;
		if (got < 0)
			return mica_err_sys(err, errno, "xattr %s", p);
		ret = mica_source_xattr(src, p, strlen(p), value, (size_t)got, err);
		if (ret)
			return ret;
	}
	return 0;
}

int mica_dir_runs(struct mica_runs *runs, int fd, const struct stat *st, bool *found,
		  struct mica_err *err)
{
	off_t at = 0;

	*found = false;
	/* when GNU tar looks for holes, so that both sources declare the same ones */
	if (st->st_blocks >= st->st_size / 512 + (st->st_size % 512 != 0))
		return 0;
	while (at < st->st_size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		int ret;

		if (data < 0 && errno == ENXIO)
			break;
		at = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		/* a file system without holes, or one that changes below us: read it all */
		if (at <= data)
			return 0;
		if (data >= st->st_size)
			break;
		at = at < st->st_size ? at : st->st_size;
		ret = mica_runs_add(runs, (uint64_t)data, (uint64_t)(at - data), err);
		if (ret == MICA_E_LIMIT)
			return 0;
		if (ret)
			return ret;
	}
	*found = true;
	return 0;
}
