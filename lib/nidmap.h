/* SPDX-License-Identifier: MIT */
/* A map from inode numbers to 32-bit values, 16 bytes for each entry and its slack. */
#ifndef MICA_LIB_NIDMAP_H
#define MICA_LIB_NIDMAP_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct mica_nidmap {
	struct mica_nidmap_slot *slots; /* NULL: empty */
	size_t cap;			/* a power of two */
	size_t count;
};

/*
 * Look nid up; when it is not there, add it with value. 1: added, 0: was there
 * (*found is its value), < 0: out of memory.
 */
int mica_nidmap_add(struct mica_nidmap *map, uint64_t nid, uint32_t value, uint32_t *found,
		    struct mica_err *err);

void mica_nidmap_clear(struct mica_nidmap *map);

#endif
