/* SPDX-License-Identifier: MIT */
/* What algorithms are called, and what kernels know them. */
#include "codec.h"

static const struct {
	const char *name;
	unsigned int kernel; /* the oldest that reads it */
} algs[EROFS_ALG_MAX] = {
	[EROFS_ALG_LZ4] = {"lz4", 5004},
	[EROFS_ALG_LZMA] = {"lzma", 5016},
	[EROFS_ALG_DEFLATE] = {"deflate", 6006},
	[EROFS_ALG_ZSTD] = {"zstd", 6010},
};

const char *mica_codec_alg_name(enum erofs_alg alg)
{
	return alg < EROFS_ALG_MAX ? algs[alg].name : "unknown";
}

unsigned int mica_codec_alg_kernel(enum erofs_alg alg)
{
	return alg < EROFS_ALG_MAX ? algs[alg].kernel : 0;
}
