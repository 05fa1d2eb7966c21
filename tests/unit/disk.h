/* SPDX-License-Identifier: MIT */
/*
 * Images put together byte by byte, so that a test can break a single rule.
 * Blocks of 4 KiB; metadata begins in block 1.
 */
#ifndef MICA_TESTS_DISK_H
#define MICA_TESTS_DISK_H

#include <stdint.h>

#include "../../lib/image.h"

#define DISK_BLOCK  4096u
#define DISK_BLOCKS 64u
#define DISK_ROOT   2u /* nid of the root directory */
#define DISK_FILE   8u /* nid of "file" in it, free to be changed */
#define DISK_DATA   8u /* first block that disk_init() leaves alone */

struct disk {
	uint8_t data[DISK_BLOCKS * DISK_BLOCK];
};

void disk_init(struct disk *d);

/* An extended inode; returns the bytes behind it. */
uint8_t *disk_inode(struct disk *d, uint64_t nid, enum erofs_layout layout, uint16_t mode,
		    uint64_t size, uint32_t u);
struct erofs_inode_extended_disk *disk_inode_at(struct disk *d, uint64_t nid);
struct erofs_super_disk *disk_super(struct disk *d);
uint8_t *disk_block(struct disk *d, unsigned int block);

void put16(void *p, uint16_t v);
void put32(void *p, uint32_t v);
void put64(void *p, uint64_t v);

/* Open it without looking at the checksum; d must outlive *out. */
int disk_open(struct disk *d, struct mica_image **out, struct mica_err *err);

/* As above for a good image, which is then free to be broken. */
struct mica_image *disk_image(struct disk *d);

/* Fail unless ret is code and the message holds text. */
void disk_expect(int ret, int code, const struct mica_err *err, const char *text);

#endif
