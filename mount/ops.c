/* SPDX-License-Identifier: MIT */
/* Names, attributes and what concerns the file system as a whole. */
#include "ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "log.h"
#include "passthrough.h"
#include "status.h"

#define MAX_BACKGROUND 64 /* readahead requests under way at the same time */

void mica_ops_fail(fuse_req_t req, uint64_t nid, const char *what, const struct mica_err *err)
{
	if (err->code != MICA_E_NOENT)
		mica_log_failure("%s nid %" PRIu64 ": %s", what, nid, err->msg);
	fuse_reply_err(req, mica_err_errno(err));
}

bool mica_ops_inode(fuse_req_t req, fuse_ino_t node, struct mica_inode *out)
{
	struct mica_session *s = mica_ops_session(req);
	uint64_t nid = mica_node_to_nid(s->sb, node);
	struct mica_err err;

	if (!mica_image_inode(s->image, nid, out, &err))
		return true;
	mica_ops_fail(req, nid, "read inode", &err);
	return false;
}

void mica_ops_entry(const struct mica_super *sb, const struct mica_inode *inode,
		    struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = mica_node_from_nid(sb, inode->nid),
		.attr_timeout = MICA_OPS_FOREVER,
		.entry_timeout = MICA_OPS_FOREVER,
	};
	mica_node_stat(sb, inode, &out->attr);
}

void mica_ops_negotiate(struct mica_session *s, struct fuse_conn_info *conn, unsigned int want)
{
	/* FUSE enforces ACLs only together with default_permissions, and turns that on */
	if ((s->opts->flags & MICA_MOUNT_DEFAULT_PERMISSIONS) &&
	    !(s->opts->flags & MICA_MOUNT_NOACL))
		want |= FUSE_CAP_POSIX_ACL;
	if (s->opts->flags & MICA_MOUNT_IO_URING)
		want |= MICA_CAP_URING;
	conn->want = want & conn->capable;
	conn->max_background = MAX_BACKGROUND;
	s->caps = conn->want;
	s->proto_major = conn->proto_major;
	s->proto_minor = conn->proto_minor;
	s->no_open = conn->capable & want & FUSE_CAP_NO_OPEN_SUPPORT;
	s->no_opendir = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
	s->initialised = true;
}

/* Ask for what a read-only, immutable tree can use, as far as the kernel offers it. */
static void ops_init(void *userdata, struct fuse_conn_info *conn)
{
	struct mica_session *s = userdata;
	unsigned int want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
			    FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS |
			    FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_NO_OPEN_SUPPORT |
			    FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_IOCTL_DIR;

	mica_passthrough_choose(s, conn);
	mica_ops_negotiate(s, conn, want);
}

/* File handles that come back after a node was forgotten are looked up by "." and "..". */
static int lookup_nid(struct mica_session *s, const struct mica_inode *dir, const char *name,
		      uint64_t *nid, struct mica_err *err)
{
	uint8_t type;

	if (!strcmp(name, ".")) {
		*nid = dir->nid;
		return 0;
	}
	return mica_dir_lookup(s->image, dir, name, strlen(name), nid, &type, err);
}

static void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mica_session *s = mica_ops_session(req);
	struct fuse_entry_param entry = {.entry_timeout = MICA_OPS_FOREVER};
	struct mica_inode dir, inode;
	struct mica_err err;
	uint64_t nid;
	int ret;

	if (!mica_ops_inode(req, parent, &dir))
		return;
	if (strlen(name) > EROFS_NAME_MAX) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	ret = lookup_nid(s, &dir, name, &nid, &err);
	if (ret == MICA_E_NOENT) {
		/* node 0: "not there", for the kernel to remember */
		fuse_reply_entry(req, &entry);
		return;
	}
	if (ret) {
		mica_ops_fail(req, dir.nid, "look up a name in", &err);
		return;
	}
	if (mica_image_inode(s->image, nid, &inode, &err)) {
		mica_ops_fail(req, nid, "read inode", &err);
		return;
	}
	mica_session_named(s, &dir, name, &inode, false);
	mica_ops_entry(s->sb, &inode, &entry);
	fuse_reply_entry(req, &entry);
}

static void ops_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct mica_inode inode;
	struct stat st;

	(void)fi;
	if (!mica_ops_inode(req, node, &inode))
		return;
	mica_node_stat(mica_ops_session(req)->sb, &inode, &st);
	fuse_reply_attr(req, &st, MICA_OPS_FOREVER);
}

static void ops_statfs(fuse_req_t req, fuse_ino_t node)
{
	const struct mica_super *sb = mica_ops_session(req)->sb;
	struct statvfs st = {
		.f_bsize = sb->block_size,
		.f_frsize = sb->block_size,
		.f_blocks = sb->blocks,
		.f_files = sb->inos,
		.f_namemax = EROFS_NAME_MAX,
	};

	(void)node;
	fuse_reply_statfs(req, &st);
}

static void reply_status(fuse_req_t req, bool json)
{
	const struct mica_session *s = mica_ops_session(req);
	cleanup_free struct mica_status *status = calloc(1, sizeof(*status));
	struct mica_err err = {.code = MICA_E_NOMEM};

	if (!status || mica_status_write(s, json, mica_uring_brought(req), status, &err))
		fuse_reply_err(req, mica_err_errno(&err));
	else
		fuse_reply_ioctl(req, 0, status, sizeof(*status));
}

/* Paths of the host are for those who could as well see them there. */
static bool may_ask(fuse_req_t req)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	return uid == 0 || uid == geteuid();
}

void mica_ops_ioctl(fuse_req_t req, fuse_ino_t node, unsigned int cmd, void *arg,
		    struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
		    size_t out_size)
{
	bool json = cmd == (unsigned int)MICA_IOC_STATUS_JSON;
	int pid = getpid();

	(void)node;
	(void)arg;
	(void)fi;
	(void)flags;
	(void)in;
	(void)in_size;
	if (cmd == (unsigned int)MICA_IOC_SERVER_PID && out_size >= sizeof(pid))
		fuse_reply_ioctl(req, 0, &pid, sizeof(pid));
	else if ((!json && cmd != (unsigned int)MICA_IOC_STATUS) ||
		 out_size < sizeof(struct mica_status))
		fuse_reply_err(req, ENOTTY);
	else if (may_ask(req))
		reply_status(req, json);
	else
		fuse_reply_err(req, EPERM);
}

/*
 * Nothing is kept for a node, so there is no FORGET; OPEN and OPENDIR are
 * refused once, and the kernel then does without. FLUSH, RELEASE, ACCESS and
 * the rest have no operation: libfuse answers that they are not needed.
 */
const struct fuse_lowlevel_ops mica_ops = {
	.init = ops_init,
	.lookup = ops_lookup,
	.getattr = ops_getattr,
	.readlink = mica_ops_readlink,
	.open = mica_ops_open,
	.read = mica_ops_read,
	.lseek = mica_ops_lseek,
	.opendir = mica_ops_opendir,
	.readdir = mica_ops_readdir,
	.readdirplus = mica_ops_readdirplus,
	.statfs = ops_statfs,
	.getxattr = mica_ops_getxattr,
	.listxattr = mica_ops_listxattr,
	.ioctl = mica_ops_ioctl,
};
