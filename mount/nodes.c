/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <string.h>
#include <sys/sysmacros.h>

#include "../lib/util.h"

#define SECTOR 512u

uint64_t mica_node_ino(const struct mica_super *sb, uint64_t nid)
{
	uint64_t offset = nid & ~EROFS_NID_METABOX;

	if (!(sb->feature_incompat & EROFS_INCOMPAT_METABOX))
		return nid;
	/*
	 * With a metabox the kernel tells the two kinds of nids apart by bit 31
	 * and moves all above it up by one, so that numbers stay small.
	 */
	return (offset & 0x7fffffffu) | (nid >> 63) << 31 | (offset >> 31) << 32;
}

void mica_node_stat(const struct mica_super *sb, const struct mica_inode *inode, struct stat *st)
{
	bool compressed = inode->layout == EROFS_LAYOUT_COMPRESSED_FULL ||
			  inode->layout == EROFS_LAYOUT_COMPRESSED_COMPACT;
	uint64_t blocks =
		compressed ? inode->cblocks : mica_div_round_up(inode->size, sb->block_size);

	*st = (struct stat){
		.st_ino = mica_node_ino(sb, inode->nid),
		.st_mode = inode->mode,
		.st_nlink = inode->nlink,
		.st_uid = inode->uid,
		.st_gid = inode->gid,
		.st_size = (off_t)inode->size,
		.st_blksize = (blksize_t)sb->block_size,
		.st_blocks = (blkcnt_t)(blocks * (sb->block_size / SECTOR)),
		.st_mtim = {.tv_sec = inode->mtime, .tv_nsec = inode->mtime_nsec},
	};
	/* EROFS stores one time only */
	st->st_atim = st->st_mtim;
	st->st_ctim = st->st_mtim;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		st->st_rdev = makedev(mica_rdev_major(inode->rdev), mica_rdev_minor(inode->rdev));
}

mode_t mica_node_type(uint8_t file_type)
{
	static const mode_t types[] = {
		[EROFS_FT_REG] = S_IFREG, [EROFS_FT_DIR] = S_IFDIR,  [EROFS_FT_CHR] = S_IFCHR,
		[EROFS_FT_BLK] = S_IFBLK, [EROFS_FT_FIFO] = S_IFIFO, [EROFS_FT_SOCK] = S_IFSOCK,
		[EROFS_FT_LNK] = S_IFLNK,
	};

	return file_type < sizeof(types) / sizeof(types[0]) ? types[file_type] : 0;
}
