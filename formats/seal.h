/* SPDX-License-Identifier: MIT */
/*
 * The seal: a checksum of the whole image, in the 1,024 bytes before the
 * superblock, which EROFS leaves to others. EROFS itself has a checksum of the
 * superblock's block only. It finds accidents (a flipped byte, a lost write),
 * not attackers; readers that do not know it lose nothing. The first 960 bytes
 * are free for a boot loader and not covered.
 */
#ifndef MICA_FORMATS_SEAL_H
#define MICA_FORMATS_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "le.h"

#define MICA_SEAL_OFFSET  960u
#define MICA_SEAL_VERSION 1u
#define MICA_SEAL_HEAD	  4096u /* the first block: hashed last, since it is written last */
#define MICA_SEAL_SUM	  16u

/* What the builder knows of the whole image. */
#define MICA_SEAL_NO_XATTRS 1u /* no inode has any */
#define MICA_SEAL_FLAGS	    MICA_SEAL_NO_XATTRS

struct mica_seal_disk {
	uint8_t magic[8];      /* "micaseal" */
	le32 version;	       /* 1 */
	le32 flags;	       /* MICA_SEAL_NO_XATTRS; the others 0 */
	le64 length;	       /* bytes of the image, at least MICA_SEAL_HEAD */
	uint8_t sum[16];       /* see mica_seal_sum() */
	uint8_t reserved2[24]; /* 0 */
};

_Static_assert(sizeof(struct mica_seal_disk) == 64, "seal");
_Static_assert(offsetof(struct mica_seal_disk, sum) == 24, "seal");

/*
 * The sum: XXH3-128 of (XXH3-128 of bytes 4096..length, then the seal with a
 * zero sum, then bytes 1024..4095), canonical byte order. head: the first 4096
 * bytes; the seal in it counts with its sum as zero.
 */
void mica_seal_sum(const uint8_t rest[MICA_SEAL_SUM], const uint8_t head[MICA_SEAL_HEAD],
		   uint8_t out[MICA_SEAL_SUM]);

/* Put a seal into head, over an image of length bytes; of flags those that there are. */
void mica_seal_make(uint8_t head[MICA_SEAL_HEAD], uint64_t length, uint32_t flags,
		    const uint8_t rest[MICA_SEAL_SUM]);

/*
 * Whether head has what may be a seal of this version: its magic, or, in case that
 * this is what was damaged, all that is the same in all seals but the magic. *out is
 * then a copy of it, *whole whether all of that is right.
 */
bool mica_seal_find(const uint8_t head[MICA_SEAL_HEAD], struct mica_seal_disk *out, bool *whole);

/* The flags of the seal that is found at the bytes from MICA_SEAL_OFFSET on; 0: there is none. */
uint32_t mica_seal_flags(const struct mica_seal_disk *seal);

#endif
