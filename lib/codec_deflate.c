/* SPDX-License-Identifier: MIT */
/*
 * Raw deflate with a window of 32 KiB. libdeflate does what is done in one
 * call, and is the fastest there is; zlib decodes prefixes, since libdeflate
 * promises nothing of a buffer that is too small for the whole.
 */
#include "codec_priv.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#define DEFLATE_WINDOWBITS 15

/*
 * A stream that begins with a stored block that is not the last one has a zero
 * as its first byte, which kernels would skip as padding. Five bits of it are
 * ignored by every decoder (RFC 1951, 3.2.4).
 */
#define DEFLATE_STORED_IGNORED 0x80u

struct deflate_decoder {
	struct libdeflate_decompressor *whole;
	z_stream prefix;
};

static int deflate_encoder_new(const struct mica_codec_spec *spec, size_t max_input, void **out,
			       struct mica_err *err)
{
	(void)max_input;
	*out = libdeflate_alloc_compressor(spec->level);
	return *out ? 0 : mica_err_nomem(err);
}

static long deflate_encode(void *state, void *dst, size_t cap, const void *src, size_t len,
			   struct mica_err *err)
{
	size_t n = libdeflate_deflate_compress(state, src, len, dst, cap);
	uint8_t *first = dst;

	(void)err;
	if (n && !*first)
		*first |= DEFLATE_STORED_IGNORED;
	return (long)n;
}

static void deflate_encoder_free(void *state)
{
	libdeflate_free_compressor(state);
}

static void deflate_decoder_free(void *state)
{
	struct deflate_decoder *d = state;

	if (d->whole)
		libdeflate_free_decompressor(d->whole);
	inflateEnd(&d->prefix);
	free(d);
}

static int deflate_decoder_new(void **out, struct mica_err *err)
{
	struct deflate_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return mica_err_nomem(err);
	d->whole = libdeflate_alloc_decompressor();
	if (!d->whole || inflateInit2(&d->prefix, -DEFLATE_WINDOWBITS) != Z_OK) {
		deflate_decoder_free(d);
		return mica_err_nomem(err);
	}
	*out = d;
	return 0;
}

static int deflate_prefix(z_stream *z, void *dst, size_t want, const void *src, size_t len,
			  struct mica_err *err)
{
	int ret;

	if (want > UINT_MAX || len > UINT_MAX)
		return mica_err_set(err, MICA_E_CORRUPT, "deflate: %zu bytes for %zu exceed %u",
				    len, want, UINT_MAX);
	inflateReset(z);
	z->next_in = (z_const Bytef *)src;
	z->avail_in = (uInt)len;
	z->next_out = dst;
	z->avail_out = (uInt)want;
	ret = inflate(z, Z_SYNC_FLUSH);
	if (ret == Z_MEM_ERROR)
		return mica_err_nomem(err);
	if (ret == Z_DATA_ERROR || ret == Z_NEED_DICT || ret == Z_STREAM_ERROR)
		return mica_codec_long("deflate", len, want, err);
	return z->avail_out ? mica_codec_short("deflate", len, want - z->avail_out, want, err) : 0;
}

static int deflate_decode(void *state, void *dst, size_t want, const void *src, size_t len,
			  bool whole, struct mica_err *err)
{
	struct deflate_decoder *d = state;
	enum libdeflate_result ret;
	size_t used, got;

	if (!whole)
		return deflate_prefix(&d->prefix, dst, want, src, len, err);
	ret = libdeflate_deflate_decompress_ex(d->whole, src, len, dst, want, &used, &got);
	if (ret != LIBDEFLATE_SUCCESS)
		return mica_codec_long("deflate", len, want, err);
	if (got != want)
		return mica_codec_short("deflate", len, got, want, err);
	if (used != len)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "deflate: stream of %zu bytes in a cluster of %zu", used, len);
	return 0;
}

const struct mica_codec_alg mica_codec_deflate = {
	.encoder_new = deflate_encoder_new,
	.encode = deflate_encode,
	.encoder_free = deflate_encoder_free,
	.decoder_new = deflate_decoder_new,
	.decode = deflate_decode,
	.decoder_free = deflate_decoder_free,
};
