/* SPDX-License-Identifier: MIT */
/*
 * Layer images whose stored data an image refers to. Their files are the devices
 * of its device table, in the same order; in one address space they lie behind
 * the image, one after the other.
 */
#ifndef MICA_MKIMAGE_BASES_H
#define MICA_MKIMAGE_BASES_H

#include "../lib/algcfg.h"
#include "../lib/image.h"
#include "../lib/tree.h"
#include "../lib/util.h"
#include "compat.h"
#include "extlist.h"

/* The table has 16 bits for their number. */
#define MICA_BASES_MAX 65535u

struct mica_outfile;

/* What becomes of a base's packed inode. */
enum mica_packed {
	MICA_PACKED_UNKNOWN, /* no file needed it yet */
	MICA_PACKED_JOINED,  /* to those of other bases */
	MICA_PACKED_ALONE,   /* it does not fit to those */
};

struct mica_base {
	const char *path; /* borrowed */
	uint64_t bytes;	  /* of the file */
	uint64_t blocks;  /* of the image's size */
	char tag[65];	  /* in the device table: that of the image, as text */
	uint64_t start;	  /* bytes in the address space; set by the layout */
	uint8_t uuid[16];
	enum mica_packed packed;
	unsigned int packed_rank; /* number in the joined one */
	uint64_t fragments;	  /* where it begins there */
};

struct mica_known;

struct mica_bases {
	struct mica_base *v;
	unsigned int count;
	unsigned int kernel;	  /* the oldest that reads the data of all: MICA_KERNEL() */
	const char *kernel_path;  /* of a layer that needs it */
	struct mica_algcfgs cfgs; /* of all of them together */
	struct mica_extlist list; /* of the file that is referred to */
	uint64_t bytes_referred;
	/* the joined packed inode */
	bool extents; /* it may have encoded extents; set by the caller */
	uint64_t packed_size;
	unsigned int packed_count, packed_algs;
	bool packed_rotated, packed_straight;
	struct mica_known *known; /* files whose content may come again; owned */
};

/* paths: bottom to top, borrowed. *out is for mica_bases_free() in any case. */
int mica_bases_open(const char *const *paths, unsigned int count, struct mica_bases *out,
		    struct mica_err *err);
void mica_bases_free(struct mica_bases *bases);

/*
 * What --compat must be at least, flat: for a joined image. given: it must not be raised.
 * MICA_E_USAGE names who needs more.
 */
int mica_bases_settle(struct mica_bases *bases, bool flat, bool given, struct mica_compat *compat,
		      struct mica_err *err);

/* Where bases begin when nobody knows yet where the image will end: in the middle of the space. */
#define MICA_BASES_FAR ((uint64_t)1 << 43)

/* Places of all layers behind an image that ends at byte end, in its blocks. */
int mica_bases_place(struct mica_bases *bases, uint64_t end, unsigned int block_bits,
		     struct mica_err *err);

/* Where byte pstart of a device is in the one address space; dev 0, bases NULL: there already. */
static inline uint64_t mica_bases_address(const struct mica_bases *bases, uint16_t dev,
					  uint64_t pstart)
{
	return bases && dev ? bases->v[dev - 1].start + pstart : pstart;
}

/* Puts the files of all layers where mica_bases_place() has them. */
int mica_bases_append(const struct mica_bases *bases, struct mica_outfile *out,
		      struct mica_err *err);

/* The files of all, opened, in order: count of them and room for one more; malloc'd. */
int mica_bases_ios(const struct mica_bases *bases, struct mica_io ***out, struct mica_err *err);

/* The image of a layer, which must still be the one that mica_bases_open() met. */
int mica_bases_check(const struct mica_bases *bases, unsigned int base,
		     const struct mica_image *img, struct mica_err *err);

/* The extent that begins at byte la of a file of a base, so that walking on from it ends. */
int mica_bases_map(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		   struct mica_extent *out, struct mica_err *err);

int mica_bases_reopen(const struct mica_bases *bases, unsigned int base, struct mica_image **out,
		      struct mica_err *err);

/*
 * Where byte *off of a base's packed inode is in the joined one. 1: nowhere, the
 * content has to be copied.
 */
int mica_bases_fragment(struct mica_bases *bases, unsigned int base, struct mica_image *img,
			uint64_t *off, struct mica_err *err);

/*
 * The extents of all packed inodes that were joined, into list; what cannot stay in
 * a base goes to out. more: others will follow, so the last one ends with a block, too.
 */
int mica_bases_join(struct mica_bases *bases, struct mica_outfile *out, struct mica_spool *spool,
		    struct mica_extlist *list, bool more, struct mica_err *err);

/*
 * After the last file: write what the joined packed inode has in the image itself,
 * and give inode its size and data. There is one when packed_count is not 0.
 */
int mica_bases_pack(struct mica_bases *bases, struct mica_outfile *out, struct mica_spool *spool,
		    struct mica_tinode *inode, struct mica_err *err);

/*
 * Give *out the data of a regular file of a layer's image. 0: done; 1: it cannot be
 * told by reference, the content has to be copied.
 */
int mica_bases_refer(struct mica_bases *bases, unsigned int base, struct mica_image *img,
		     const struct mica_inode *inode, struct mica_spool *spool,
		     struct mica_data *out, struct mica_err *err);

struct mica_packer;

/*
 * Tell the packer of all contents that the bases have, before any other comes. What
 * comes later with the same content is referred to.
 */
int mica_bases_tell(struct mica_bases *bases, struct mica_packer *packer, struct mica_outfile *out,
		    struct mica_spool *spool, struct mica_err *err);
void mica_bases_forget(struct mica_bases *bases);

#endif
