/* SPDX-License-Identifier: MIT */
#include "codec_priv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <zstd.h>
#include <zstd_errors.h>

/*
 * Levels 3 and 4 with their own tables for long inputs do not fit a core's cache: a fifth of
 * the time is saved for one percent of size. Shorter inputs have small ones anyway.
 */
#define FAST_INPUT    (448u << 10)
#define FAST_HASHLOG  15
#define FAST_CHAINLOG 14

#define ZSTD_FHD_SINGLE 0x20u /* frame header: no window, the content's size is the window */

static int zstd_fail(struct mica_err *err, int code, size_t ret)
{
	if (ZSTD_getErrorCode(ret) == ZSTD_error_memory_allocation)
		code = MICA_E_NOMEM;
	return mica_err_set(err, code, "zstd: %s", ZSTD_getErrorName(ret));
}

static int zstd_encoder_new(const struct mica_codec_spec *spec, size_t max_input, void **out,
			    struct mica_err *err)
{
	bool fast = (spec->level == 3 || spec->level == 4) && max_input > FAST_INPUT;
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	size_t ret;

	if (!ctx)
		return mica_err_nomem(err);
	ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, spec->level);
	if (!ZSTD_isError(ret))
		ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 0);
	if (!ZSTD_isError(ret))
		ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_dictIDFlag, 0);
	/* The image's index knows the size; in the frame it would cost up to 3 bytes more. */
	if (!ZSTD_isError(ret))
		ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
	if (!ZSTD_isError(ret) && fast)
		ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_hashLog, FAST_HASHLOG);
	if (!ZSTD_isError(ret) && fast)
		ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_chainLog, FAST_CHAINLOG);
	/* Smaller inputs never get a larger window; a set one would hinder the levels' own. */
	if (!ZSTD_isError(ret) && max_input > 1u << CODEC_ZSTD_WINDOWLOG_MAX)
		ret = ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, CODEC_ZSTD_WINDOWLOG_MAX);
	if (ZSTD_isError(ret)) {
		ZSTD_freeCCtx(ctx);
		return zstd_fail(err, MICA_E_USAGE, ret);
	}
	*out = ctx;
	return 0;
}

static long zstd_encode(void *state, void *dst, size_t cap, const void *src, size_t len,
			struct mica_err *err)
{
	size_t ret = ZSTD_compress2(state, dst, cap, src, len);

	if (!ZSTD_isError(ret))
		return (long)ret;
	if (ZSTD_getErrorCode(ret) == ZSTD_error_dstSize_tooSmall)
		return 0;
	return zstd_fail(err, MICA_E_USAGE, ret);
}

static void zstd_encoder_free(void *state)
{
	ZSTD_freeCCtx(state);
}

static int zstd_decoder_new(void **out, struct mica_err *err)
{
	ZSTD_DCtx *ctx = ZSTD_createDCtx();

	if (!ctx)
		return mica_err_nomem(err);
	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, CODEC_ZSTD_WINDOWLOG_MAX);
	*out = ctx;
	return 0;
}

static void zstd_decoder_free(void *state)
{
	ZSTD_freeDCtx(state);
}

/* What a frame says before its first block; RFC 8878, 3.1.1.1. Returns its window, 0: broken. */
static uint64_t frame_window(const uint8_t *p, size_t len)
{
	static const unsigned int fcs_sizes[] = {0, 2, 4, 8};
	static const unsigned int dict_sizes[] = {0, 1, 2, 4};
	unsigned int fcs_size, dict_size;
	uint64_t size = 0;

	if (len < 6)
		return 0;
	fcs_size = fcs_sizes[p[4] >> 6];
	dict_size = dict_sizes[p[4] & 3];
	if (!(p[4] & ZSTD_FHD_SINGLE)) {
		uint64_t base = 1ULL << (10 + (p[5] >> 3));

		return base + base / 8 * (p[5] & 7);
	}
	if (!fcs_size)
		fcs_size = 1;
	if (len < 5 + dict_size + fcs_size)
		return 0;
	for (unsigned int i = 0; i < fcs_size; i++)
		size |= (uint64_t)p[5 + dict_size + i] << (8 * i);
	if (fcs_size == 2)
		size += 256;
	return size ? size : 1;
}

uint64_t mica_codec_zstd_window(const void *p, size_t len)
{
	if (len < sizeof(le32) || le32_get(*(const le32 *)p) != ZSTD_MAGICNUMBER)
		return 0;
	return frame_window(p, len);
}

/* The library would also take legacy, skippable and several frames; the kernel does not. */
static int frame_check(const uint8_t *p, size_t len, bool whole, struct mica_err *err)
{
	const le32 *magic = (const le32 *)p;
	uint64_t window;
	size_t size;

	if (len < sizeof(*magic) || le32_get(*magic) != ZSTD_MAGICNUMBER)
		return mica_err_set(err, MICA_E_CORRUPT, "zstd: no frame in %zu bytes", len);
	window = frame_window(p, len);
	if (!window)
		return mica_err_set(err, MICA_E_CORRUPT, "zstd: frame header cut off at %zu bytes",
				    len);
	if (window > 1ULL << CODEC_ZSTD_WINDOWLOG_MAX)
		return mica_err_set(err, MICA_E_CORRUPT, "zstd: window of %" PRIu64 " exceeds %u",
				    window, 1u << CODEC_ZSTD_WINDOWLOG_MAX);
	if (!whole)
		return 0;
	size = ZSTD_findFrameCompressedSize(p, len);
	if (ZSTD_isError(size))
		return zstd_fail(err, MICA_E_CORRUPT, size);
	if (size != len)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "zstd: frame of %zu bytes in a cluster of %zu", size, len);
	return 0;
}

static int zstd_prefix(ZSTD_DCtx *ctx, void *dst, size_t want, const void *src, size_t len,
		       struct mica_err *err)
{
	ZSTD_outBuffer out = {dst, want, 0};
	ZSTD_inBuffer in = {src, len, 0};

	ZSTD_DCtx_reset(ctx, ZSTD_reset_session_only);
	while (out.pos < want) {
		size_t in_before = in.pos, out_before = out.pos;
		size_t ret = ZSTD_decompressStream(ctx, &out, &in);

		if (ZSTD_isError(ret))
			return zstd_fail(err, MICA_E_CORRUPT, ret);
		if (out.pos < want && (!ret || (in.pos == in_before && out.pos == out_before)))
			return mica_codec_short("zstd", len, out.pos, want, err);
	}
	return 0;
}

static int zstd_decode(void *state, void *dst, size_t want, const void *src, size_t len, bool whole,
		       struct mica_err *err)
{
	int ret = frame_check(src, len, whole, err);
	size_t n;

	if (ret)
		return ret;
	if (!whole)
		return zstd_prefix(state, dst, want, src, len, err);
	n = ZSTD_decompressDCtx(state, dst, want, src, len);
	if (ZSTD_isError(n))
		return zstd_fail(err, MICA_E_CORRUPT, n);
	return n == want ? 0 : mica_codec_short("zstd", len, n, want, err);
}

const struct mica_codec_alg mica_codec_zstd = {
	.encoder_new = zstd_encoder_new,
	.encode = zstd_encode,
	.encoder_free = zstd_encoder_free,
	.decoder_new = zstd_decoder_new,
	.decode = zstd_decode,
	.decoder_free = zstd_decoder_free,
};
