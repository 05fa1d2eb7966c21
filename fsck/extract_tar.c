/* SPDX-License-Identifier: MIT */
/* Extraction as a pax tar stream. */
#include "extract.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/acl.h"
#include "show.h"
#include "xattrlist.h"

#define ZEROS_BYTES (1u << 20)

struct tar_sink {
	struct mica_image *img;
	struct archive *a;
	unsigned char *zeros;
	int fd;
	bool broken; /* nothing more is written, so that no end mark makes it look whole */
};

static void cleanup_entry_fn(struct archive_entry **e)
{
	archive_entry_free(*e);
}

static void cleanup_writer_fn(struct archive **a)
{
	archive_write_free(*a);
}

static int tar_err(struct tar_sink *s, struct mica_err *err)
{
	const char *text = archive_error_string(s->a);
	int code = archive_errno(s->a);

	if (code > 0)
		return mica_err_sys(err, code, "cannot write the tar");
	return mica_err_set(err, MICA_E_SYS, "cannot write the tar: %s",
			    text ? text : "unknown error");
}

static int tar_acl(struct archive_entry *e, const struct mica_xattr_value *x, int type,
		   struct mica_err *err)
{
	long count = mica_acl_count(x->value, x->len, err);

	for (long i = 0; i < count; i++) {
		struct mica_acl_entry acl;
		int ret = mica_acl_entry(x->value, (size_t)i, &acl, err);
		int id = -1, tag = 0;

		if (ret)
			return ret;
		switch (acl.tag) {
		case MICA_ACL_USER_OBJ:
			tag = ARCHIVE_ENTRY_ACL_USER_OBJ;
			break;
		case MICA_ACL_USER:
			tag = ARCHIVE_ENTRY_ACL_USER;
			id = (int)acl.id;
			break;
		case MICA_ACL_GROUP_OBJ:
			tag = ARCHIVE_ENTRY_ACL_GROUP_OBJ;
			break;
		case MICA_ACL_GROUP:
			tag = ARCHIVE_ENTRY_ACL_GROUP;
			id = (int)acl.id;
			break;
		case MICA_ACL_MASK:
			tag = ARCHIVE_ENTRY_ACL_MASK;
			break;
		case MICA_ACL_OTHER:
			tag = ARCHIVE_ENTRY_ACL_OTHER;
			break;
		}
		archive_entry_acl_add_entry(e, type, (int)acl.perm, tag, id, NULL);
	}
	return count < 0 ? (int)count : 0;
}

static int tar_xattrs(struct tar_sink *s, struct archive_entry *e, const struct mica_inode *inode,
		      struct mica_err *err)
{
	struct mica_xattrlist xattrs cleanup_xattrlist = {0};
	int ret = mica_xattrlist_load(s->img, inode, &xattrs, err);

	for (size_t i = 0; !ret && i < xattrs.count; i++) {
		const struct mica_xattr_value *x = &xattrs.list[i];

		if (!strcmp(x->name, "system.posix_acl_access"))
			ret = tar_acl(e, x, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, err);
		else if (!strcmp(x->name, "system.posix_acl_default"))
			ret = tar_acl(e, x, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, err);
		else
			archive_entry_xattr_add_entry(e, x->name, x->value, x->len);
	}
	return ret;
}

/* Data runs of a file with holes; without a hole none are declared. */
static int tar_sparse(struct tar_sink *s, struct archive_entry *e, const struct mica_inode *inode,
		      struct mica_err *err)
{
	uint64_t data = 0, hole = 0;

	while (hole < inode->size) {
		int ret = mica_image_seek(s->img, inode, hole, false, &data, err);

		if (!ret)
			ret = mica_image_seek(s->img, inode, data, true, &hole, err);
		if (ret)
			return ret;
		if (!data && hole >= inode->size)
			return 0;
		archive_entry_sparse_add_entry(e, (int64_t)data, (int64_t)(hole - data));
	}
	return 0;
}

static int tar_put(void *ctx, const void *buf, uint64_t len, uint64_t off, bool hole,
		   struct mica_err *err)
{
	struct tar_sink *s = ctx;

	(void)off;
	/* the writer wants holes as bytes, and leaves them out itself */
	while (len) {
		size_t n = hole ? (size_t)mica_min(len, ZEROS_BYTES) : (size_t)len;
		la_ssize_t put = archive_write_data(s->a, hole ? s->zeros : buf, n);

		if (put <= 0)
			return tar_err(s, err);
		if (!hole)
			buf = (const char *)buf + put;
		len -= (uint64_t)put;
	}
	return 0;
}

static void tar_say(const char *path, const char *what)
{
	fputs("mica extract: /", stderr);
	mica_show_text(stderr, path);
	fprintf(stderr, ": %s\n", what);
}

/*
 * The writer warns of names that are not UTF-8, though it stores them as they
 * are (hdrcharset=BINARY): no news to anyone.
 */
static int tar_header(struct tar_sink *s, struct archive_entry *e, struct mica_err *err)
{
	return archive_write_header(s->a, e) < ARCHIVE_WARN ? tar_err(s, err) : 0;
}

