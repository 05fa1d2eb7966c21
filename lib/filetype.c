/* SPDX-License-Identifier: MIT */
#include "filetype.h"

#include <sys/stat.h>

uint8_t mica_filetype_of(uint16_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EROFS_FT_REG;
	case S_IFDIR:
		return EROFS_FT_DIR;
	case S_IFCHR:
		return EROFS_FT_CHR;
	case S_IFBLK:
		return EROFS_FT_BLK;
	case S_IFIFO:
		return EROFS_FT_FIFO;
	case S_IFSOCK:
		return EROFS_FT_SOCK;
	case S_IFLNK:
		return EROFS_FT_LNK;
	default:
		return EROFS_FT_UNKNOWN;
	}
}

uint32_t mica_filetype_mode(uint8_t type)
{
	static const uint32_t modes[] = {
		[EROFS_FT_REG] = S_IFREG, [EROFS_FT_DIR] = S_IFDIR,  [EROFS_FT_CHR] = S_IFCHR,
		[EROFS_FT_BLK] = S_IFBLK, [EROFS_FT_FIFO] = S_IFIFO, [EROFS_FT_SOCK] = S_IFSOCK,
		[EROFS_FT_LNK] = S_IFLNK,
	};

	return type < sizeof(modes) / sizeof(modes[0]) ? modes[type] : 0;
}

const char *mica_filetype_name(uint8_t type)
{
	static const char *const names[] = {"unknown",	    "file", "directory", "character device",
					    "block device", "FIFO", "socket",	 "symlink"};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "invalid";
}
