/* SPDX-License-Identifier: MIT */
/* What codec.c and the files of the single algorithms share. */
#ifndef MICA_LIB_CODEC_PRIV_H
#define MICA_LIB_CODEC_PRIV_H

#include "codec.h"

#define CODEC_LZ4HC_LEVEL_MAX	  12
#define CODEC_LZ4HC_LEVEL_DEFAULT 9
#define CODEC_ZSTD_LEVEL_MAX	  22
#define CODEC_ZSTD_LEVEL_DEFAULT  3
#define CODEC_ZSTD_WINDOWLOG_MAX  20 /* Z_EROFS_ZSTD_MAX_DICT_SIZE of the kernel */

/* A compressor: void *state is what its _new made. */
int mica_codec_lz4_new(const struct mica_codec_spec *spec, void **out, struct mica_err *err);
long mica_codec_lz4_compress(void *state, const struct mica_codec_spec *spec, void *dst, size_t cap,
			     const void *src, size_t len, struct mica_err *err);
int mica_codec_lz4_decompress(void *dst, size_t want, const void *src, size_t len, bool whole,
			      struct mica_err *err);

int mica_codec_zstd_new(const struct mica_codec_spec *spec, size_t max_input, void **out,
			struct mica_err *err);
long mica_codec_zstd_compress(void *state, void *dst, size_t cap, const void *src, size_t len,
			      struct mica_err *err);
void mica_codec_zstd_free(void *state);

int mica_codec_zstd_decoder_new(void **out, struct mica_err *err);
int mica_codec_zstd_decompress(void *state, void *dst, size_t want, const void *src, size_t len,
			       bool whole, struct mica_err *err);
void mica_codec_zstd_decoder_free(void *state);

#endif
