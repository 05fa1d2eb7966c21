/* SPDX-License-Identifier: MIT */
/*
 * The directory source: walks depth first in order of bytes, never follows a
 * symlink, and delivers what a tar of the directory would, sockets besides.
 */
#include "source_dir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "../lib/util.h"
#include "quote.h"

#define DIR_BUF ((size_t)1 << 20)
/* Directories that stay open at once; those further up are opened again by "..". */
#define DIR_OPEN_MAX 64

#define DIR_FLAGS  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* A directory on the way from the root to where the walk stands. */
struct dir_frame {
	int fd; /* -1: closed for now */
	dev_t dev;
	ino_t ino;
	struct mica_dir_names names;
	size_t next;	 /* name that comes next */
	size_t path_len; /* of its path */
};

struct mica_source_dir {
	struct mica_source base;
	struct dir_frame *frames;
	size_t depth, cap;
	char *path; /* of the current entry */
	size_t path_cap;
	struct mica_dir_links links;
	bool started;
	/* the file whose data is read */
	int fd;
	struct stat st;
	struct mica_runs runs;
	struct mica_run whole;
	const struct mica_run *run;
	size_t runs_left;
	uint64_t run_done;
	unsigned char *buf;
	char *xattr_buf;
	uint64_t done;
};

/* path = its first len bytes, '/', name */
static int path_set(struct mica_source_dir *d, size_t len, const char *name, struct mica_err *err)
{
	size_t need = len + strlen(name) + 2;

	if (need > d->path_cap) {
		size_t cap = need * 2;
		char *grown = realloc(d->path, cap);

		if (!grown)
			return mica_err_nomem(err);
		d->path = grown;
		d->path_cap = cap;
	}
	if (len)
		d->path[len++] = '/';
	strcpy(d->path + len, name);
	return 0;
}

static int frame_push(struct mica_source_dir *d, int *fd, const struct stat *st,
		      struct mica_err *err)
{
	struct dir_frame *f;

