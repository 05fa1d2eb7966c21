/* SPDX-License-Identifier: MIT */
/*
 * Little-endian on-disk integers as types of their own, so that a forgotten
 * conversion does not compile. They have no alignment, hence structs made of
 * them have no padding.
 */
#ifndef MICA_FORMATS_LE_H
#define MICA_FORMATS_LE_H

#include <stdint.h>

typedef struct {
	uint8_t b[2];
} le16;

typedef struct {
	uint8_t b[4];
} le32;

typedef struct {
	uint8_t b[8];
} le64;

static inline uint16_t le16_get(le16 v)
{
	return (uint16_t)(v.b[0] | v.b[1] << 8);
}

static inline uint32_t le32_get(le32 v)
{
	return v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 | (uint32_t)v.b[3] << 24;
}

static inline uint64_t le64_get(le64 v)
{
	uint64_t lo =
		v.b[0] | (uint64_t)v.b[1] << 8 | (uint64_t)v.b[2] << 16 | (uint64_t)v.b[3] << 24;
	uint64_t hi =
		v.b[4] | (uint64_t)v.b[5] << 8 | (uint64_t)v.b[6] << 16 | (uint64_t)v.b[7] << 24;

	return lo | hi << 32;
}

static inline le16 le16_make(uint16_t v)
{
	return (le16){{(uint8_t)v, (uint8_t)(v >> 8)}};
}

static inline le32 le32_make(uint32_t v)
{
	return (le32){{(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}};
}

static inline le64 le64_make(uint64_t v)
{
	le64 r;

	for (int i = 0; i < 8; i++)
		r.b[i] = (uint8_t)(v >> (8 * i));
	return r;
}

#endif
