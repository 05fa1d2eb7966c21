/* SPDX-License-Identifier: MIT */
/*
 * Tar headers: 512-byte blocks of text fields (POSIX ustar, with GNU's and
 * star's extensions in the same places). An entry is a header, its data and
 * zeros up to the next multiple of 512; an archive ends with two blocks of
 * zeros. Long names and everything that has no field of its own comes in
 * entries that stand before the one they describe.
 */
#ifndef MICA_FORMATS_TAR_H
#define MICA_FORMATS_TAR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MICA_TAR_BLOCK 512

enum mica_tar_type {
	MICA_TAR_REG_OLD = '\0',
	MICA_TAR_REG = '0',
	MICA_TAR_HARDLINK = '1',
	MICA_TAR_SYMLINK = '2',
	MICA_TAR_CHR = '3',
	MICA_TAR_BLK = '4',
	MICA_TAR_DIR = '5',
	MICA_TAR_FIFO = '6',
	MICA_TAR_CONTIGUOUS = '7',
	MICA_TAR_PAX = 'x',	    /* records for the next entry */
	MICA_TAR_PAX_SUN = 'X',	    /* the same, from Solaris */
	MICA_TAR_PAX_GLOBAL = 'g',  /* records for all entries that follow */
	MICA_TAR_GNU_NAME = 'L',    /* path of the next entry */
	MICA_TAR_GNU_LINK = 'K',    /* link target of the next entry */
	MICA_TAR_GNU_SPARSE = 'S',  /* regular file with a map in the header */
	MICA_TAR_GNU_DUMPDIR = 'D', /* directory, its listing as data */
	MICA_TAR_GNU_VOLUME = 'V',  /* label of the archive */
	MICA_TAR_GNU_MULTI = 'M',   /* the rest of a file of another volume */
	MICA_TAR_GNU_RENAMES = 'N', /* names, long out of use */
	MICA_TAR_SUN_ACL = 'A',
};

/* Text is NUL-terminated unless it fills its field. Numbers: see mica_tar_number(). */
struct mica_tar_header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size
		[12]; /* bytes of data; links, directories and devices have none, whatever it says */
	char mtime[12];
	char chksum[8]; /* sum of all bytes of the block, these eight taken as spaces */
	char typeflag;
	char linkname[100];
	char magic[6]; /* "ustar\0" POSIX, "ustar " GNU, else older than both */
	char version[2];
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix
		[155]; /* POSIX: of the path, joined to name by a '/'; GNU: struct mica_tar_gnu */
	char pad[12];
};

/* A run of data: numbytes stored bytes belong at offset. An empty one ends the map. */
struct mica_tar_run {
	char offset[12];
	char numbytes[12];
};

/* What GNU has in the place of prefix. */
struct mica_tar_gnu {
	char atime[12];
	char ctime[12];
	char offset[12];
	char longnames[4];
	char unused;
	struct mica_tar_run sparse[4];
	char isextended; /* not 0: struct mica_tar_sparse blocks follow the header */
	char realsize[12];
	char pad[17];
};

struct mica_tar_sparse {
	struct mica_tar_run sparse[21];
	char isextended; /* not 0: another one follows */
	char pad[7];
};

static_assert(sizeof(struct mica_tar_header) == MICA_TAR_BLOCK, "tar header");
static_assert(offsetof(struct mica_tar_header, chksum) == 148, "tar header");
static_assert(offsetof(struct mica_tar_header, typeflag) == 156, "tar header");
static_assert(offsetof(struct mica_tar_header, magic) == 257, "tar header");
static_assert(offsetof(struct mica_tar_header, prefix) == 345, "tar header");
static_assert(sizeof(struct mica_tar_gnu) == 167, "GNU tar header");
static_assert(offsetof(struct mica_tar_gnu, isextended) == 137, "GNU tar header");
static_assert(sizeof(struct mica_tar_sparse) == MICA_TAR_BLOCK, "GNU tar sparse block");

bool mica_tar_is_zero(const void *block);

/* True when the checksum is right, whether bytes were summed signed or unsigned. */
bool mica_tar_checksum_ok(const struct mica_tar_header *h);

bool mica_tar_is_posix(const struct mica_tar_header *h);
bool mica_tar_is_gnu(const struct mica_tar_header *h);

/*
 * A numeric field: octal digits between optional spaces and a space or NUL, or,
 * with the top bit of the first byte set, a big-endian two's complement number
 * in the remaining bits. An empty field is 0. False: neither, or over 63 bits.
 */
bool mica_tar_number(const char *field, size_t len, int64_t *out);

#endif
