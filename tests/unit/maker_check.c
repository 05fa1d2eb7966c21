/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/image.h"
#include "../../lib/util.h"

#define PIECE	  131072u
#define ALL_MAX	  (8u << 20) /* longer spans are compared at their ends and in the middle */
#define SIDE	  (1u << 20)
#define XATTR_MAX 65536

/* A file of the image, whoever reads it. */
struct view {
	const struct entry *e;
	struct mica_image *image;
	struct mica_inode inode;
	int fd;
};

static void read_piece(const struct view *v, unsigned char *buf, size_t len, uint64_t off)
{
	struct mica_err err = {0};
	long n;

	if (v->image) {
		n = mica_image_read(v->image, &v->inode, buf, len, off, &err);
	} else {
		n = pread(v->fd, buf, len, (off_t)off);
		snprintf(err.msg, sizeof(err.msg), "%s", strerror(errno));
	}
	if (n != (long)len)
		fail_msg("%s: read %zu at %" PRIu64 ": %ld (%s)", v->e->path, len, off, n,
			 n < 0 ? err.msg : "short");
}

static void compare_range(const struct view *v, uint64_t off, uint64_t end)
{
	static unsigned char got[PIECE], want[PIECE];

	while (off < end) {
		size_t n = mica_min(PIECE, end - off);

		read_piece(v, got, n, off);
		content_fill(v->e->spans, v->e->span_count, off, want, n);
		for (size_t i = memcmp(got, want, n) ? 0 : n; i < n; i++)
			if (got[i] != want[i])
				fail_msg("%s (%s): byte %" PRIu64 " is 0x%02x, not 0x%02x",
					 v->e->path, v->image ? "reader" : "kernel", off + i,
					 got[i], want[i]);
		off += n;
	}
}

static void compare_content(const struct view *v)
{
	uint64_t off = 0;

	for (size_t i = 0; i < v->e->span_count; i++) {
		uint64_t end = off + v->e->spans[i].len, middle = off + (end - off) / 2;

		if (end - off <= ALL_MAX) {
			compare_range(v, off, end);
		} else {
			compare_range(v, off, off + SIDE);
			compare_range(v, middle, middle + SIDE);
			compare_range(v, end - SIDE, end);
		}
		off = end;
	}
}

/* What hard links share is said by the entry that they name. */
static const struct entry *entry_of_inode(const struct model *m, const struct entry *e)
{
	if (!S_ISREG(e->mode) || !e->target)
		return e;
	for (size_t i = 0; i < m->count; i++)
		if (!strcmp(m->v[i].path, e->target))
			return &m->v[i];
	fail_msg("%s links to nothing", e->path);
	return NULL;
}

static void compare_reader_xattrs(const struct view *v)
{
	static unsigned char got[XATTR_MAX];
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	struct mica_xattr attr;
	struct mica_err err = {0};
	size_t count = 0;

	for (size_t i = 0; i < v->e->xattr_count; i++) {
		const struct mica_kv *kv = &v->e->xattrs[i];

		assert_int_equal(
			mica_xattr_get(v->image, &v->inode, kv->name, got, sizeof(got), &err),
			kv->len);
		assert_memory_equal(got, kv->value, kv->len);
	}
	assert_int_equal(mica_xattr_iter_new(v->image, &v->inode, &it, &err), 0);
	while (mica_xattr_iter_next(it, &attr, &err) > 0)
		count++;
	assert_int_equal(err.code, 0);
	assert_int_equal(count, v->e->xattr_count);
}

static void compare_reader(const struct model *m, struct mica_image *image, const struct entry *e)
{
	struct view v = {.e = entry_of_inode(m, e), .image = image, .fd = -1};
	struct mica_err err = {0};
	char target[4096];

	if (mica_image_walk(image, e->path, &v.inode, &err))
		fail_msg("%s: %s", e->path, err.msg);
	assert_int_equal(v.inode.mode, v.e->mode);
	assert_int_equal(v.inode.uid, v.e->uid);
	assert_int_equal(v.inode.gid, v.e->gid);
	assert_int_equal(v.inode.mtime, v.e->mtime);
	assert_int_equal(v.inode.mtime_nsec, v.e->mtime_nsec);
	if (e->nlink)
		assert_int_equal(v.inode.nlink, e->nlink);
	compare_reader_xattrs(&v);
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		assert_int_equal(v.inode.rdev, e->rdev);
	if (S_ISLNK(e->mode)) {
		assert_int_equal(mica_image_read(image, &v.inode, target, sizeof(target), 0, &err),
				 strlen(e->target));
		assert_memory_equal(target, e->target, strlen(e->target));
	}
	if (!S_ISREG(e->mode))
		return;
	assert_int_equal(v.inode.size, maker_size(v.e));
	compare_content(&v);
}

void maker_check_reader(const struct model *m, const char *path)
{
	cleanup_image struct mica_image *image = NULL;
	struct mica_io *io = NULL;
	struct mica_err err = {0};

	if (mica_io_open_file(path, 0, &io, &err) || mica_image_open(io, NULL, &image, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < m->count; i++)
		compare_reader(m, image, &m->v[i]);
}

static void compare_kernel(const struct model *m, const char *root, const struct entry *e)
{
	static unsigned char got[XATTR_MAX];
	struct view v = {.e = entry_of_inode(m, e), .fd = -1};
	char path[8192];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", root, e->path);
	if (lstat(path, &st))
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(st.st_mode, v.e->mode);
	assert_int_equal(st.st_uid, v.e->uid);
	assert_int_equal(st.st_gid, v.e->gid);
	assert_int_equal(st.st_mtim.tv_sec, v.e->mtime);
	assert_int_equal(st.st_mtim.tv_nsec, v.e->mtime_nsec);
	if (e->nlink)
		assert_int_equal(st.st_nlink, e->nlink);
	for (size_t i = 0; i < v.e->xattr_count; i++) {
		const struct mica_kv *kv = &v.e->xattrs[i];

		assert_int_equal(lgetxattr(path, kv->name, got, sizeof(got)), kv->len);
		assert_memory_equal(got, kv->value, kv->len);
	}
	if (S_ISLNK(e->mode)) {
		assert_int_equal(readlink(path, (char *)got, sizeof(got)), strlen(e->target));
		assert_memory_equal(got, e->target, strlen(e->target));
	}
	if (!S_ISREG(e->mode))
		return;
	assert_int_equal(st.st_size, maker_size(v.e));
	v.fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(v.fd >= 0);
	compare_content(&v);
	close(v.fd);
}

/* Detached at once: a failed assertion leaves no mount behind. */
void maker_check_kernel(const struct model *m, const char *path)
{
	char dir[] = "maker-mnt.XXXXXX";
	int failed;

	assert_non_null(mkdtemp(dir));
	failed = mount(path, dir, "erofs", MS_RDONLY, NULL) ? errno : 0;
	if (!failed) {
		/* gone from sight as soon as the last one leaves it, whatever happens below */
		int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		char self[64];

		snprintf(self, sizeof(self), "/proc/self/fd/%d", root);
		umount2(dir, MNT_DETACH);
		rmdir(dir);
		for (size_t i = 0; i < m->count; i++)
			compare_kernel(m, self, &m->v[i]);
		close(root);
		return;
	}
	rmdir(dir);
	/* not root, or a kernel that mounts no plain files: the reader must do */
	if (failed != EPERM && failed != ENOTBLK && failed != ENODEV)
		fail_msg("the kernel does not mount the image: %s", strerror(failed));
}
