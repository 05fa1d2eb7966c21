/* SPDX-License-Identifier: MIT */
/*
 * The on-disk structures of EROFS, as Linux 6.18 reads them
 * (fs/erofs/erofs_fs.h; prose: docs/format.md). Field comments give the
 * constraint, not the name again. Nothing here does I/O or allocates.
 */
#ifndef MICA_FORMATS_EROFS_H
#define MICA_FORMATS_EROFS_H

#include <stddef.h>

#include "le.h"

#define EROFS_MAGIC	   0xE0F5E1E2u
#define EROFS_SUPER_OFFSET 1024u
#define EROFS_SUPER_SIZE   128u /* without extension slots */
#define EROFS_EXTSLOT_SIZE 16u
#define EROFS_BLKBITS_MIN  9u
#define EROFS_BLKBITS_MAX  16u
#define EROFS_NAME_MAX	   255u
#define EROFS_NID_UNIT	   32u /* inode offset = meta_blkaddr * block + 32 * nid */
#define EROFS_NID_METABOX  (1ULL << 63)
#define EROFS_DEVSLOT_SIZE 128u
#define EROFS_XATTR_ALIGN  4u
#define EROFS_NULL_BLK	   0xffffffffu /* a hole in chunk maps, 32-bit address */

/* feature_compat: ignored by kernels that do not know them */
enum {
	EROFS_COMPAT_SB_CHKSUM = 0x1,		 /* 5.5 */
	EROFS_COMPAT_MTIME = 0x2,		 /* times are mtime */
	EROFS_COMPAT_XATTR_FILTER = 0x4,	 /* 6.6 uses it */
	EROFS_COMPAT_SHARED_EA_IN_METABOX = 0x8, /* 6.17 */
	EROFS_COMPAT_PLAIN_XATTR_PFX = 0x10,	 /* 6.17 */
	EROFS_COMPAT_ISHARE_XATTRS = 0x20,
	EROFS_COMPAT_ALL = 0x3f,
};

/* feature_incompat: a kernel refuses any bit that it does not know */
enum {
	EROFS_INCOMPAT_ZERO_PADDING = 0x1,    /* 5.4; set on every compressed image */
	EROFS_INCOMPAT_COMPR_CFGS = 0x2,      /* 5.13, with BIG_PCLUSTER */
	EROFS_INCOMPAT_CHUNKED_FILE = 0x4,    /* 5.15 */
	EROFS_INCOMPAT_DEVICE_TABLE = 0x8,    /* 5.16, with HEAD2 */
	EROFS_INCOMPAT_ZTAILPACKING = 0x10,   /* 5.17 */
	EROFS_INCOMPAT_FRAGMENTS = 0x20,      /* 6.1, with DEDUPE */
	EROFS_INCOMPAT_XATTR_PREFIXES = 0x40, /* 6.4 */
	EROFS_INCOMPAT_48BIT = 0x80,	      /* 6.15: encoded extents, compact mtime */
	EROFS_INCOMPAT_METABOX = 0x100,	      /* 6.17 */
	EROFS_INCOMPAT_ALL = 0x1ff,
};

enum erofs_layout {
	EROFS_LAYOUT_FLAT_PLAIN = 0,
	EROFS_LAYOUT_COMPRESSED_FULL = 1,
	EROFS_LAYOUT_FLAT_INLINE = 2,
	EROFS_LAYOUT_COMPRESSED_COMPACT = 3,
	EROFS_LAYOUT_CHUNK = 4,
};

enum erofs_file_type {
	EROFS_FT_UNKNOWN,
	EROFS_FT_REG,
	EROFS_FT_DIR,
	EROFS_FT_CHR,
	EROFS_FT_BLK,
	EROFS_FT_FIFO,
	EROFS_FT_SOCK,
	EROFS_FT_LNK,
};

enum erofs_alg {
	EROFS_ALG_LZ4 = 0,
	EROFS_ALG_LZMA = 1,
	EROFS_ALG_DEFLATE = 2,
	EROFS_ALG_ZSTD = 3,
	EROFS_ALG_MAX,
};

struct erofs_super_disk {
	le32 magic;    /* EROFS_MAGIC */
	le32 checksum; /* crc32c of the rest of the block, this field as zero */
	le32 feature_compat;
	uint8_t blkszbits;   /* 9..16; kernels take 9..12 on 4 KiB pages */
	uint8_t sb_extslots; /* superblock size = 128 + 16 * slots */
	le16 rootnid_2b;     /* 48BIT with rootnid_8b: bits 32.. of blocks */
	le64 inos;	     /* statfs only */
	le64 epoch;	     /* base of compact inodes' mtime, signed seconds */
	le32 fixed_nsec;     /* their nanoseconds, < 1e9 */
	le32 blocks_lo;	     /* statfs only */
	le32 meta_blkaddr;   /* block that nid 0 lies in */
	le32 xattr_blkaddr;  /* block that shared xattr 0 lies in */
	uint8_t uuid[16];
	uint8_t volume_name[16]; /* NUL-padded, may fill all 16 bytes */
	le32 feature_incompat;
	le16 algs; /* COMPR_CFGS: bitmap of 1 << enum erofs_alg; else lz4 max distance */
	le16 extra_devices;
	le16 devt_slotoff;  /* device table at 128 * this */
	uint8_t dirblkbits; /* must be 0 */
	uint8_t xattr_prefix_count;
	le32 xattr_prefix_start;       /* * 4 */
	le64 packed_nid;	       /* FRAGMENTS: the packed inode */
	uint8_t xattr_filter_reserved; /* must be 0 for the filter to be used */
	uint8_t ishare_prefix_id;
	uint8_t reserved[2];
	le32 build_time; /* seconds added to epoch */
	le64 rootnid_8b; /* 48BIT: root nid if not 0 */
	le64 reserved2;
	le64 metabox_nid; /* METABOX; in extension slot 1 */
	le64 reserved3;
};

