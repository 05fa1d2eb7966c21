/* SPDX-License-Identifier: MIT */
#include "crc32c.h"

#define POLYNOMIAL 0x82f63b78u

uint32_t mica_crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	/* Bit by bit: it sees one block for each image, a table would not pay. */
	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return crc;
}
