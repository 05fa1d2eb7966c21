/* SPDX-License-Identifier: MIT */
/*
 * Rules of the superblock and of the algorithm configurations behind it, as
 * the kernel enforces them when it mounts.
 */
#ifndef MICA_FORMATS_EROFS_SUPER_H
#define MICA_FORMATS_EROFS_SUPER_H

#include <stdbool.h>

#include "erofs.h"

/* What a check objected to. */
struct erofs_fault {
	bool unsupported; /* obeys the format, but uses a feature that is not known */
	char text[160];	  /* "blkszbits 20 is not within 9..16" */
};

/* Bytes of the superblock with its extension slots. */
static inline uint32_t erofs_super_size(const struct erofs_super_disk *sb)
{
	return EROFS_SUPER_SIZE + EROFS_EXTSLOT_SIZE * sb->sb_extslots;
}

/* Bytes that the checksum covers, from EROFS_SUPER_OFFSET on. */
static inline uint32_t erofs_super_sum_len(unsigned int blkbits)
{
	uint32_t len = 1u << blkbits;

	return len > EROFS_SUPER_OFFSET ? len - EROFS_SUPER_OFFSET : len;
}

/* data: erofs_super_sum_len() bytes that begin with the superblock */
uint32_t erofs_super_sum(const void *data, size_t len);

/* Magic and block size, without which nothing else can be found; 0 or -1. */
int erofs_super_check_magic(const struct erofs_super_disk *sb, struct erofs_fault *fault);

/* All other fields, after the checksum; what lies outside sb_extslots is zero in sb. */
int erofs_super_check(const struct erofs_super_disk *sb, struct erofs_fault *fault);

/* The longest configuration that is looked at. */
#define EROFS_CFG_MAX 14u

/* The configuration of alg: len as stored, body holds its first bytes (EROFS_CFG_MAX at most). */
int erofs_cfg_check(enum erofs_alg alg, const void *body, size_t len, unsigned int blkbits,
		    struct erofs_fault *fault);

#endif
