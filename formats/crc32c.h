/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), reflected, as the superblock's checksum uses it. */
#ifndef MICA_FORMATS_CRC32C_H
#define MICA_FORMATS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Feed data into crc, without the usual inversion at either end: EROFS starts
 * with ~0 and stores the result as it is.
 */
uint32_t mica_crc32c(uint32_t crc, const void *data, size_t len);

#endif
