/* SPDX-License-Identifier: MIT */
/*
 * The kernel's requests to a stack of layers. In the lean way (see ../ops.c): no OPEN,
 * no CREATE, no FLUSH, so that a file costs one request or none; what is written waits in
 * the kernel's page cache.
 */
#ifndef MICA_OVERLAY_OPS_H
#define MICA_OVERLAY_OPS_H

#include <fuse_lowlevel.h>

#include "../session.h"
#include "node.h"

extern const struct fuse_lowlevel_ops mica_ovl_ops;

static inline struct mica_ovl *mica_ovl_of(fuse_req_t req)
{
	const struct mica_session *s = fuse_req_userdata(req);

	return s->ovl;
}

/* See mica_server_hand_over(). */
static inline void mica_ovl_takes_time(fuse_req_t req)
{
	const struct mica_session *s = fuse_req_userdata(req);

	mica_server_hand_over(s->server);
}

/* The node of a request, with a use; on failure req is answered and NULL returned. */
struct mica_node *mica_ovl_begin(fuse_req_t req, fuse_ino_t id);
/* Ends it: with an error when ret is negative, then true. */
bool mica_ovl_failed(fuse_req_t req, int ret);
/* Answers with 0 or the error. */
void mica_ovl_answer(fuse_req_t req, int ret);
/* Answers with a node that the kernel learns of; it keeps the use. */
void mica_ovl_entry(fuse_req_t req, struct mica_node *node, const struct stat *st);
void mica_ovl_fill_entry(const struct mica_ovl *ovl, const struct mica_node *node,
			 const struct stat *st, struct fuse_entry_param *out);

/* ops_dir.c */
void mica_ovl_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void mica_ovl_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
		      struct fuse_file_info *fi);
void mica_ovl_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
			  struct fuse_file_info *fi);
void mica_ovl_fsyncdir(fuse_req_t req, fuse_ino_t id, int datasync, struct fuse_file_info *fi);

/* ops_name.c */
void mica_ovl_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev);
void mica_ovl_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode);
void mica_ovl_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name);
void mica_ovl_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir, const char *name);
void mica_ovl_unlink(fuse_req_t req, fuse_ino_t dir, const char *name);
void mica_ovl_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name);
void mica_ovl_rename(fuse_req_t req, fuse_ino_t dir, const char *name, fuse_ino_t new_dir,
		     const char *new_name, unsigned int flags);

/* tmpfile.c */
void mica_ovl_tmpfile(fuse_req_t req, fuse_ino_t dir, mode_t mode, struct fuse_file_info *fi);

/* ops_attr.c */
void mica_ovl_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void mica_ovl_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int set,
		      struct fuse_file_info *fi);
void mica_ovl_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size);
void mica_ovl_listxattr(fuse_req_t req, fuse_ino_t id, size_t size);
void mica_ovl_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value,
		       size_t size, int flags);
void mica_ovl_removexattr(fuse_req_t req, fuse_ino_t id, const char *name);

/* ops_data.c */
void mica_ovl_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void mica_ovl_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void mica_ovl_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
		   struct fuse_file_info *fi);
void mica_ovl_write(fuse_req_t req, fuse_ino_t id, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi);
void mica_ovl_lseek(fuse_req_t req, fuse_ino_t id, off_t off, int whence,
		    struct fuse_file_info *fi);
void mica_ovl_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t off, off_t len,
			struct fuse_file_info *fi);
void mica_ovl_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t off_in,
			      struct fuse_file_info *fi_in, fuse_ino_t to, off_t off_out,
			      struct fuse_file_info *fi_out, size_t len, int flags);
void mica_ovl_fsync(fuse_req_t req, fuse_ino_t id, int datasync, struct fuse_file_info *fi);
void mica_ovl_readlink(fuse_req_t req, fuse_ino_t id);

#endif
