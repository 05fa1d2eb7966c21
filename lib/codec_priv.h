/* SPDX-License-Identifier: MIT */
/* What codec.c and the files of the single algorithms share. */
#ifndef MICA_LIB_CODEC_PRIV_H
#define MICA_LIB_CODEC_PRIV_H

#include "codec.h"

#define CODEC_LZ4HC_LEVEL_MAX	    12
#define CODEC_LZ4HC_LEVEL_DEFAULT   9
#define CODEC_LZMA_LEVEL_MAX	    9
#define CODEC_LZMA_LEVEL_DEFAULT    6
#define CODEC_DEFLATE_LEVEL_MAX	    12
#define CODEC_DEFLATE_LEVEL_DEFAULT 6
#define CODEC_ZSTD_LEVEL_MAX	    22
#define CODEC_ZSTD_LEVEL_DEFAULT    3
#define CODEC_ZSTD_WINDOWLOG_MAX    20 /* Z_EROFS_ZSTD_MAX_DICT_SIZE of the kernel */

/*
 * One algorithm. States are what _new made; an algorithm that needs none to
 * decode has no decoder_new. What the functions promise stands in codec.h.
 */
struct mica_codec_alg {
	int (*encoder_new)(const struct mica_codec_spec *spec, size_t max_input, void **out,
			   struct mica_err *err);
	long (*encode)(void *state, void *dst, size_t cap, const void *src, size_t len,
		       struct mica_err *err);
	/* NULL: it cannot stop where the output is full */
	long (*encode_part)(void *state, void *dst, size_t cap, const void *src, size_t len,
			    size_t *used, struct mica_err *err);
	void (*encoder_free)(void *state);
	int (*decoder_new)(void **out, struct mica_err *err);
	int (*decode)(void *state, void *dst, size_t want, const void *src, size_t len, bool whole,
		      struct mica_err *err);
	void (*decoder_free)(void *state);
};

extern const struct mica_codec_alg mica_codec_lz4;
extern const struct mica_codec_alg mica_codec_lzma;
extern const struct mica_codec_alg mica_codec_deflate;
extern const struct mica_codec_alg mica_codec_zstd;

/* The two ways in which a stream may not fit its extent; both are MICA_E_CORRUPT. */
int mica_codec_short(const char *name, size_t len, size_t got, size_t want, struct mica_err *err);
int mica_codec_long(const char *name, size_t len, size_t want, struct mica_err *err);

#endif
