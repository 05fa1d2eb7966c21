/* SPDX-License-Identifier: MIT */
/* Extraction into a directory. */
#include "extract.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "beneath.h"

struct dir_sink {
	struct mica_image *img;
	struct mica_beneath *b;
};

static struct mica_beneath_meta meta_of(const struct mica_inode *inode,
					const struct mica_xattrlist *xattrs)
{
	return (struct mica_beneath_meta){
		.mode = inode->mode,
		.uid = inode->uid,
		.gid = inode->gid,
		.mtime = inode->mtime,
		.mtime_nsec = inode->mtime_nsec,
		.xattrs = xattrs,
	};
}

static int dir_enter(void *sink, const struct mica_walk_item *item, bool wanted,
		     struct mica_err *err)
{
	struct dir_sink *s = sink;

	(void)wanted;
	/* the root is the destination itself, which is there already */
	return item->depth ? mica_beneath_enter(s->b, item->name, err) : 0;
}

static int dir_leave(void *sink, const struct mica_walk_item *item, bool wanted,
		     struct mica_err *err)
{
	struct mica_xattrlist xattrs cleanup_xattrlist = {0};
	struct mica_beneath_meta meta = meta_of(&item->inode, &xattrs);
	struct dir_sink *s = sink;
	int ret = mica_xattrlist_load(s->img, &item->inode, &xattrs, err);

	return ret ? ret : mica_beneath_leave(s->b, !wanted, &meta, err);
}

struct file_out {
	int fd;
	uint64_t size;
};

static int file_put(void *ctx, const void *buf, uint64_t len, uint64_t off, bool hole,
		    struct mica_err *err)
{
	struct file_out *out = ctx;
	const char *p = buf;

	if (hole)
		return 0;
	while (len) {
		ssize_t n = pwrite(out->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "cannot write at offset %" PRIu64, off);
		p += n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int dir_file(struct dir_sink *s, const struct mica_walk_item *item,
		    const struct mica_beneath_meta *meta, struct mica_err *err)
{
	int fd cleanup_fd = -1;
	struct file_out out;
	int ret = mica_beneath_create(s->b, item->name, &fd, err);

	if (ret)
		return ret;
	/* the size first, so that a hole at the end needs no write */
	if (ftruncate(fd, (off_t)item->inode.size))
		return mica_err_sys(err, errno, "cannot set the size to %" PRIu64,
				    item->inode.size);
	out = (struct file_out){.fd = fd, .size = item->inode.size};
	ret = mica_extract_data(s->img, &item->inode, file_put, &out, err);
	if (!ret)
		ret = mica_beneath_finish(s->b, fd, meta, err);
	if (ret)
		return ret;
	if (close(mica_steal_fd(&fd)))
		return mica_err_sys(err, errno, "cannot close");
	return 0;
}

static int dir_entry(void *sink, const struct mica_walk_item *item, const char *link,
		     struct mica_err *err)
{
	struct mica_xattrlist xattrs cleanup_xattrlist = {0};
	char *target cleanup_free = NULL;
	const struct mica_inode *inode = &item->inode;
	struct mica_beneath_meta meta = meta_of(inode, &xattrs);
	struct dir_sink *s = sink;
	int ret;

	if (link)
		return mica_beneath_link(s->b, item->name, link, inode->mode, err);
	ret = mica_xattrlist_load(s->img, inode, &xattrs, err);
	if (ret)
		return ret;
	if (S_ISREG(inode->mode))
		return dir_file(s, item, &meta, err);
	if (!S_ISLNK(inode->mode))
		return mica_beneath_mknod(
			s->b, item->name,
			makedev(mica_rdev_major(inode->rdev), mica_rdev_minor(inode->rdev)), &meta,
			err);
	ret = mica_extract_target(s->img, inode, &target, err);
	return ret ? ret : mica_beneath_symlink(s->b, item->name, target, &meta, err);
}

/* Once for all files: what this user or this file system could not take. */
static void skipped_say(const struct mica_beneath_skipped *skipped)
{
	if (skipped->owners)
		fprintf(stderr,
			"mica extract: owners of %" PRIu64
			" inodes not restored: no permission, or no such id here\n",
			skipped->owners);
	if (skipped->setids)
		fprintf(stderr,
			"mica extract: setuid or setgid bits of %" PRIu64
			" files left off, as their owners are not restored\n",
			skipped->setids);
	if (skipped->devices)
		fprintf(stderr, "mica extract: %" PRIu64 " device nodes not made: no permission\n",
			skipped->devices);
	if (skipped->times)
		fprintf(stderr,
			"mica extract: times of %" PRIu64
			" inodes cut off: the file system cannot hold them\n",
			skipped->times);
	if (skipped->xattrs)
		fprintf(stderr,
			"mica extract: %" PRIu64 " xattrs not restored, the first of them %s: %s\n",
			skipped->xattrs, skipped->xattr_name, strerror(skipped->xattr_errno));
}

int mica_extract_dir(struct mica_extract *x, const char *dest, struct mica_err *err)
{
	static const struct mica_extract_sink ops = {
		.enter = dir_enter, .leave = dir_leave, .entry = dir_entry};
	struct mica_beneath *b cleanup_beneath = NULL;
	struct dir_sink sink = {.img = x->img};
	int ret = mica_beneath_new(dest, &b, err);

	if (ret)
		return ret;
	sink.b = b;
	ret = mica_extract_walk(x, &ops, &sink, err);
	skipped_say(mica_beneath_skipped(b));
	return ret;
}