/*
 * POSIX has -1.5 for what is -2 s and 0.5 s here. The writer puts seconds and
 * fraction side by side, so it is given what reads right, and -0.5 it cannot write.
 */
static void tar_time(struct archive_entry *e, const struct mica_walk_item *item)
{
	int64_t sec = item->inode.mtime;
	uint32_t nsec = item->inode.mtime_nsec;

	if (sec == -1 && nsec) {
		char what[80];

		snprintf(what, sizeof(what), "a tar cannot hold the time -%g s, -1 s is written",
			 1 - nsec / 1e9);
		tar_say(item->path, what);
		nsec = 0;
	} else if (sec < 0 && nsec) {
		sec++;
		nsec = 1000000000 - nsec;
	}
	archive_entry_set_mtime(e, sec, nsec);
}

static int tar_common(struct tar_sink *s, struct archive_entry *e,
		      const struct mica_walk_item *item, struct mica_err *err)
{
	const struct mica_inode *inode = &item->inode;
	char *target cleanup_free = NULL;
	int ret = 0;

	archive_entry_copy_pathname(e, item->path[0] ? item->path : "./");
	archive_entry_set_mode(e, inode->mode);
	archive_entry_set_uid(e, inode->uid);
	archive_entry_set_gid(e, inode->gid);
	tar_time(e, item);
	if (S_ISREG(inode->mode)) {
		archive_entry_set_size(e, (int64_t)inode->size);
		ret = tar_sparse(s, e, inode, err);
	} else if (S_ISLNK(inode->mode)) {
		ret = mica_extract_target(s->img, inode, &target, err);
		if (!ret)
			archive_entry_copy_symlink(e, target);
	} else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		archive_entry_set_rdevmajor(e, mica_rdev_major(inode->rdev));
		archive_entry_set_rdevminor(e, mica_rdev_minor(inode->rdev));
	}
	return ret ? ret : tar_xattrs(s, e, inode, err);
}

static int tar_entry(void *sink, const struct mica_walk_item *item, const char *link,
		     struct mica_err *err)
{
	struct tar_sink *s = sink;
	struct archive_entry *e cleanup(cleanup_entry_fn) = archive_entry_new();
	int ret;

	if (!e)
		return mica_err_nomem(err);
	if (S_ISSOCK(item->inode.mode)) {
		tar_say(item->path, "a tar cannot hold a socket, left out");
		return 0;
	}
	ret = tar_common(s, e, item, err);
	if (ret)
		return ret;
	if (link) {
		archive_entry_set_size(e, 0);
		archive_entry_sparse_clear(e);
		archive_entry_copy_hardlink(e, link);
	}
	ret = tar_header(s, e, err);
	if (!ret && !link && S_ISREG(item->inode.mode))
		ret = mica_extract_data(s->img, &item->inode, tar_put, s, err);
	return ret;
}

static int tar_enter(void *sink, const struct mica_walk_item *item, bool wanted,
		     struct mica_err *err)
{
	return wanted ? tar_entry(sink, item, NULL, err) : 0;
}

static int tar_leave(void *sink, const struct mica_walk_item *item, bool wanted,
		     struct mica_err *err)
{
	(void)sink;
	(void)wanted;
	(void)item;
	(void)err;
	return 0;
}

static la_ssize_t tar_write(struct archive *a, void *ctx, const void *buf, size_t len)
{
	struct tar_sink *s = ctx;
	ssize_t n;

	if (s->broken)
		return (la_ssize_t)len;
	do
		n = write(s->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		archive_set_error(a, errno, "write");
	return n;
}

static int tar_open(struct tar_sink *s, struct mica_err *err)
{
	/* The pax format counts in UTF-8; other bytes are kept as hdrcharset=BINARY. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "");
	if (archive_write_set_format_pax(s->a) != ARCHIVE_OK ||
	    archive_write_set_format_option(s->a, "pax", "xattrheader", "SCHILY") != ARCHIVE_OK ||
	    archive_write_open(s->a, s, NULL, tar_write, NULL) != ARCHIVE_OK)
		return tar_err(s, err);
	return 0;
}

int mica_extract_tar(struct mica_extract *x, int fd, struct mica_err *err)
{
	static const struct mica_extract_sink ops = {
		.enter = tar_enter, .leave = tar_leave, .entry = tar_entry};
	unsigned char *zeros cleanup_free = calloc(1, ZEROS_BYTES);
	struct archive *a cleanup(cleanup_writer_fn) = archive_write_new();
	struct tar_sink sink = {.img = x->img, .a = a, .zeros = zeros, .fd = fd};
	int ret;

	if (!zeros || !a)
		return mica_err_nomem(err);
	ret = tar_open(&sink, err);
	if (!ret)
		ret = mica_extract_walk(x, &ops, &sink, err);
	if (!ret && archive_write_close(a) != ARCHIVE_OK)
		ret = tar_err(&sink, err);
	sink.broken = ret != 0;
	return ret;
}
