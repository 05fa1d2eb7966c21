/* SPDX-License-Identifier: MIT */
#include "codec_priv.h"

#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>

int mica_codec_lz4_new(const struct mica_codec_spec *spec, void **out, struct mica_err *err)
{
	int size = spec->lz4hc ? LZ4_sizeofStateHC() : LZ4_sizeofState();
	void *state = malloc((size_t)size);

	if (!state)
		return mica_err_nomem(err);
	*out = state;
	return 0;
}

long mica_codec_lz4_compress(void *state, const struct mica_codec_spec *spec, void *dst, size_t cap,
			     const void *src, size_t len, struct mica_err *err)
{
	int room = cap > INT_MAX ? INT_MAX : (int)cap;

	if (len > LZ4_MAX_INPUT_SIZE)
		return mica_err_set(err, MICA_E_USAGE, "lz4: input of %zu bytes exceeds %d", len,
				    LZ4_MAX_INPUT_SIZE);
	if (spec->lz4hc)
		return LZ4_compress_HC_extStateHC(state, src, dst, (int)len, room, spec->level);
	return LZ4_compress_fast_extState(state, src, dst, (int)len, room, 1);
}

int mica_codec_lz4_decompress(void *dst, size_t want, const void *src, size_t len, bool whole,
			      struct mica_err *err)
{
	int n;

	if (len > INT_MAX || want > INT_MAX)
		return mica_err_set(err, MICA_E_CORRUPT, "lz4: %zu bytes for %zu exceed %d", len,
				    want, INT_MAX);
	if (whole)
		n = LZ4_decompress_safe(src, dst, (int)len, (int)want);
	else
		n = LZ4_decompress_safe_partial(src, dst, (int)len, (int)want, (int)want);
	if (n < 0)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "lz4: %zu bytes are broken or hold more than %zu bytes", len,
				    want);
	if ((size_t)n != want)
		return mica_err_set(err, MICA_E_CORRUPT, "lz4: %zu bytes hold %d bytes, not %zu",
				    len, n, want);
	return 0;
}
