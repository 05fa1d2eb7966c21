/* SPDX-License-Identifier: MIT */
/* Extended attributes; access control lists are two of them. */
#include "ops.h"

#include <errno.h>

void mica_ops_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	struct mica_session *s = mica_ops_session(req);
	struct mica_inode inode;
	struct mica_err err;
	char *buf = NULL;
	long n;

	/* the kernel never asks again, neither for users nor, before it looks into a file, for ACLs */
	if (s->sb->no_xattrs) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	if (!mica_ops_inode(req, node, &inode))
		return;
	if (size) {
		buf = mica_session_buffer(s, size);
		if (!buf) {
			fuse_reply_err(req, ENOMEM);
			return;
		}
	}
	n = mica_xattr_get(s->image, &inode, name, buf, size, &err);
	if (n == MICA_E_NOENT)
		fuse_reply_err(req, ENODATA);
	else if (n == MICA_E_LIMIT)
		fuse_reply_err(req, ERANGE);
	else if (n < 0)
		mica_ops_fail(req, inode.nid, "read an xattr of", &err);
	else if (size)
		fuse_reply_buf(req, buf, (size_t)n);
	else
		fuse_reply_xattr(req, (size_t)n);
}

void mica_ops_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
	struct mica_session *s = mica_ops_session(req);
	/* the kernel guards the values of trusted.*, but not that they exist */
	bool trusted = fuse_req_ctx(req)->uid == 0;
	struct mica_inode inode;
	struct mica_err err;
	char *buf = NULL;
	long n;

	if (!mica_ops_inode(req, node, &inode))
		return;
	if (size) {
		buf = mica_session_buffer(s, size);
		if (!buf) {
			fuse_reply_err(req, ENOMEM);
			return;
		}
	}
	n = mica_xattr_list(s->image, &inode, trusted, buf, size, &err);
	if (n == MICA_E_LIMIT)
		fuse_reply_err(req, ERANGE);
	else if (n < 0)
		mica_ops_fail(req, inode.nid, "list the xattrs of", &err);
	else if (size)
		fuse_reply_buf(req, buf, (size_t)n);
	else
		fuse_reply_xattr(req, (size_t)n);
}
