/* SPDX-License-Identifier: MIT */
#include "codec_priv.h"

#include <stdlib.h>

static const struct mica_codec_alg *const algs[EROFS_ALG_MAX] = {
	[EROFS_ALG_LZ4] = &mica_codec_lz4,
	[EROFS_ALG_LZMA] = &mica_codec_lzma,
	[EROFS_ALG_DEFLATE] = &mica_codec_deflate,
	[EROFS_ALG_ZSTD] = &mica_codec_zstd,
};

struct mica_codec {
	struct mica_codec_spec spec;
	size_t max_input;
	void *encoder;
	void *decoders[EROFS_ALG_MAX]; /* each made when it is needed first */
};

int mica_compressor_new(const struct mica_codec_spec *spec, size_t max_input,
			struct mica_codec **out, struct mica_err *err)
{
	struct mica_codec *c = calloc(1, sizeof(*c));
	int ret = 0;

	if (!c)
		return mica_err_nomem(err);
	c->spec = *spec;
	c->max_input = max_input;
	if (!spec->none)
		ret = algs[spec->alg]->encoder_new(spec, max_input, &c->encoder, err);
	if (ret) {
		free(c);
		return ret;
	}
	*out = c;
	return 0;
}

long mica_compress(struct mica_codec *c, void *dst, size_t cap, const void *src, size_t len,
		   struct mica_err *err)
{
	if (len > c->max_input)
		return mica_err_set(err, MICA_E_USAGE,
				    "segment of %zu bytes for a compressor of at most %zu", len,
				    c->max_input);
	if (c->spec.none || !len)
		return 0;
	return algs[c->spec.alg]->encode(c->encoder, dst, cap, src, len, err);
}

/* Less than this part of what was given is not tried. */
#define PART_MIN 16u

long mica_compress_part(struct mica_codec *c, void *dst, size_t cap, const void *src, size_t len,
			size_t *used, struct mica_err *err)
{
	const struct mica_codec_alg *a = algs[c->spec.alg];
	long n;

	*used = len;
	if (!a->encode_part || c->spec.none || !len || len > c->max_input) {
		for (size_t least = len / PART_MIN; *used > least; *used /= 2) {
			n = mica_compress(c, dst, cap, src, *used, err);
			if (n || c->spec.none)
				return n;
		}
		return 0;
	}
	return a->encode_part(c->encoder, dst, cap, src, len, used, err);
}

int mica_decompressor_new(struct mica_codec **out, struct mica_err *err)
{
	struct mica_codec *c = calloc(1, sizeof(*c));

	if (!c)
		return mica_err_nomem(err);
	*out = c;
	return 0;
}

int mica_decompress(struct mica_codec *c, enum erofs_alg alg, void *dst, size_t want,
		    const void *src, size_t len, bool whole, struct mica_err *err)
{
	const struct mica_codec_alg *a;
	int ret = 0;

	if (alg >= EROFS_ALG_MAX)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "algorithm %d is not within 0..%d",
				    alg, EROFS_ALG_MAX - 1);
	if (!want || !len)
		return mica_err_set(err, MICA_E_CORRUPT, "%s: %zu bytes out of %zu",
				    mica_codec_alg_name(alg), want, len);
	a = algs[alg];
	if (a->decoder_new && !c->decoders[alg])
		ret = a->decoder_new(&c->decoders[alg], err);
	return ret ? ret : a->decode(c->decoders[alg], dst, want, src, len, whole, err);
}

void mica_codec_free(struct mica_codec *c)
{
	if (!c)
		return;
	if (c->encoder)
		algs[c->spec.alg]->encoder_free(c->encoder);
	for (unsigned int i = 0; i < EROFS_ALG_MAX; i++)
		if (c->decoders[i])
			algs[i]->decoder_free(c->decoders[i]);
	free(c);
}

int mica_codec_short(const char *name, size_t len, size_t got, size_t want, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_CORRUPT, "%s: %zu bytes hold %zu bytes, not %zu", name, len,
			    got, want);
}

int mica_codec_long(const char *name, size_t len, size_t want, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_CORRUPT,
			    "%s: %zu bytes are broken or hold more than %zu bytes", name, len,
			    want);
}
