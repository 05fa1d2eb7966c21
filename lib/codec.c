/* SPDX-License-Identifier: MIT */
#include "codec_priv.h"

#include <stdio.h>
#include <string.h>

#include "opt.h"
#include "util.h"

struct mica_codec {
	struct mica_codec_spec spec;
	size_t max_input;
	void *state;   /* a compressor's */
	void *decoder; /* a decompressor's zstd state; lz4 needs none */
};

static const struct {
	const char *name;
	unsigned int kernel; /* the oldest that reads it */
} algs[EROFS_ALG_MAX] = {
	[EROFS_ALG_LZ4] = {"lz4", 5004},
	[EROFS_ALG_LZMA] = {"lzma", 5016},
	[EROFS_ALG_DEFLATE] = {"deflate", 6006},
	[EROFS_ALG_ZSTD] = {"zstd", 6010},
};

/* What a user can ask for; level_max 0: no level */
static const struct {
	const char *name;
	struct mica_codec_spec spec;
	unsigned int level_max;
} specs[] = {
	{"none", {.none = true}, 0},
	{"lz4", {.alg = EROFS_ALG_LZ4}, 0},
	{"lz4hc",
	 {.alg = EROFS_ALG_LZ4, .lz4hc = true, .level = CODEC_LZ4HC_LEVEL_DEFAULT},
	 CODEC_LZ4HC_LEVEL_MAX},
	{"zstd", {.alg = EROFS_ALG_ZSTD, .level = CODEC_ZSTD_LEVEL_DEFAULT}, CODEC_ZSTD_LEVEL_MAX},
};

int mica_codec_spec_parse(const char *text, struct mica_codec_spec *out, struct mica_err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	uint64_t level;
	int ret;

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		if (strlen(specs[i].name) != len || memcmp(specs[i].name, text, len))
			continue;
		if (!colon) {
			*out = specs[i].spec;
			return 0;
		}
		if (!specs[i].level_max)
			return mica_err_set(err, MICA_E_USAGE, "%s has no levels", specs[i].name);
		ret = mica_opt_uint(colon + 1, 1, specs[i].level_max, &level, err);
		if (ret)
			return mica_err_wrap(err, "level of %s", specs[i].name);
		*out = specs[i].spec;
		out->level = (int)level;
		return 0;
	}
	return mica_err_set(err, MICA_E_USAGE,
			    "'%s' is not a compression: none, lz4, lz4hc[:1..%d], zstd[:1..%d]",
			    text, CODEC_LZ4HC_LEVEL_MAX, CODEC_ZSTD_LEVEL_MAX);
}

void mica_codec_spec_format(const struct mica_codec_spec *spec, char *buf, size_t len)
{
	if (spec->none)
		snprintf(buf, len, "none");
	else if (spec->level)
		snprintf(buf, len, "%s%s:%d", mica_codec_alg_name(spec->alg),
			 spec->lz4hc ? "hc" : "", spec->level);
	else
		snprintf(buf, len, "%s", mica_codec_alg_name(spec->alg));
}

const char *mica_codec_alg_name(enum erofs_alg alg)
{
	return alg < EROFS_ALG_MAX ? algs[alg].name : "unknown";
}

unsigned int mica_codec_alg_kernel(enum erofs_alg alg)
{
	return alg < EROFS_ALG_MAX ? algs[alg].kernel : 0;
}

int mica_compressor_new(const struct mica_codec_spec *spec, size_t max_input,
			struct mica_codec **out, struct mica_err *err)
{
	struct mica_codec *c = calloc(1, sizeof(*c));
	int ret = 0;

	if (!c)
		return mica_err_nomem(err);
	c->spec = *spec;
	c->max_input = max_input;
	if (!spec->none && spec->alg == EROFS_ALG_LZ4)
		ret = mica_codec_lz4_new(spec, &c->state, err);
	else if (!spec->none && spec->alg == EROFS_ALG_ZSTD)
		ret = mica_codec_zstd_new(spec, max_input, &c->state, err);
	else if (!spec->none)
		ret = mica_err_set(err, MICA_E_UNSUPPORTED, "compression with %s is not supported",
				   mica_codec_alg_name(spec->alg));
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
	if (c->spec.alg == EROFS_ALG_LZ4)
		return mica_codec_lz4_compress(c->state, &c->spec, dst, cap, src, len, err);
	return mica_codec_zstd_compress(c->state, dst, cap, src, len, err);
}

int mica_decompressor_new(struct mica_codec **out, struct mica_err *err)
{
	struct mica_codec *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return mica_err_nomem(err);
	ret = mica_codec_zstd_decoder_new(&c->decoder, err);
	if (ret) {
		free(c);
		return ret;
	}
	*out = c;
	return 0;
}

int mica_decompress(struct mica_codec *c, enum erofs_alg alg, void *dst, size_t want,
		    const void *src, size_t len, bool whole, struct mica_err *err)
{
	if (!want || !len)
		return mica_err_set(err, MICA_E_CORRUPT, "%s: %zu bytes out of %zu",
				    mica_codec_alg_name(alg), want, len);
	switch (alg) {
	case EROFS_ALG_LZ4:
		return mica_codec_lz4_decompress(dst, want, src, len, whole, err);
	case EROFS_ALG_ZSTD:
		return mica_codec_zstd_decompress(c->decoder, dst, want, src, len, whole, err);
	default:
		return mica_err_set(err, MICA_E_UNSUPPORTED, "compression with %s is not supported",
				    mica_codec_alg_name(alg));
	}
}

void mica_codec_free(struct mica_codec *c)
{
	if (!c)
		return;
	if (c->state && c->spec.alg == EROFS_ALG_ZSTD)
		mica_codec_zstd_free(c->state);
	else
		free(c->state);
	if (c->decoder)
		mica_codec_zstd_decoder_free(c->decoder);
	free(c);
}
