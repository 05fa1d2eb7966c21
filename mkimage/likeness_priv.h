/* SPDX-License-Identifier: MIT */
/* What likeness.c gathers and likeness_order.c reads. */
#ifndef MICA_MKIMAGE_LIKENESS_PRIV_H
#define MICA_MKIMAGE_LIKENESS_PRIV_H

#include <stdint.h>

struct mica_likeness {
	uint32_t *samples; /* of a file behind those of the file before, in order, each once */
	uint32_t count, cap, max;
	unsigned int bits; /* one in 1 << bits hashes is a sample */
	uint32_t *ends;	   /* of each file's samples */
	uint32_t files, file_cap;
	/* of the file that comes */
	uint32_t h, last; /* rolling hash; the sample that came last */
	uint64_t fed;	  /* bytes */
};

#endif
