/* SPDX-License-Identifier: MIT */
/* What files hold. The first write to a file below brings it up. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../recorder.h"
#include "backing.h"
#include "copyup.h"
#include "files.h"
#include "layer_impl.h"

/* A request for the data of a file. */
struct access {
	struct mica_ovl *ovl;
	struct mica_node *node;
	struct mica_file *file; /* NULL: in an image, at the place */
	struct mica_place at;
};

/* write: it is in the upper directory from then on. The tree's lock is held. */
static int access_open(struct access *a, bool write)
{
	int ret = write ? mica_copy_up(a->ovl, a->node, UINT64_MAX) : 0;

	if (!ret && !mica_node_owns_data(a->node)) {
		ret = mica_node_data(a->ovl, a->node, &a->at);
		if (ret || a->at.layer->image)
			return ret;
	}
	return ret ? ret : mica_file_get(a->ovl, a->node, write, &a->file);
}

static void access_close(struct access *a)
{
	if (a->file)
		mica_file_put(a->ovl, a->file);
	mica_node_put(a->ovl, a->node);
}

/* For access_end() when it returns true; else req is answered. */
static bool access_begin(fuse_req_t req, fuse_ino_t id, bool write, struct access *a)
{
	int ret;

	*a = (struct access){.ovl = mica_ovl_of(req)};
	a->node = mica_ovl_begin(req, id);
	if (!a->node)
		return false;
	pthread_rwlock_rdlock(&a->ovl->tree);
	ret = access_open(a, write);
	if (!ret)
		return true;
	pthread_rwlock_unlock(&a->ovl->tree);
	access_close(a);
	return !mica_ovl_failed(req, ret);
}

static void access_end(struct access *a)
{
	pthread_rwlock_unlock(&a->ovl->tree);
	access_close(a);
}

/*
 * Where a file lies when all who have it open read and write it there, to the last. One that
 * is below may be copied up meanwhile.
 */
static int data_fd(const struct access *a)
{
	bool stays = mica_node_owns_data(a->node) || !mica_ovl_writable(a->ovl);

	return a->file && stays ? a->file->fd : -1;
}

static void open_backed(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	bool write = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct access a;
	int ret;

	if (!access_begin(req, id, write, &a))
		return;
	ret = mica_backing_open(req, a.node, data_fd(&a), fi);
	if (!mica_ovl_failed(req, ret) && fuse_reply_open(req, fi))
		mica_backing_close(req, a.node, fi);
	access_end(&a);
}

void mica_ovl_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const struct mica_session *s = fuse_req_userdata(req);

	if (s->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	if (s->passthrough == MICA_PASSTHROUGH_ON) {
		open_backed(req, id, fi);
		return;
	}
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

void mica_ovl_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const struct mica_session *s = fuse_req_userdata(req);
	struct mica_node *node = NULL;

	if (s->passthrough == MICA_PASSTHROUGH_ON)
		node = mica_node_get(s->ovl, id);
	if (node) {
		mica_backing_close(req, node, fi);
		mica_node_put(s->ovl, node);
	}
	fuse_reply_err(req, 0);
}

static long data_read(const struct access *a, char *buf, size_t size, off_t off)
{
	ssize_t n;

	if (!a->file)
		return mica_place_read(&a->at, -1, buf, size, (uint64_t)off);
	n = pread(a->file->fd, buf, size, off);
	return n < 0 ? -errno : n;
}

/* The tree's lock is held: the names stay. */
static void data_record(const struct mica_session *s, const struct mica_node *node, off_t off,
			long n, size_t asked)
{
	char path[PATH_MAX];

	/* what has no name any more cannot be found again */
	if (s->recorder && n > 0 && !node->removed && !mica_node_path(node, path))
		mica_recorder_read(s->recorder, path, (uint64_t)off, (uint64_t)n,
				   !off && (size_t)n < asked);
}

void mica_ovl_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct mica_session *s = fuse_req_userdata(req);
	char *buf = mica_session_buffer(s, size);
	struct access a;
	long n;

	(void)fi;
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	mica_ovl_takes_time(req);
	if (!access_begin(req, id, false, &a))
		return;
	n = data_read(&a, buf, size, off);
	data_record(s, a.node, off, n, size);
	access_end(&a);
	if (!mica_ovl_failed(req, (int)n))
		fuse_reply_buf(req, buf, (size_t)n);
}

