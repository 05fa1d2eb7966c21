/* SPDX-License-Identifier: MIT */
/*
 * The source that is an EROFS image: delivers what a directory source would of
 * the mounted image.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../formats/tar.h"
#include "../lib/image.h"
#include "../lib/util.h"
#include "../lib/walk.h"
#include "dir_links.h"
#include "quote.h"
#include "source_impl.h"

#define READ_BUF ((size_t)1 << 20)
/* Longer targets are left out by whoever takes the entry, which needs a length to name. */
#define SYMLINK_READ ((uint64_t)1 << 16)

struct mica_source_image {
	struct mica_source base;
	struct mica_image *img;
	struct mica_walk *walk;
	struct mica_dir_links links;
	struct mica_inode inode; /* of the current entry */
	/* data of the current file that was not read yet */
	struct mica_runs runs;
	struct mica_run whole;
	const struct mica_run *run;
	size_t runs_left;
	uint64_t run_done;
	unsigned char *buf;
	uint64_t done;
};

static int entry_symlink(struct mica_source_image *s, struct mica_err *err)
{
	uint64_t len = mica_min(s->inode.size, SYMLINK_READ);
	char *target = mica_pool_alloc(&s->base.pool, len + 1);
	long n;

	if (!target)
		return mica_err_nomem(err);
	n = len ? mica_image_read(s->img, &s->inode, target, len, 0, err) : 0;
	if (n < 0)
		return (int)n;
	if (memchr(target, '\0', (size_t)n))
		return mica_err_set(err, MICA_E_CORRUPT, "its target contains a NUL byte");
	target[n] = '\0';
	s->base.entry.symlink = target;
	return 0;
}

/* The data runs; *sparse: there are holes, and few enough runs that they can be told. */
static int file_runs(struct mica_source_image *s, bool *sparse, struct mica_err *err)
{
	uint64_t size = s->inode.size, data = 0, hole = 0;
	int ret = 0;

	s->runs.count = 0;
	s->runs.end = s->runs.total = 0;
	while (!ret && hole < size) {
		ret = mica_image_seek(s->img, &s->inode, hole, false, &data, err);
		if (!ret)
			ret = mica_image_seek(s->img, &s->inode, data, true, &hole, err);
		if (!ret)
			ret = mica_runs_add(&s->runs, data, hole - data, err);
	}
	*sparse = !ret && s->runs.total < size;
	if (ret != MICA_E_LIMIT)
		return ret;
	*err = (struct mica_err){0};
	return 0;
}

static int entry_regular(struct mica_source_image *s, struct mica_err *err)
{
	bool sparse;
	int ret;

	s->base.entry.size = s->inode.size;
	s->base.entry.stored = &s->inode;
	ret = file_runs(s, &sparse, err);
	if (!ret && sparse)
		ret = mica_runs_declare(&s->runs, &s->base, err);
	if (ret)
		return ret;
	s->whole = (struct mica_run){.off = 0, .len = s->inode.size};
	s->run = sparse ? s->runs.v : &s->whole;
	s->runs_left = sparse ? s->runs.count : 1;
	s->run_done = 0;
	return 0;
}

static int entry_xattrs(struct mica_source_image *s, struct mica_err *err)
{
	struct mica_xattr_iter *it cleanup_xattr_iter = NULL;
	struct mica_xattr x;
	int ret = mica_xattr_iter_new(s->img, &s->inode, &it, err);

	while (!ret) {
		ret = mica_xattr_iter_next(it, &x, err);
		if (ret <= 0)
			return ret;
		ret = mica_source_xattr(&s->base, x.name, strlen(x.name), x.value, x.value_len,
					err);
	}
	return ret;
}

/*
 * Another name of an inode that came before: 1; else 0. Overlayfs gives one
 * device many names, each of which is a whiteout for itself.
 */
static int entry_hardlink(struct mica_source_image *s, const char *path, struct mica_err *err)
{
	const struct mica_inode *i = &s->inode;
	struct stat st = {.st_ino = i->nid, .st_nlink = i->nlink};
	const char *first;
	int ret;

	if (i->nlink < 2 || S_ISDIR(i->mode) || (S_ISCHR(i->mode) && !i->rdev))
		return 0;
	ret = mica_dir_links_meet(&s->links, &st, path, &first, err);
	if (ret || !first)
		return ret;
	s->base.entry.hardlink = mica_pool_copy(&s->base.pool, first, strlen(first));
	return s->base.entry.hardlink ? 1 : mica_err_nomem(err);
}

