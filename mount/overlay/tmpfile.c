/* SPDX-License-Identifier: MIT */
/*
 * Files that begin without a name (O_TMPFILE) and may be given one. Only built where libfuse
 * knows the request.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backing.h"
#include "change.h"
#include "copyup.h"
#include "layer_impl.h"
#include "lookup.h"
#include "origin.h"

#define PROC_MAX 32

/* In the directory itself, from which the host lets it inherit group and ACL. */
static int host_make(const struct mica_place *dir, const struct mica_make *what, int *fd)
{
	bool acl = mica_place_getxattr(dir, "system.posix_acl_default", NULL, 0) > 0;
	cleanup_fd int at = mica_in_dir_open_as(dir, O_RDONLY | O_DIRECTORY);
	mode_t mode = what->mode & (acl ? 07777 : 07777 & ~what->umask);
	struct stat st;

	if (at < 0)
		return at;
	*fd = openat(at, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (*fd < 0 || fstat(at, &st) < 0)
		return -errno;
	if (fchown(*fd, what->uid, st.st_mode & S_ISGID ? (gid_t)-1 : what->gid) < 0)
		return -errno;
	/* the change of owner took these away */
	return mode & (S_ISUID | S_ISGID) && fchmod(*fd, mode) < 0 ? -errno : 0;
}

/* A node like that of a file whose name was removed: it is its descriptor. */
static int node_make(struct mica_ovl *ovl, struct mica_node *dir, int fd, struct mica_node **out,
		     struct stat *st)
{
	struct mica_node *node = mica_node_new(ovl, dir, "");
	char proc[PROC_MAX];

	if (!node)
		return -ENOMEM;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	node->fd = open(proc, O_PATH | O_CLOEXEC);
	if (node->fd < 0 || fstat(fd, st) < 0) {
		int ret = -errno;

		mica_node_drop(ovl, node);
		return ret;
	}
	node->upper = node->removed = true;
	node->upper_ino = st->st_ino;
	node->type = S_IFREG;
	node->id = mica_ovl_number(&ovl->upper.layer, st->st_ino);
	*out = mica_node_intern(ovl, node);
	return mica_ovl_stat(ovl, *out, st);
}

static int tmpfile_make(struct mica_ovl *ovl, struct mica_node *dir, const struct mica_make *what,
			struct mica_node **out, struct stat *st)
{
	struct mica_place parent;
	cleanup_fd int fd = -1;
	int ret = dir->removed ? -ENOENT : mica_copy_up(ovl, dir, UINT64_MAX);

	if (ovl->upper.layer.owners)
		return -EOPNOTSUPP;
	if (!ret)
		ret = mica_node_upper(ovl, dir, &parent);
	if (!ret)
		ret = host_make(&parent, what, &fd);
	return ret ? ret : node_make(ovl, dir, fd, out, st);
}

static void reply(fuse_req_t req, struct mica_node *node, const struct stat *st,
		  struct fuse_file_info *fi)
{
	const struct mica_session *s = fuse_req_userdata(req);
	struct mica_ovl *ovl = s->ovl;
	struct fuse_entry_param entry;
	uint64_t id = node->id;

	fi->keep_cache = 1;
	if (s->passthrough == MICA_PASSTHROUGH_ON)
		mica_backing_open(req, node, -1, fi);
	mica_ovl_fill_entry(ovl, node, st, &entry);
	mica_node_looked_up(ovl, node);
	mica_node_put(ovl, node);
	if (fuse_reply_create(req, &entry, fi))
		mica_node_forget(ovl, id, 1);
}

void mica_ovl_tmpfile(fuse_req_t req, fuse_ino_t dir_id, mode_t mode, struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct mica_make what = {
		.mode = mode, .umask = ctx->umask, .uid = ctx->uid, .gid = ctx->gid};
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *dir = mica_ovl_begin(req, dir_id), *node = NULL;
	struct stat st;
	int ret;

	if (!dir)
		return;
	ret = mica_ids_store(&ovl->ids->uids, geteuid(), &what.uid);
	if (!ret)
		ret = mica_ids_store(&ovl->ids->gids, getegid(), &what.gid);
	pthread_rwlock_rdlock(&ovl->tree);
	if (!ret)
		ret = tmpfile_make(ovl, dir, &what, &node, &st);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, dir);
	if (ret)
		mica_node_put(ovl, node);
	if (!mica_ovl_failed(req, ret))
		reply(req, node, &st, fi);
}
