/* SPDX-License-Identifier: MIT */
/* What files and symlinks hold. */
#include "ops.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* Reads go by node alone; the kernel keeps its pages either way. */
void mica_ops_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	if (mica_ops_session(req)->no_open) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

void mica_ops_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		   struct fuse_file_info *fi)
{
	struct mica_session *s = mica_ops_session(req);
	struct mica_inode inode;
	struct mica_err err;
	void *buf;
	long n;

	(void)fi;
	if (!mica_ops_inode(req, node, &inode))
		return;
	if (off < 0 || (uint64_t)off >= inode.size) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	mica_server_hand_over(s->server);
	mica_prefetch_read(s->prefetch, &inode, (uint64_t)off, size);
	/* small files answer with their size, so that the buffer stays hot */
	size = (size_t)mica_min(size, inode.size - (uint64_t)off);
	buf = mica_session_buffer(s, size);
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	n = mica_image_read(s->image, &inode, buf, size, (uint64_t)off, &err);
	/* before the answer, which the next read may wait for */
	if (n > 0)
		mica_session_has_read(s, &inode, (uint64_t)off, (uint64_t)n);
	if (n < 0)
		mica_ops_fail(req, inode.nid, "read data of", &err);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void mica_ops_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
		    struct fuse_file_info *fi)
{
	struct mica_session *s = mica_ops_session(req);
	struct mica_inode inode;
	struct mica_err err;
	uint64_t to;

	(void)fi;
	if (!mica_ops_inode(req, node, &inode))
		return;
	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (off < 0 || (uint64_t)off >= inode.size) {
		fuse_reply_err(req, ENXIO);
		return;
	}
	if (mica_image_seek(s->image, &inode, (uint64_t)off, whence == SEEK_HOLE, &to, &err))
		mica_ops_fail(req, inode.nid, "seek in", &err);
	else if (whence == SEEK_DATA && to >= inode.size)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, (off_t)to);
}

void mica_ops_readlink(fuse_req_t req, fuse_ino_t node)
{
	struct mica_session *s = mica_ops_session(req);
	char target[PATH_MAX];
	struct mica_inode inode;
	struct mica_err err;
	long n;

	if (!mica_ops_inode(req, node, &inode))
		return;
	n = mica_image_readlink(s->image, &inode, target, sizeof(target), &err);
	if (n < 0)
		mica_ops_fail(req, inode.nid, "read symlink", &err);
	else
		fuse_reply_readlink(req, target);
}
