/* SPDX-License-Identifier: MIT */
/*
 * Which time do most inodes have? Counted in fixed space: a time that more than
 * one in MICA_TALLY inodes has is found, and the winner is at most that much
 * behind the best.
 */
#ifndef MICA_MKIMAGE_TALLY_H
#define MICA_MKIMAGE_TALLY_H

#include <stdint.h>

#define MICA_TALLY 64u

struct mica_tally_entry {
	int64_t sec;
	uint32_t nsec;
	uint64_t count; /* 0: free */
};

/* All zeros at first. */
struct mica_tally {
	struct mica_tally_entry v[MICA_TALLY];
	unsigned int last; /* where the last one was: neighbours are often alike */
};

void mica_tally_add(struct mica_tally *t, int64_t sec, uint32_t nsec);
/* All zeros when nothing was added. */
struct mica_tally_entry mica_tally_best(const struct mica_tally *t);

#endif
