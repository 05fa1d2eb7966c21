/* SPDX-License-Identifier: MIT */
/* zstd: frames, one behind the other, and others in between that are to be skipped. */
#include <inttypes.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "../lib/codec.h"
#include "../lib/util.h"
#include "unpack_impl.h"

#define ZSTD_HEADER_MAX 18u
/* What "zstd -d" takes without being asked to; the highest levels need it. */
#define ZSTD_WINDOW_MAX ((uint64_t)128 << 20)

struct unpack_zstd {
	struct mica_unpack base;
	ZSTD_DCtx *ctx;
	uint64_t window; /* largest so far */
	bool between, any;
};

static int zstd_fail(size_t code, struct mica_err *err)
{
	if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
		return mica_err_nomem(err);
	return mica_err_set(err, MICA_E_INPUT, "zstd: %s", ZSTD_getErrorName(code));
}

/* A frame's window is memory, and the frame says how much. */
static int zstd_begin(struct unpack_zstd *z, struct mica_err *err)
{
	struct mica_unpack *u = &z->base;
	uint64_t window;
	int ret = mica_unpack_fill(u, ZSTD_HEADER_MAX, err);

	if (ret)
		return ret;
	window = mica_codec_zstd_window(u->in + u->in_at, u->in_len - u->in_at);
	if (window > ZSTD_WINDOW_MAX)
		return mica_err_set(err, MICA_E_LIMIT,
				    "zstd: a window of %" PRIu64 " bytes exceeds %" PRIu64, window,
				    ZSTD_WINDOW_MAX);
	if (window <= z->window)
		return 0;
	z->window = window;
	return u->budget.take ? u->budget.take(u->budget.ctx, window, err) : 0;
}

static int zstd_read(struct mica_unpack *u, unsigned char *buf, size_t len, size_t *got,
		     struct mica_err *err)
{
	struct unpack_zstd *z = (struct unpack_zstd *)u;
	ZSTD_outBuffer out = {.dst = buf, .size = len};

	while (!out.pos) {
		ZSTD_inBuffer in = {.src = u->in};
		size_t code;
		int ret;

		if (z->between) {
			ret = mica_unpack_between(u, !z->any, err);
			if (ret <= 0)
				return ret;
			ret = zstd_begin(z, err);
			if (ret)
				return ret;
			z->between = false;
			z->any = true;
		}
		ret = mica_unpack_fill(u, 1, err);
		if (ret)
			return ret;
		in.pos = u->in_at;
		in.size = u->in_len;
		code = ZSTD_decompressStream(z->ctx, &out, &in);
		if (ZSTD_isError(code))
			return zstd_fail(code, err);
		if (code && in.pos == u->in_at && !out.pos)
			return mica_err_set(err, MICA_E_INPUT, "zstd: truncated");
		u->in_at = in.pos;
		z->between = !code;
	}
	*got = out.pos;
	return 0;
}

static void zstd_free(struct mica_unpack *u)
{
	ZSTD_freeDCtx(((struct unpack_zstd *)u)->ctx);
}

static const struct mica_unpack_ops zstd_ops = {
	.read = zstd_read,
	.free = zstd_free,
	.name = "zstd",
};

int mica_unpack_zstd_new(struct mica_unpack **out, struct mica_err *err)
{
	struct unpack_zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return mica_err_nomem(err);
	z->base.ops = &zstd_ops;
	z->between = true;
	z->ctx = ZSTD_createDCtx();
	if (!z->ctx) {
		free(z);
		return mica_err_nomem(err);
	}
	*out = &z->base;
	return 0;
}
