/* SPDX-License-Identifier: MIT */
/* Bytes to compress, compressed ones, and files that hold them, for the tests. */
#ifndef MICA_TESTS_PACKED_H
#define MICA_TESTS_PACKED_H

#include <stddef.h>

struct packed {
	unsigned char *p;
	size_t len;
};

/* len bytes that compress to about half; other ones for each seed. */
struct packed packed_plain(size_t len, unsigned int seed);
struct packed packed_gzip(const void *p, size_t len);
/* window_log 0: as the level has it */
struct packed packed_zstd(const void *p, size_t len, int window_log);
/* a and b, one behind the other; frees both */
struct packed packed_join(struct packed a, struct packed b);
struct packed packed_copy(const void *p, size_t len);
void packed_free(struct packed *p);

/* A temporary file. */
int packed_fd(const struct packed *p);

#endif