struct erofs_inode_compact_disk {
	le16 format;	   /* bit 0 = 0; bits 1-3 layout; bit 4 NLINK_1 / DOT_OMITTED */
	le16 xattr_icount; /* 0, or (bytes - 12) / 4 + 1 */
	le16 mode;
	le16 nb; /* nlink; with NLINK_1 bits 32.. of startblk or blocks */
	le32 size;
	le32 mtime; /* 48BIT: seconds after epoch; else 0 */
	le32 u;	    /* startblk, compressed blocks, rdev or chunk format */
	le32 ino;
	le16 uid;
	le16 gid;
	le32 reserved;
};

struct erofs_inode_extended_disk {
	le16 format; /* bit 0 = 1 */
	le16 xattr_icount;
	le16 mode;
	le16 nb;   /* bits 32.. of startblk or blocks */
	le64 size; /* < 2^63 */
	le32 u;
	le32 ino;
	le32 uid;
	le32 gid;
	le64 mtime;	 /* signed seconds */
	le32 mtime_nsec; /* < 1e9 */
	le32 nlink;
	uint8_t reserved[16];
};

#define EROFS_FORMAT_EXTENDED  0x1u
#define EROFS_FORMAT_LAYOUT(f) (((f) >> 1) & 7u)
#define EROFS_FORMAT_BIT4      0x10u /* NLINK_1 (not directories), DOT_OMITTED (directories) */
#define EROFS_FORMAT_ALL       0x1fu

#define EROFS_CHUNK_BLKBITS_MASK 0x1fu
#define EROFS_CHUNK_INDEXES	 0x20u
#define EROFS_CHUNK_48BIT	 0x40u
#define EROFS_CHUNK_ALL		 0x7fu

struct erofs_chunk_index_disk {
	le16 startblk_hi;
	le16 device_id; /* 0: unified address space */
	le32 startblk_lo;
};

struct erofs_dirent_disk {
	le64 nid;
	le16 nameoff;	   /* of the first one: 12 * number of entries in the block */
	uint8_t file_type; /* enum erofs_file_type */
	uint8_t reserved;
};

struct erofs_xattr_ibody_disk {
	le32 name_filter;     /* bit set: no name with this hash is there */
	uint8_t shared_count; /* this many le32 ids follow */
	uint8_t reserved[7];
};

struct erofs_xattr_entry_disk {
	uint8_t name_len;   /* without the prefix */
	uint8_t name_index; /* enum erofs_xattr_index, or EROFS_XATTR_LONG | table index */
	le16 value_size;
};

enum erofs_xattr_index {
	EROFS_XATTR_USER = 1,
	EROFS_XATTR_ACL_ACCESS = 2,
	EROFS_XATTR_ACL_DEFAULT = 3,
	EROFS_XATTR_TRUSTED = 4,
	EROFS_XATTR_LUSTRE = 5,
	EROFS_XATTR_SECURITY = 6,
};

#define EROFS_XATTR_LONG	0x80u
#define EROFS_XATTR_FILTER_SEED 0x25BBE08Fu

struct erofs_device_disk {
	uint8_t tag[64];
	le32 blocks_lo;
	le32 uniaddr_lo;
	le16 blocks_hi;
	le16 uniaddr_hi;
	uint8_t reserved[52];
};

#define EROFS_PCLUSTER_MAX (1u << 20)  /* encoded bytes */
#define EROFS_EXTENT_MAX   (12u << 20) /* decoded bytes */

/* h_advise */
enum {
	EROFS_ADVISE_COMPACTED_2B = 0x1, /* layout 3 */
	EROFS_ADVISE_EXTENTS = 0x1,	 /* layout 1, 48BIT */
	EROFS_ADVISE_BIG_PCLUSTER_1 = 0x2,
	EROFS_ADVISE_BIG_PCLUSTER_2 = 0x4,
	EROFS_ADVISE_INLINE_PCLUSTER = 0x8,
	EROFS_ADVISE_INTERLACED = 0x10,
	EROFS_ADVISE_FRAGMENT = 0x20,
};

