/* SPDX-License-Identifier: MIT */
#include "packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

struct packed packed_plain(size_t len, unsigned int seed)
{
	struct packed out = {malloc(len + 1), len};
	uint32_t x = seed * 2654435761u + 1;

	assert_non_null(out.p);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		out.p[i] = (unsigned char)(x >> 28);
	}
	return out;
}

struct packed packed_gzip(const void *p, size_t len)
{
	z_stream z = {.next_in = (unsigned char *)(uintptr_t)p, .avail_in = (uInt)len};
	struct packed out = {malloc(len + 1000), 0};

	assert_non_null(out.p);
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = out.p;
	z.avail_out = (uInt)(len + 1000);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = z.total_out;
	deflateEnd(&z);
	return out;
}

struct packed packed_zstd(const void *p, size_t len, int window_log)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	size_t cap = ZSTD_compressBound(len);
	struct packed out = {malloc(cap), 0};
	ZSTD_outBuffer o = {.dst = out.p, .size = cap};
	ZSTD_inBuffer in = {.src = p, .size = len};

	assert_non_null(ctx);
	assert_non_null(out.p);
	if (window_log) {
		assert_false(
			ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, window_log)));
		/* a known size would make the window smaller */
		assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0)));
		ZSTD_compressStream2(ctx, &o, &in, ZSTD_e_continue);
	}
	assert_int_equal(ZSTD_compressStream2(ctx, &o, &in, ZSTD_e_end), 0);
	out.len = o.pos;
	ZSTD_freeCCtx(ctx);
	return out;
}

struct packed packed_copy(const void *p, size_t len)
{
	struct packed out = {malloc(len + 1), len};

	assert_non_null(out.p);
	memcpy(out.p, p, len);
	return out;
}

struct packed packed_join(struct packed a, struct packed b)
{
	struct packed out = {malloc(a.len + b.len + 1), a.len + b.len};

	assert_non_null(out.p);
	if (a.len)
		memcpy(out.p, a.p, a.len);
	memcpy(out.p + a.len, b.p, b.len);
	packed_free(&a);
	packed_free(&b);
	return out;
}

void packed_free(struct packed *p)
{
	free(p->p);
	*p = (struct packed){0};
}

int packed_fd(const struct packed *p)
{
	int fd = memfd_create("packed", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p->p, p->len), p->len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}
