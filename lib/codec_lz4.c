/* SPDX-License-Identifier: MIT */
#include "codec_priv.h"

#include <limits.h>
#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>

struct lz4_encoder {
	bool hc;
	int level;
	void *state;
};

static void lz4_encoder_free(void *state)
{
	struct lz4_encoder *e = state;

	free(e->state);
	free(e);
}

static int lz4_encoder_new(const struct mica_codec_spec *spec, size_t max_input, void **out,
			   struct mica_err *err)
{
	struct lz4_encoder *e = calloc(1, sizeof(*e));

	(void)max_input;
	if (!e)
		return mica_err_nomem(err);
	e->hc = spec->lz4hc;
	e->level = spec->level;
	e->state = malloc((size_t)(e->hc ? LZ4_sizeofStateHC() : LZ4_sizeofState()));
	if (!e->state) {
		lz4_encoder_free(e);
		return mica_err_nomem(err);
	}
	*out = e;
	return 0;
}

static long lz4_encode(void *state, void *dst, size_t cap, const void *src, size_t len,
		       struct mica_err *err)
{
	struct lz4_encoder *e = state;
	int room = cap > INT_MAX ? INT_MAX : (int)cap;

	if (len > LZ4_MAX_INPUT_SIZE)
		return mica_err_set(err, MICA_E_USAGE, "lz4: input of %zu bytes exceeds %d", len,
				    LZ4_MAX_INPUT_SIZE);
	if (e->hc)
		return LZ4_compress_HC_extStateHC(e->state, src, dst, (int)len, room, e->level);
	return LZ4_compress_fast_extState(e->state, src, dst, (int)len, room, 1);
}

static int lz4_decode(void *state, void *dst, size_t want, const void *src, size_t len, bool whole,
		      struct mica_err *err)
{
	int n;

	(void)state;
	if (len > INT_MAX || want > INT_MAX)
		return mica_err_set(err, MICA_E_CORRUPT, "lz4: %zu bytes for %zu exceed %d", len,
				    want, INT_MAX);
	if (whole)
		n = LZ4_decompress_safe(src, dst, (int)len, (int)want);
	else
		n = LZ4_decompress_safe_partial(src, dst, (int)len, (int)want, (int)want);
	if (n < 0)
		return mica_codec_long("lz4", len, want, err);
	return (size_t)n == want ? 0 : mica_codec_short("lz4", len, (size_t)n, want, err);
}

const struct mica_codec_alg mica_codec_lz4 = {
	.encoder_new = lz4_encoder_new,
	.encode = lz4_encode,
	.encoder_free = lz4_encoder_free,
	.decode = lz4_decode,
};
