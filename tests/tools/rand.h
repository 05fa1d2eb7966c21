/* SPDX-License-Identifier: MIT */
/*
 * Parts of randtree: a generator of numbers that is the same everywhere, file
 * contents as a function of a seed, and everything else that an inode has.
 */
#ifndef MICA_TESTS_RAND_H
#define MICA_TESTS_RAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *rng);
/* lo..hi, both included */
uint64_t rng_range(struct rng *rng, uint64_t lo, uint64_t hi);
/* true n times in 100 */
bool rng_percent(struct rng *rng, unsigned int n);
#define rng_pick(rng, array) ((array)[rng_range((rng), 0, sizeof(array) / sizeof((array)[0]) - 1)])

/* A file's content: all of it follows from these. */
struct content {
	uint64_t seed;
	size_t size;
	size_t prefix; /* bytes of noise in front, which shift the rest */
	bool sparse;   /* leave whole runs unwritten */
	size_t cut;    /* not 0: at this place of it... */
	size_t gap;    /* ...so many bytes of noise are in between */
};

void content_pick(struct rng *rng, size_t max, struct content *out);
/* Write it into the empty file fd. */
void content_write(int fd, const struct content *content);

/* What a file system may lack; found out once in the target directory. */
struct meta_limits {
	bool no_xattrs;
};

/*
 * Give the inode of dirfd/name an owner, mode, xattrs and times. st_mode: its
 * type. Attributes that the file system has no room for are left out.
 */
void meta_apply(struct rng *rng, const struct meta_limits *limits, int dirfd, const char *name,
		mode_t type);

#endif
