/* SPDX-License-Identifier: MIT */
/* Takes the place of the image file: bytes in memory, from any place of the image on. */
#ifndef MICA_TESTS_FAKE_OUTFILE_H
#define MICA_TESTS_FAKE_OUTFILE_H

#include "../../mkimage/outfile.h"

struct mica_outfile {
	uint64_t base; /* where buf[0] lies */
	unsigned char *buf;
	size_t len, cap, mark;
	uint64_t fail_at; /* writing over this place fails; 0: never */
};

/* len bytes at off of the image, which must be there */
const unsigned char *fake_outfile_at(const struct mica_outfile *f, uint64_t off, uint64_t len);

#endif
