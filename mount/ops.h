/* SPDX-License-Identifier: MIT */
/* The FUSE operations; each file of ops_*.c holds those of one kind. */
#ifndef MICA_MOUNT_OPS_H
#define MICA_MOUNT_OPS_H

#include "nodes.h"
#include "session.h"

/* Seconds that the kernel may keep what it was told: an image never changes. */
#define MICA_OPS_FOREVER 1e9

extern const struct fuse_lowlevel_ops mica_ops;

static inline struct mica_session *mica_ops_session(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Answer req with err, and log it unless it is an ordinary answer such as "no such name". */
void mica_ops_fail(fuse_req_t req, uint64_t nid, const char *what, const struct mica_err *err);

/* The inode behind a node; on failure req is answered and false returned. */
bool mica_ops_inode(fuse_req_t req, fuse_ino_t node, struct mica_inode *out);

void mica_ops_entry(const struct mica_super *sb, const struct mica_inode *inode,
		    struct fuse_entry_param *out);

/* Ask for these FUSE_CAP_*, and for ACLs, as far as the kernel offers them. */
void mica_ops_negotiate(struct mica_session *s, struct fuse_conn_info *conn, unsigned int want);
/* MICA_IOC_SERVER_PID, MICA_IOC_STATUS */
void mica_ops_ioctl(fuse_req_t req, fuse_ino_t node, unsigned int cmd, void *arg,
		    struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
		    size_t out_size);

/* ops_data.c */
void mica_ops_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void mica_ops_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		   struct fuse_file_info *fi);
void mica_ops_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence,
		    struct fuse_file_info *fi);
void mica_ops_readlink(fuse_req_t req, fuse_ino_t node);

/* ops_dir.c */
void mica_ops_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void mica_ops_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		      struct fuse_file_info *fi);
void mica_ops_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
			  struct fuse_file_info *fi);

/* ops_xattr.c */
void mica_ops_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size);
void mica_ops_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);

#endif
