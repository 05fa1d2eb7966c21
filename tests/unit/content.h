/* SPDX-License-Identifier: MIT */
/* Contents of files for tests: any byte of them can be told without the others. */
#ifndef MICA_TESTS_CONTENT_H
#define MICA_TESTS_CONTENT_H

#include <stddef.h>
#include <stdint.h>

enum span_kind {
	SPAN_ZERO,   /* zeros that come as bytes */
	SPAN_HOLE,   /* zeros that are declared */
	SPAN_RANDOM, /* does not compress */
	SPAN_TEXT,   /* compresses well */
};

/* A piece of a file's content; the same kind and seed give the same bytes. */
struct span {
	enum span_kind kind;
	uint64_t len;
	uint32_t seed;
};

uint64_t content_size(const struct span *spans, size_t count);
void content_fill(const struct span *spans, size_t count, uint64_t off, void *buf, size_t len);

#endif
