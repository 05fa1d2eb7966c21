/* SPDX-License-Identifier: MIT */
/*
 * The footer: the last 64 bytes of a file in which an image is not the first
 * thing, such as a tar with its index behind it. It says where the image begins,
 * and how much of the file before it is the image's device 1. Readers that do not know it
 * need offset and device from their caller.
 */
#ifndef MICA_FORMATS_FOOTER_H
#define MICA_FORMATS_FOOTER_H

#include <stdbool.h>
#include <stddef.h>

#include "le.h"

#define MICA_FOOTER_VERSION 1u
#define MICA_FOOTER_ALIGN   512u  /* of the image: the smallest block */
#define MICA_FOOTER_BLOCK   4096u /* written with the footer at its end */

struct mica_footer_disk {
	uint8_t magic[8];     /* "micafoot" */
	le32 version;	      /* 1 */
	le32 checksum;	      /* CRC-32C of these 64 bytes with zero here */
	le64 image;	      /* byte offset in the file, a multiple of MICA_FOOTER_ALIGN */
	le64 length;	      /* bytes of the image, which ends before the footer */
	le64 device;	      /* bytes of the file that are device 1; 0: the image has none */
	uint8_t reserved[24]; /* 0 */
};

_Static_assert(sizeof(struct mica_footer_disk) == 64, "footer");
_Static_assert(offsetof(struct mica_footer_disk, image) == 16, "footer");

struct mica_footer {
	uint64_t image, length, device; /* bytes */
};

void mica_footer_encode(const struct mica_footer *footer, struct mica_footer_disk *out);

/* Whether d is a footer that this version knows; its numbers may still be wrong. */
bool mica_footer_decode(const struct mica_footer_disk *d, struct mica_footer *out);

#endif