/* At the next multiple of 8 behind the inode's xattrs. */
struct erofs_map_header_disk {
	le32 a; /* fragment offset; or (inline bytes << 16); or extents, bits 0-31 */
	le16 advise;
	/* low nibble HEAD1, high HEAD2; records of 16 and 32 bytes: extents, bits 32-39 */
	uint8_t algs;
	/*
	 * low nibble + blkszbits = lclusterbits; bit 7: file is a fragment; records of 16 and
	 * 32 bytes: extents, bits 40-47
	 */
	uint8_t clusterbits;
};

#define EROFS_CLUSTERBITS_MASK 15u /* the low nibble */

enum erofs_lcluster_type {
	EROFS_LCLUSTER_PLAIN = 0,
	EROFS_LCLUSTER_HEAD1 = 1,
	EROFS_LCLUSTER_NONHEAD = 2,
	EROFS_LCLUSTER_HEAD2 = 3,
};

#define EROFS_LI_TYPE_MASK   3u
#define EROFS_LI_PARTIAL_REF (1u << 15)
#define EROFS_LI_D0_CBLKCNT  (1u << 11)

#define EROFS_FULL_INDEX_RESERVED 8u /* bytes between the map header and the full index */

struct erofs_lcluster_disk {
	le16 advise;	 /* type, PARTIAL_REF */
	le16 clusterofs; /* HEAD, PLAIN: < lcluster size */
	le32 u;		 /* HEAD, PLAIN: block; NONHEAD: delta0 | delta1 << 16 */
};

#define EROFS_EXT_PLEN_MASK    0x1fffffu
#define EROFS_EXT_PLEN_PARTIAL (1u << 27)
#define EROFS_EXT_FMT_SHIFT    28 /* 0: plain, else 1 + enum erofs_alg */

struct erofs_extent_disk {
	le32 plen;	/* bytes | PARTIAL | format; 0: hole */
	le32 pstart_lo; /* byte address */
	le32 pstart_hi;
	le32 lstart_lo;
	le32 lstart_hi;
	uint8_t reserved[12];
};

/* Algorithm configurations behind the superblock, each after a le16 length. */
struct erofs_lz4_cfg_disk {
	le16 max_distance;
	le16 max_pclusterblks;
	uint8_t reserved[10];
};

#define EROFS_LZMA_DICT_MIN 4096u
#define EROFS_LZMA_DICT_MAX (8u << 20)

struct erofs_lzma_cfg_disk {
	le32 dict_size; /* EROFS_LZMA_DICT_MIN..EROFS_LZMA_DICT_MAX */
	le16 format;	/* 0 */
	uint8_t reserved[8];
};

#define EROFS_DEFLATE_BITS_MAX 15u

struct erofs_deflate_cfg_disk {
	uint8_t windowbits; /* at most EROFS_DEFLATE_BITS_MAX */
	uint8_t reserved[5];
};

struct erofs_zstd_cfg_disk {
	uint8_t format;	   /* 0 */
	uint8_t windowlog; /* window log - 10, at most 10 */
	uint8_t reserved[4];
};

_Static_assert(sizeof(struct erofs_super_disk) == 144, "super");
_Static_assert(offsetof(struct erofs_super_disk, feature_incompat) == 80, "super");
_Static_assert(offsetof(struct erofs_super_disk, packed_nid) == 96, "super");
_Static_assert(offsetof(struct erofs_super_disk, rootnid_8b) == 112, "super");
_Static_assert(offsetof(struct erofs_super_disk, metabox_nid) == 128, "super");
_Static_assert(sizeof(struct erofs_inode_compact_disk) == 32, "compact inode");
_Static_assert(offsetof(struct erofs_inode_compact_disk, u) == 16, "compact inode");
_Static_assert(sizeof(struct erofs_inode_extended_disk) == 64, "extended inode");
_Static_assert(offsetof(struct erofs_inode_extended_disk, u) == 16, "extended inode");
_Static_assert(offsetof(struct erofs_inode_extended_disk, mtime) == 32, "extended inode");
_Static_assert(sizeof(struct erofs_chunk_index_disk) == 8, "chunk index");
_Static_assert(sizeof(struct erofs_dirent_disk) == 12, "dirent");
_Static_assert(sizeof(struct erofs_xattr_ibody_disk) == 12, "xattr ibody");
_Static_assert(sizeof(struct erofs_xattr_entry_disk) == 4, "xattr entry");
_Static_assert(sizeof(struct erofs_device_disk) == EROFS_DEVSLOT_SIZE, "device slot");
_Static_assert(sizeof(struct erofs_map_header_disk) == 8, "map header");
_Static_assert(sizeof(struct erofs_lcluster_disk) == 8, "lcluster");
_Static_assert(sizeof(struct erofs_extent_disk) == 32, "extent");
_Static_assert(offsetof(struct erofs_extent_disk, lstart_lo) == 12, "extent");
_Static_assert(sizeof(struct erofs_lz4_cfg_disk) == 14, "lz4 config");
_Static_assert(sizeof(struct erofs_lzma_cfg_disk) == 14, "lzma config");
_Static_assert(sizeof(struct erofs_deflate_cfg_disk) == 6, "deflate config");
_Static_assert(sizeof(struct erofs_zstd_cfg_disk) == 6, "zstd config");

#endif