void mica_ovl_write(fuse_req_t req, fuse_ino_t id, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct access a;
	size_t done = 0;
	ssize_t n = 0;

	(void)fi;
	if (!access_begin(req, id, true, &a))
		return;
	while (done < size) {
		n = pwrite(a.file->fd, buf + done, size - done, off + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	n = n < 0 ? -errno : n;
	access_end(&a);
	if (done)
		fuse_reply_write(req, done);
	else
		mica_ovl_failed(req, n < 0 ? (int)n : -EIO);
}

/* What the kernel has gathered may lie where the host still has a hole, or no file at all. */
static bool kernel_gathers(const struct mica_session *s)
{
	return mica_ovl_writable(s->ovl) && s->ovl->flags & MICA_OVL_WRITEBACK &&
	       !(s->opts->flags & MICA_MOUNT_RO);
}

void mica_ovl_lseek(fuse_req_t req, fuse_ino_t id, off_t off, int whence, struct fuse_file_info *fi)
{
	struct access a;
	off_t to;

	(void)fi;
	/* then it takes all for data up to the size that it knows, and asks no more */
	if (kernel_gathers(fuse_req_userdata(req))) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (off < 0) {
		fuse_reply_err(req, ENXIO);
		return;
	}
	if (!access_begin(req, id, false, &a))
		return;
	if (!a.file) {
		to = mica_place_seek(&a.at, -1, (uint64_t)off, whence == SEEK_HOLE);
	} else {
		to = lseek(a.file->fd, off, whence);
		to = to < 0 ? -errno : to;
	}
	access_end(&a);
	if (to < 0)
		fuse_reply_err(req, (int)-to);
	else
		fuse_reply_lseek(req, to);
}

void mica_ovl_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t off, off_t len,
			struct fuse_file_info *fi)
{
	struct access a;
	int ret;

	(void)fi;
	if (!access_begin(req, id, true, &a))
		return;
	ret = fallocate(a.file->fd, mode, off, len) < 0 ? -errno : 0;
	access_end(&a);
	mica_ovl_answer(req, ret);
}

static ssize_t copy_range(struct access *in, off_t off_in, struct access *out, off_t off_out,
			  size_t len, int flags)
{
	ssize_t n = access_open(out, true);

	if (!n)
		n = access_open(in, false);
	if (n)
		return n;
	/* from an image the kernel copies through its page cache */
	if (!in->file)
		return -EOPNOTSUPP;
	n = copy_file_range(in->file->fd, &off_in, out->file->fd, &off_out, len,
			    (unsigned int)flags);
	return n < 0 ? -errno : n;
}

void mica_ovl_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t off_in,
			      struct fuse_file_info *fi_in, fuse_ino_t to, off_t off_out,
			      struct fuse_file_info *fi_out, size_t len, int flags)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct access in = {.ovl = ovl}, out = {.ovl = ovl};
	ssize_t n;

	(void)fi_in;
	(void)fi_out;
	in.node = mica_node_get(ovl, from);
	out.node = mica_node_get(ovl, to);
	pthread_rwlock_rdlock(&ovl->tree);
	n = in.node && out.node ? copy_range(&in, off_in, &out, off_out, len, flags) : -ESTALE;
	pthread_rwlock_unlock(&ovl->tree);
	access_close(&in);
	access_close(&out);
	if (n < 0)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_write(req, (size_t)n);
}

/* Of a file whose data is below. */
static int sync_metadata(struct mica_ovl *ovl, struct mica_node *node)
{
	struct mica_place at;
	cleanup_fd int fd = -1;
	int ret = mica_node_upper(ovl, node, &at);

	if (ret)
		return ret;
	fd = mica_in_dir_open_as(&at, O_RDONLY);
	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_file(struct mica_ovl *ovl, struct mica_node *node, bool datasync)
{
	struct mica_file *file;
	int ret;

	if (!node->upper || ovl->flags & MICA_OVL_VOLATILE)
		return 0;
	if (!mica_node_owns_data(node))
		return sync_metadata(ovl, node);
	ret = mica_file_get(ovl, node, false, &file);
	if (ret)
		return ret;
	ret = (datasync ? fdatasync(file->fd) : fsync(file->fd)) < 0 ? -errno : 0;
	mica_file_put(ovl, file);
	return ret;
}

void mica_ovl_fsync(fuse_req_t req, fuse_ino_t id, int datasync, struct fuse_file_info *fi)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = mica_ovl_begin(req, id);
	int ret;

	(void)fi;
	if (!node)
		return;
	mica_ovl_takes_time(req);
	pthread_rwlock_rdlock(&ovl->tree);
	ret = sync_file(ovl, node, datasync);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	mica_ovl_answer(req, ret);
}

void mica_ovl_readlink(fuse_req_t req, fuse_ino_t id)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = mica_ovl_begin(req, id);
	char target[PATH_MAX];
	struct mica_place at;
	int ret;

	if (!node)
		return;
	pthread_rwlock_rdlock(&ovl->tree);
	ret = mica_node_place(ovl, node, &at);
	if (!ret)
		ret = mica_place_readlink(&at, target, sizeof(target));
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, node);
	if (!mica_ovl_failed(req, ret))
		fuse_reply_readlink(req, target);
}
