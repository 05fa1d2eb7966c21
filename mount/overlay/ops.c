/* SPDX-License-Identifier: MIT */
/* The connection, lookups, and what concerns the file system as a whole. */
#include "ops.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "../ops.h"
#include "../passthrough.h"
#include "anchors.h"
#include "lookup.h"

struct mica_node *mica_ovl_begin(fuse_req_t req, fuse_ino_t id)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *node = mica_node_get(ovl, id);

	mica_anchors_trim(ovl);
	if (!node)
		fuse_reply_err(req, ESTALE);
	return node;
}

bool mica_ovl_failed(fuse_req_t req, int ret)
{
	if (ret < 0)
		fuse_reply_err(req, -ret);
	return ret < 0;
}

void mica_ovl_answer(fuse_req_t req, int ret)
{
	fuse_reply_err(req, ret < 0 ? -ret : 0);
}

void mica_ovl_fill_entry(const struct mica_ovl *ovl, const struct mica_node *node,
			 const struct stat *st, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = node->id,
		.attr = *st,
		.attr_timeout = ovl->timeout,
		.entry_timeout = ovl->timeout,
	};
}

void mica_ovl_entry(fuse_req_t req, struct mica_node *node, const struct stat *st)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct fuse_entry_param entry;
	uint64_t id = node->id;

	mica_ovl_fill_entry(ovl, node, st, &entry);
	mica_node_looked_up(ovl, node);
	mica_node_put(ovl, node);
	/* a kernel that did not take the answer will never forget the node */
	if (fuse_reply_entry(req, &entry))
		mica_node_forget(ovl, id, 1);
}

static void ovl_init(void *userdata, struct fuse_conn_info *conn)
{
	struct mica_session *s = userdata;
	unsigned int want = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_PARALLEL_DIROPS |
			    FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS |
			    FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT |
			    FUSE_CAP_IOCTL_DIR | FUSE_CAP_DONT_MASK;

	mica_passthrough_choose(s, conn);
	if (s->passthrough == MICA_PASSTHROUGH_ON)
		want = (want & ~FUSE_CAP_NO_OPEN_SUPPORT) | MICA_CAP_PASSTHROUGH;
	else if (mica_ovl_writable(s->ovl) && s->ovl->flags & MICA_OVL_WRITEBACK)
		want |= FUSE_CAP_WRITEBACK_CACHE;
	mica_ops_negotiate(s, conn, want);
}

static void ovl_lookup(fuse_req_t req, fuse_ino_t dir_id, const char *name)
{
	struct fuse_entry_param absent = {.entry_timeout = mica_ovl_of(req)->timeout};
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *dir = mica_ovl_begin(req, dir_id), *node = NULL;
	struct stat st;
	int ret;

	if (!dir)
		return;
	pthread_rwlock_rdlock(&ovl->tree);
	ret = mica_ovl_lookup(ovl, dir, name, &node, &st);
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, dir);
	if (ret == -ENOENT)
		fuse_reply_entry(req, &absent); /* for the kernel to remember */
	else if (!mica_ovl_failed(req, ret))
		mica_ovl_entry(req, node, &st);
}

static void ovl_forget(fuse_req_t req, fuse_ino_t id, uint64_t lookups)
{
	mica_node_forget(mica_ovl_of(req), id, lookups);
	fuse_reply_none(req);
}

static void ovl_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		mica_node_forget(mica_ovl_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void ovl_statfs(fuse_req_t req, fuse_ino_t id)
{
	const struct mica_ovl *ovl = mica_ovl_of(req);
	struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = NAME_MAX};
	int ret = 0;

	(void)id;
	if (mica_ovl_writable(ovl))
		ret = fstatvfs(ovl->upper.work, &st) < 0 ? -errno : 0;
	for (unsigned int i = 0; !mica_ovl_writable(ovl) && i < ovl->lower_count; i++) {
		const struct mica_super *sb = ovl->lowers[i].sb;

		st.f_blocks += sb ? sb->blocks * sb->block_size / st.f_frsize : 0;
		st.f_files += sb ? sb->inos : 0;
	}
	if (!mica_ovl_failed(req, ret))
		fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops mica_ovl_ops = {
	.init = ovl_init,
	.lookup = ovl_lookup,
	.forget = ovl_forget,
	.forget_multi = ovl_forget_multi,
	.getattr = mica_ovl_getattr,
	.setattr = mica_ovl_setattr,
	.readlink = mica_ovl_readlink,
	.mknod = mica_ovl_mknod,
	.mkdir = mica_ovl_mkdir,
	.symlink = mica_ovl_symlink,
	.link = mica_ovl_link,
	.unlink = mica_ovl_unlink,
	.rmdir = mica_ovl_rmdir,
	.rename = mica_ovl_rename,
	.open = mica_ovl_open,
	.release = mica_ovl_release,
	.read = mica_ovl_read,
	.write = mica_ovl_write,
	.lseek = mica_ovl_lseek,
	.fallocate = mica_ovl_fallocate,
	.copy_file_range = mica_ovl_copy_file_range,
	.fsync = mica_ovl_fsync,
	.opendir = mica_ovl_opendir,
	.readdir = mica_ovl_readdir,
	.readdirplus = mica_ovl_readdirplus,
	.fsyncdir = mica_ovl_fsyncdir,
	.statfs = ovl_statfs,
	.getxattr = mica_ovl_getxattr,
	.listxattr = mica_ovl_listxattr,
	.setxattr = mica_ovl_setxattr,
	.removexattr = mica_ovl_removexattr,
	.ioctl = mica_ops_ioctl,
#ifdef MICA_FUSE_TMPFILE
	.tmpfile = mica_ovl_tmpfile,
#endif
};
