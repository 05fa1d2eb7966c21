/* SPDX-License-Identifier: MIT */
#include "content.h"

#include <assert.h>
#include <string.h>

uint64_t content_size(const struct span *spans, size_t count)
{
	uint64_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += spans[i].len;
	return size;
}

static uint64_t mix(uint64_t seed, uint64_t n)
{
	uint64_t x = (seed << 40) + n + 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Bytes [off, off + len) of a span. */
static void span_fill(const struct span *s, uint64_t off, unsigned char *p, size_t len)
{
	uint64_t word = 0, n = UINT64_MAX;

	if (s->kind == SPAN_ZERO || s->kind == SPAN_HOLE) {
		memset(p, 0, len);
		return;
	}
	for (; len; off++, len--) {
		uint64_t group = s->kind == SPAN_RANDOM ? off / 8 : off / 16;

		if (group != n)
			word = mix(s->seed, n = group);
		if (s->kind == SPAN_RANDOM)
			*p++ = (unsigned char)(word >> off % 8 * 8);
		else
			*p++ = (unsigned char)('a' + (word % 97 + off % 16) % 26);
	}
}

void content_fill(const struct span *spans, size_t count, uint64_t off, void *buf, size_t len)
{
	unsigned char *p = buf;
	uint64_t start = 0;

	for (size_t i = 0; len && i < count; start += spans[i++].len) {
		size_t n;

		if (off >= start + spans[i].len)
			continue;
		n = start + spans[i].len - off < len ? start + spans[i].len - off : len;
		span_fill(&spans[i], off - start, p, n);
		off += n;
		p += n;
		len -= n;
	}
	assert(!len);
}