	if (d->depth == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 32;
		struct dir_frame *grown = realloc(d->frames, cap * sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		d->frames = grown;
		d->cap = cap;
	}
	f = &d->frames[d->depth];
	*f = (struct dir_frame){.dev = st->st_dev, .ino = st->st_ino, .path_len = strlen(d->path)};
	f->fd = mica_steal_fd(fd);
	d->depth++;
	if (d->depth > DIR_OPEN_MAX) {
		struct dir_frame *far = &d->frames[d->depth - DIR_OPEN_MAX - 1];

		if (far->fd >= 0)
			close(far->fd);
		far->fd = -1;
	}
	return mica_dir_names_read(&f->names, f->fd, err);
}

/* Leave the innermost directory; the one around it may have to be opened again. */
static int frame_pop(struct mica_source_dir *d, struct mica_err *err)
{
	struct dir_frame *f = &d->frames[d->depth - 1];
	struct dir_frame *up = d->depth > 1 ? f - 1 : NULL;
	struct stat st;
	int ret = 0;

	if (up && up->fd < 0) {
		up->fd = openat(f->fd, "..", DIR_FLAGS);
		if (up->fd < 0 || fstat(up->fd, &st) < 0)
			ret = mica_err_sys(err, errno, "go back up");
		else if (st.st_dev != up->dev || st.st_ino != up->ino)
			ret = mica_err_set(err, MICA_E_INPUT, "moved while it was read");
	}
	close(f->fd);
	mica_dir_names_free(&f->names);
	d->depth--;
	return ret;
}

static int entry_open(int dir_fd, const char *name, struct stat *st, int *fd, struct mica_err *err)
{
	mode_t type = st->st_mode & S_IFMT;

	*fd = openat(dir_fd, name, type == S_IFDIR ? DIR_FLAGS : FILE_FLAGS);
	if (*fd < 0)
		return mica_err_sys(err, errno, "open");
	if (fstat(*fd, st) < 0)
		return mica_err_sys(err, errno, "stat");
	if ((st->st_mode & S_IFMT) != type)
		return mica_err_set(err, MICA_E_INPUT, "was replaced while it was read");
	if (type == S_IFREG)
		posix_fadvise(*fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

static int entry_symlink(struct mica_source_dir *d, int dir_fd, const char *name,
			 const struct stat *st, struct mica_err *err)
{
	size_t size = (size_t)st->st_size + 1;

	/* some file systems do not know the length beforehand, and it may have changed */
	for (;;) {
		char *target = mica_pool_alloc(&d->base.pool, size + 1);
		ssize_t len = target ? readlinkat(dir_fd, name, target, size) : 0;

		if (!target)
			return mica_err_nomem(err);
		if (len < 0)
			return mica_err_sys(err, errno, "read the symlink");
		if ((size_t)len < size) {
			target[len] = '\0';
			d->base.entry.symlink = target;
			return 0;
		}
		size *= 2;
	}
}

static int entry_regular(struct mica_source_dir *d, int *fd, const struct stat *st,
			 struct mica_err *err)
{
	bool sparse;
	int ret;

	d->base.entry.size = (uint64_t)st->st_size;
	d->runs.count = 0;
	d->runs.end = d->runs.total = 0;
	ret = mica_dir_runs(&d->runs, *fd, st, &sparse, err);
	if (!ret && sparse)
		ret = mica_runs_declare(&d->runs, &d->base, err);
	if (ret)
		return ret;
	d->whole = (struct mica_run){.off = 0, .len = (uint64_t)st->st_size};
	d->run = sparse ? d->runs.v : &d->whole;
	d->runs_left = sparse ? d->runs.count : 1;
	d->run_done = 0;
	d->st = *st;
	d->fd = mica_steal_fd(fd);
	return 0;
}

/* 1, or 2 when it does not belong into the image */
static int entry_device(struct mica_source_dir *d, const struct stat *st)
{
	unsigned maj = major(st->st_rdev), min = minor(st->st_rdev);

	if (maj >= 1u << 12 || min >= 1u << 20) {
		mica_report_warn(d->base.report, "%s: left out: device %u:%u exceeds %u:%u",
				 mica_quote(d->path).text, maj, min, (1u << 12) - 1,
				 (1u << 20) - 1);
		return 2;
	}
	d->base.entry.rdev = (min & 0xff) | maj << 8 | (min & ~0xffu) << 12;
	return 1;
}

static int entry_attributes(struct mica_source_dir *d, const struct stat *st, struct mica_err *err)
{
	struct mica_entry *entry = &d->base.entry;

	entry->path = mica_pool_copy(&d->base.pool, d->path, strlen(d->path));
	entry->mode = (uint16_t)st->st_mode;
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->mtime = st->st_mtim.tv_sec;
	entry->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
	entry->single = st->st_nlink == 1;
	return entry->path ? 0 : mica_err_nomem(err);
}

/*
 * Another name of a file that came before: 1; else 0. Devices and FIFOs stand
 * for themselves under each name, as in GNU tar's archives.
 */
static int entry_hardlink(struct mica_source_dir *d, const struct stat *st, struct mica_err *err)
{
	const char *first;
	int ret;

	if (st->st_nlink < 2 ||
	    !(S_ISREG(st->st_mode) || S_ISLNK(st->st_mode) || S_ISSOCK(st->st_mode)))
		return 0;
	ret = mica_dir_links_meet(&d->links, st, d->path, &first, err);
	if (ret || !first)
		return ret;
	d->base.entry.hardlink = mica_pool_copy(&d->base.pool, first, strlen(first));
	return d->base.entry.hardlink ? 1 : mica_err_nomem(err);
}

/* The image itself, as it is being written or as it was before. */
static bool entry_is_own(const struct mica_source_dir *d, const struct stat *st)
{
	const struct mica_source_own *own = &d->base.own;

	if (!S_ISREG(st->st_mode))
		return false;
	if (st->st_dev == own->temp_dev && st->st_ino == own->temp_ino)
		return true;
	if (!own->has_named || st->st_dev != own->named_dev || st->st_ino != own->named_ino)
		return false;
	mica_report_warn(d->base.report, "%s: left out: it is the image that is made",
			 mica_quote(d->path).text);
	return true;
}

/* The entry of name in dir_fd, whose path is set: 1, 2 as above. */
static int entry_build(struct mica_source_dir *d, int dir_fd, const char *name,
		       struct mica_err *err)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int ret;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return mica_err_sys(err, errno, "stat");
	if (entry_is_own(d, &st))
		return 2;
	ret = entry_hardlink(d, &st, err);
	if (ret < 0)
		return ret;
	if (ret > 0)
		return entry_attributes(d, &st, err) ? MICA_E_NOMEM : 1;
	if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))
		ret = entry_open(dir_fd, name, &st, &fd, err);
	if (!ret)
		ret = entry_attributes(d, &st, err);
	if (!ret)
		ret = mica_dir_xattrs(&d->base, d->xattr_buf, fd, dir_fd, name, err);
	if (ret)
		return ret;
	switch (st.st_mode & S_IFMT) {
	case S_IFDIR:
		ret = frame_push(d, &fd, &st, err);
		return ret ? ret : 1;
	case S_IFREG:
		ret = entry_regular(d, &fd, &st, err);
		return ret ? ret : 1;
	case S_IFLNK:
		ret = entry_symlink(d, dir_fd, name, &st, err);
		return ret ? ret : 1;
	case S_IFCHR:
	case S_IFBLK:
		return entry_device(d, &st);
	default:
		return 1;
	}
}

