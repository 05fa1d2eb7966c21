/* SPDX-License-Identifier: MIT */
/*
 * Directories. A cookie of the reader's cursor is the kernel's offset, so a
 * request needs nothing from the one before it.
 */
#include "ops.h"

#include <errno.h>
#include <string.h>

#include "../lib/filetype.h"

void mica_ops_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	if (mica_ops_session(req)->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fi->cache_readdir = 1;
	fuse_reply_open(req, fi);
}

static bool name_is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* What the entry alone says; without a node the kernel asks again by name when it must. */
static void entry_plain(const struct mica_super *sb, const struct mica_dirent *de,
			struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.attr = {.st_ino = mica_super_ino(sb, de->nid),
			 .st_mode = mica_filetype_mode(de->type)},
	};
}

/* Put one entry into buf; 0 when it does not fit. */
static size_t entry_add(fuse_req_t req, const struct mica_inode *dir, char *buf, size_t cap,
			const struct mica_dirent *de, bool plus)
{
	struct mica_session *s = mica_ops_session(req);
	struct fuse_entry_param entry;
	struct mica_inode inode;
	struct mica_err err;
	size_t need;

	entry_plain(s->sb, de, &entry);
	if (!plus) {
		need = fuse_add_direntry(req, buf, cap, de->name, &entry.attr, (off_t)de->next);
		return need <= cap ? need : 0;
	}
	/* a broken inode must not hide its siblings: it fails when it is asked for */
	if (!name_is_dots(de->name) && !mica_image_inode(s->image, de->nid, &inode, &err))
		mica_ops_entry(s->sb, &inode, &entry);
	need = fuse_add_direntry_plus(req, buf, cap, de->name, &entry, (off_t)de->next);
	if (need > cap)
		return 0;
	if (entry.ino)
		mica_session_named(s, dir, de->name, &inode, true);
	return need;
}

/* Returns the bytes used, or a code when not even one entry could be read. */
static long entries_fill(fuse_req_t req, const struct mica_inode *inode, char *buf, size_t cap,
			 uint64_t cookie, bool plus, struct mica_err *err)
{
	cleanup_dir struct mica_dir *dir = NULL;
	struct mica_dirent de;
	size_t used = 0, n;
	int ret;

	ret = mica_dir_open(mica_ops_session(req)->image, inode, &dir, err);
	if (ret)
		return ret;
	mica_dir_seek(dir, cookie);
	while ((ret = mica_dir_next(dir, &de, err)) > 0) {
		n = entry_add(req, inode, buf + used, cap - used, &de, plus);
		if (!n)
			break;
		used += n;
	}
	/* what was read before an error is shown; the next request meets the error */
	return ret < 0 && !used ? ret : (long)used;
}

static void readdir_reply(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, bool plus)
{
	struct mica_session *s = mica_ops_session(req);
	struct mica_inode inode;
	struct mica_err err;
	char *buf;
	long n;

	if (!mica_ops_inode(req, node, &inode))
		return;
	buf = mica_session_buffer(s, size);
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	n = entries_fill(req, &inode, buf, size, (uint64_t)off, plus, &err);
	if (n < 0)
		mica_ops_fail(req, inode.nid, "read directory", &err);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void mica_ops_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	(void)fi;
	readdir_reply(req, node, size, off, false);
}

void mica_ops_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
			  struct fuse_file_info *fi)
{
	(void)fi;
	readdir_reply(req, node, size, off, true);
}
