/* SPDX-License-Identifier: MIT */
/*
 * The one cleanup idiom (scope-bound release, ownership passed on with
 * mica_steal_*) and checked arithmetic for values that come from outside.
 */
#ifndef MICA_LIB_UTIL_H
#define MICA_LIB_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void mica_cleanup_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void mica_cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void mica_cleanup_file(FILE **f)
{
	int saved = errno;

	if (*f)
		fclose(*f);
	errno = saved;
}

#define cleanup(fn)  __attribute__((cleanup(fn)))
#define cleanup_free cleanup(mica_cleanup_free)
#define cleanup_fd   cleanup(mica_cleanup_fd)
#define cleanup_file cleanup(mica_cleanup_file)

/* Hand *p over to the caller and forget it: return mica_steal_pointer(&p). */
#define mica_steal_pointer(p)                                                                      \
	({                                                                                         \
		__typeof__(*(p)) v_ = *(p);                                                        \
		*(p) = NULL;                                                                       \
		v_;                                                                                \
	})

static inline int mica_steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/* true when a + b or a * b does not fit; *out is then unspecified */
static inline bool mica_add_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
	return __builtin_add_overflow(a, b, out);
}

static inline bool mica_mul_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
	return __builtin_mul_overflow(a, b, out);
}

/* [off, off + len) lies inside [0, size) */
static inline bool mica_range_in(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* align: a power of two; the caller knows that v is far from 2^64 */
static inline uint64_t mica_round_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

static inline uint64_t mica_round_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

static inline uint64_t mica_div_round_up(uint64_t v, uint64_t d)
{
	return v / d + (v % d != 0);
}

static inline uint64_t mica_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t mica_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
