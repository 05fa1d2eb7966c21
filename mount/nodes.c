/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <sys/sysmacros.h>

void mica_node_stat(const struct mica_super *sb, const struct mica_inode *inode, struct stat *st)
{
	struct mica_stat s;

	mica_inode_stat(sb, inode, &s);
	*st = (struct stat){
		.st_ino = s.ino,
		.st_mode = s.mode,
		.st_nlink = s.nlink,
		.st_uid = s.uid,
		.st_gid = s.gid,
		.st_rdev = makedev(s.rdev_major, s.rdev_minor),
		.st_size = (off_t)s.size,
		.st_blksize = (blksize_t)s.block_size,
		.st_blocks = (blkcnt_t)s.blocks,
		.st_mtim = {.tv_sec = s.mtime, .tv_nsec = s.mtime_nsec},
	};
	/* EROFS stores one time only */
	st->st_atim = st->st_mtim;
	st->st_ctim = st->st_mtim;
}
