/* SPDX-License-Identifier: MIT */
/* Requests that give and take names. */
#include "ops.h"

#include <unistd.h>

#include "change.h"

static void make(fuse_req_t req, fuse_ino_t dir_id, const char *name, struct mica_make *what)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *dir = mica_ovl_begin(req, dir_id), *node = NULL;
	struct stat st;
	int ret;

	if (!dir)
		return;
	what->uid = ctx->uid;
	what->gid = ctx->gid;
	what->umask = ctx->umask;
	ret = mica_ids_store(&ovl->ids->uids, geteuid(), &what->uid);
	if (!ret)
		ret = mica_ids_store(&ovl->ids->gids, getegid(), &what->gid);
	if (!ret)
		ret = mica_change_make(ovl, dir, name, what, &node, &st);
	mica_node_put(ovl, dir);
	if (!mica_ovl_failed(req, ret))
		mica_ovl_entry(req, node, &st);
}

void mica_ovl_mknod(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode, dev_t rdev)
{
	make(req, dir, name, &(struct mica_make){.mode = mode, .rdev = rdev});
}

void mica_ovl_mkdir(fuse_req_t req, fuse_ino_t dir, const char *name, mode_t mode)
{
	make(req, dir, name, &(struct mica_make){.mode = S_IFDIR | mode});
}

void mica_ovl_symlink(fuse_req_t req, const char *target, fuse_ino_t dir, const char *name)
{
	make(req, dir, name, &(struct mica_make){.mode = S_IFLNK | 0777, .target = target});
}

void mica_ovl_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t dir_id, const char *name)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = mica_ovl_begin(req, id), *dir;
	struct stat st;
	int ret;

	if (!node)
		return;
	dir = mica_ovl_begin(req, dir_id);
	if (!dir) {
		mica_node_put(ovl, node);
		return;
	}
	ret = mica_change_link(ovl, node, dir, name, &st);
	mica_node_put(ovl, dir);
	if (ret)
		mica_node_put(ovl, node);
	if (!mica_ovl_failed(req, ret))
		mica_ovl_entry(req, node, &st);
}

static void remove_name(fuse_req_t req, fuse_ino_t dir_id, const char *name, bool is_dir)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *dir = mica_ovl_begin(req, dir_id);
	int ret;

	if (!dir)
		return;
	ret = mica_change_remove(ovl, dir, name, is_dir);
	mica_node_put(ovl, dir);
	mica_ovl_answer(req, ret);
}

void mica_ovl_unlink(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, dir, name, false);
}

void mica_ovl_rmdir(fuse_req_t req, fuse_ino_t dir, const char *name)
{
	remove_name(req, dir, name, true);
}

void mica_ovl_rename(fuse_req_t req, fuse_ino_t dir_id, const char *name, fuse_ino_t new_dir_id,
		     const char *new_name, unsigned int flags)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *dir = mica_ovl_begin(req, dir_id), *new_dir;
	int ret;

	if (!dir)
		return;
	new_dir = mica_ovl_begin(req, new_dir_id);
	if (!new_dir) {
		mica_node_put(ovl, dir);
		return;
	}
	ret = mica_change_rename(ovl, dir, name, new_dir, new_name, flags);
	mica_node_put(ovl, dir);
	mica_node_put(ovl, new_dir);
	mica_ovl_answer(req, ret);
}