static int dir_step(struct mica_source_dir *d, struct mica_err *err)
{
	struct dir_frame *f;
	const char *name;
	int ret;

	if (!d->started) {
		d->started = true;
		ret = path_set(d, 0, "", err);
		return ret ? ret : entry_build(d, d->base.fd, ".", err);
	}
	while (d->depth) {
		f = &d->frames[d->depth - 1];
		d->path[f->path_len] = '\0';
		if (f->next == f->names.count) {
			ret = frame_pop(d, err);
			if (ret)
				return ret;
			continue;
		}
		name = f->names.v[f->next++];
		ret = path_set(d, f->path_len, name, err);
		if (!ret)
			ret = entry_build(d, f->fd, name, err);
		if (ret != 2)
			return ret;
	}
	return 0;
}

static int dir_next(struct mica_source *src, struct mica_err *err)
{
	struct mica_source_dir *d = (struct mica_source_dir *)src;
	int ret;

	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->runs_left = 0;
	ret = dir_step(d, err);
	return ret < 0 ? mica_err_wrap(err, "'%s'", mica_quote(d->path ? d->path : "").text) : ret;
}

/* All was read: it must still be the file that next() described. */
static int file_check(struct mica_source_dir *d, struct mica_err *err)
{
	struct stat st;

	if (d->fd < 0)
		return 0;
	if (fstat(d->fd, &st) < 0)
		return mica_err_sys(err, errno, "stat");
	if (st.st_size != d->st.st_size)
		return mica_err_set(err, MICA_E_INPUT,
				    "changed while it was read: it had %" PRIi64
				    " bytes and has %" PRIi64,
				    (int64_t)d->st.st_size, (int64_t)st.st_size);
	/* of the same size, but maybe half of one state and half of another */
	if (st.st_mtim.tv_sec != d->st.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != d->st.st_mtim.tv_nsec)
		return mica_err_set(err, MICA_E_INPUT,
				    "changed while it was read: it was written to");
	return 0;
}

static int dir_read(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		    struct mica_err *err)
{
	struct mica_source_dir *d = (struct mica_source_dir *)src;
	ssize_t n;

	while (d->runs_left && d->run_done == d->run->len) {
		d->run++;
		d->runs_left--;
		d->run_done = 0;
	}
	if (!d->runs_left)
		return file_check(d, err);
	*off = d->run->off + d->run_done;
	do
		n = pread(d->fd, d->buf, mica_min(DIR_BUF, d->run->len - d->run_done), (off_t)*off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return mica_err_sys(err, errno, "read at %" PRIu64, *off);
	if (!n)
		return mica_err_set(err, MICA_E_INPUT,
				    "changed while it was read: it had %" PRIi64
				    " bytes and ends at %" PRIu64,
				    (int64_t)d->st.st_size, *off);
	d->run_done += (uint64_t)n;
	d->done += (uint64_t)n;
	*buf = d->buf;
	*len = (size_t)n;
	return 1;
}

static void dir_progress(struct mica_source *src, uint64_t *done, uint64_t *total)
{
	*done = ((struct mica_source_dir *)src)->done;
	*total = 0;
}

static void dir_free(struct mica_source *src)
{
	struct mica_source_dir *d = (struct mica_source_dir *)src;

	for (size_t i = 0; i < d->depth; i++) {
		if (d->frames[i].fd >= 0)
			close(d->frames[i].fd);
		mica_dir_names_free(&d->frames[i].names);
	}
	free(d->frames);
	free(d->path);
	mica_dir_links_free(&d->links);
	if (d->fd >= 0)
		close(d->fd);
	mica_runs_free(&d->runs);
	free(d->buf);
	free(d->xattr_buf);
}

static const struct mica_source_ops dir_ops = {
	.next = dir_next,
	.read = dir_read,
	.progress = dir_progress,
	.free = dir_free,
};

int mica_source_dir_new(int fd, struct mica_source **out, struct mica_err *err)
{
	struct mica_source_dir *d = calloc(1, sizeof(*d));

	(void)fd;
	if (!d)
		return mica_err_nomem(err);
	d->base.ops = &dir_ops;
	d->base.fd = -1;
	d->fd = -1;
	d->buf = malloc(DIR_BUF);
	d->xattr_buf = malloc(MICA_DIR_XATTR_BUF);
	if (!d->buf || !d->xattr_buf) {
		mica_source_free(&d->base);
		return mica_err_nomem(err);
	}
	*out = &d->base;
	return 0;
}
