/* SPDX-License-Identifier: MIT */
/* The good image that bad ones are made from: where its parts lie. */
#ifndef MICA_TESTS_BADIMAGE_H
#define MICA_TESTS_BADIMAGE_H

#include <stdint.h>

#include "../../formats/erofs.h"

#define GOOD_BLOCK 4096u
#define GOOD_SIZE  (16 * GOOD_BLOCK)

/* Blocks */
enum {
	BLK_SUPER,
	BLK_META, /* and the one behind it */
	BLK_XATTR = 3,
	BLK_ROOT,      /* the root's entries */
	BLK_FLAT,      /* two */
	BLK_CHUNK = 7, /* two */
	BLK_FULL = 9,
	BLK_COMPACT,
	BLK_EXTENTS, /* encoded, then plain */
	BLK_EXTENTS2,
	BLK_PACKED,
	BLK_BOX, /* the metabox; in the good image not referenced, as the one behind it */
};

/* Inodes; each has 256 bytes, 8 nids. */
enum {
	I_ROOT = 1,
	I_SUB,	/* flat inline directory */
	I_FLAT, /* extended, 5,000 bytes in 2 blocks */
	I_INLINE,
	I_LINK,
	I_CHUNK,    /* indexes: block, block, hole */
	I_BLOCKMAP, /* shares the first chunk */
	I_FULL,	    /* LZ4, full index: HEAD NONHEAD NONHEAD */
	I_COMPACT,  /* LZ4, compact index, 2 lclusters */
	I_EXTENTS,  /* two 16-byte records */
	I_XATTR,
	I_HARD, /* two names */
	I_FRAG,
	I_PACKED,
	I_DEV,
	I_INNER,
	I_METABOX, /* boxed image: flat plain, BOX_SIZE bytes */
};

/* In the metabox; each has 256 bytes as well. */
enum {
	B_FILE = 1,
	B_DIR, /* without "." */
};

#define NID(k)	     (8ULL * (k))
#define INODE_OFF(k) (BLK_META * GOOD_BLOCK + 256u * (k))
#define BOX_NID(k)   (EROFS_NID_METABOX | NID(k))
#define BOX_OFF(k)   (BLK_BOX * GOOD_BLOCK + 256u * (k))
#define BOX_SIZE     (3 * 256u)
#define ROOT_DIR_OFF (BLK_ROOT * GOOD_BLOCK)

/* Behind a 32-byte inode without xattrs: inline data, chunk map or map header */
#define BODY_OFF(k) (INODE_OFF(k) + 32u)

/* In I_XATTR: the header, the shared id, then the entries user.a and user.bb */
#define XATTR_OFF   BODY_OFF(I_XATTR)
#define XATTR_ID    (XATTR_OFF + 12)
#define XATTR_ENTRY (XATTR_OFF + 16)

/* Configuration of LZ4: behind the superblock */
#define CFG_OFF (EROFS_SUPER_OFFSET + EROFS_SUPER_SIZE)

/* image: GOOD_SIZE bytes; everything but the checksum */
void good_image(uint8_t *image);
/* the same with a metabox: sub/box, sub/box/file */
void boxed_image(uint8_t *image);

#endif