static int entry_fill(struct mica_source_image *s, const char *path, struct mica_err *err)
{
	const struct mica_inode *i = &s->inode;
	struct mica_entry *e = &s->base.entry;
	int ret;

	e->path = mica_pool_copy(&s->base.pool, path, strlen(path));
	if (!e->path)
		return mica_err_nomem(err);
	e->mode = i->mode;
	e->uid = i->uid;
	e->gid = i->gid;
	e->mtime = i->mtime;
	e->mtime_nsec = i->mtime_nsec;
	e->single = i->nlink == 1;
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		e->rdev = i->rdev;
	ret = entry_hardlink(s, path, err);
	if (ret)
		return ret < 0 ? ret : 0;
	ret = entry_xattrs(s, err);
	if (!ret && S_ISLNK(i->mode))
		ret = entry_symlink(s, err);
	if (!ret && S_ISREG(i->mode))
		ret = entry_regular(s, err);
	return ret;
}

/* The walk names paths as they are in the image: they must not speak to the terminal. */
static int walk_failed(struct mica_err *err)
{
	for (char *p = err->msg; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return err->code;
}

static int image_next(struct mica_source *src, struct mica_err *err)
{
	struct mica_source_image *s = (struct mica_source_image *)src;
	struct mica_walk_item item;
	int ret;

	s->runs_left = 0;
	do {
		ret = mica_walk_next(s->walk, &item, err);
		if (ret <= 0)
			return ret < 0 ? walk_failed(err) : 0;
	} while (item.event == MICA_WALK_LEAVE);
	s->inode = item.inode;
	ret = entry_fill(s, item.path, err);
	return ret ? mica_err_wrap(err, "'%s'", mica_quote(item.path).text) : 1;
}

static int image_read(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		      struct mica_err *err)
{
	struct mica_source_image *s = (struct mica_source_image *)src;
	long n;

	while (s->runs_left && s->run_done == s->run->len) {
		s->run++;
		s->runs_left--;
		s->run_done = 0;
	}
	if (!s->runs_left)
		return 0;
	*off = s->run->off + s->run_done;
	n = mica_image_read(s->img, &s->inode, s->buf,
			    mica_min(READ_BUF, s->run->len - s->run_done), *off, err);
	if (n < 0)
		return (int)n;
	s->run_done += (uint64_t)n;
	s->done += (uint64_t)n;
	*buf = s->buf;
	*len = (size_t)n;
	return 1;
}

static void image_progress(struct mica_source *src, uint64_t *done, uint64_t *total)
{
	*done = ((struct mica_source_image *)src)->done;
	*total = 0;
}

static void image_free(struct mica_source *src)
{
	struct mica_source_image *s = (struct mica_source_image *)src;

	mica_walk_free(s->walk);
	mica_image_free(s->img);
	mica_dir_links_free(&s->links);
	mica_runs_free(&s->runs);
	free(s->buf);
}

static struct mica_image *image_of(const struct mica_source *src)
{
	return ((const struct mica_source_image *)src)->img;
}

static const struct mica_source_ops image_ops = {
	.next = image_next,
	.read = image_read,
	.progress = image_progress,
	.free = image_free,
	.image = image_of,
};

bool mica_source_is_image(int fd)
{
	unsigned char head[EROFS_SUPER_OFFSET + sizeof(le32)];
	struct mica_tar_header tar;
	le32 magic;

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return false;
	memcpy(&tar, head, sizeof(tar));
	memcpy(&magic, head + EROFS_SUPER_OFFSET, sizeof(magic));
	/* what has a tar's magic is one, whatever its members hold */
	return le32_get(magic) == EROFS_MAGIC && memcmp(tar.magic, "ustar", 5) != 0;
}

int mica_source_image_new(const char *path, struct mica_source **out, struct mica_err *err)
{
	struct mica_source_image *s = calloc(1, sizeof(*s));
	struct mica_io *io cleanup_io = NULL;
	int ret;

	if (!s)
		return mica_err_nomem(err);
	s->base.ops = &image_ops;
	s->base.fd = -1;
	s->buf = malloc(READ_BUF);
	ret = s->buf ? mica_io_open_file(path, 0, &io, err) : mica_err_nomem(err);
	if (!ret)
		ret = mica_image_open(io, NULL, &s->img, err);
	if (!ret) {
		mica_steal_pointer(&io);
		ret = mica_walk_new(s->img, "", &s->walk, err);
	}
	if (ret) {
		mica_source_free(&s->base);
		return ret;
	}
	*out = &s->base;
	return 0;
}
