/* SPDX-License-Identifier: MIT */
/*
 * Compression algorithms behind one face. A codec context belongs to one
 * thread at a time. Payload rules (what the kernel's decompressors take) are
 * those of docs/format.md: raw LZ4 blocks, MicroLZMA, raw deflate, plain zstd
 * frames with a window of at most 1 MiB. No stream begins with a zero byte.
 */
#ifndef MICA_LIB_CODEC_H
#define MICA_LIB_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../formats/erofs.h"
#include "err.h"

struct mica_codec; /* compressor or decompressor state of one thread */

/* A compression setting as the user names it: "zstd:3", "lz4", "lz4hc:9", "lzma:9e", "none". */
struct mica_codec_spec {
	bool none;
	bool lz4hc;
	bool extreme; /* lzma: slower, smaller */
	enum erofs_alg alg;
	int level;
};

/* Parse "ALG[:LEVEL]"; MICA_E_USAGE names the algorithms and the level's limits. */
int mica_codec_spec_parse(const char *text, struct mica_codec_spec *out, struct mica_err *err);

/* "zstd:3" and so on; buf of at least 32 bytes */
void mica_codec_spec_format(const struct mica_codec_spec *spec, char *buf, size_t len);

/* "lz4", "lzma", "deflate", "zstd" */
const char *mica_codec_alg_name(enum erofs_alg alg);

/* Oldest kernel that reads alg, as major * 1000 + minor. */
unsigned int mica_codec_alg_kernel(enum erofs_alg alg);

/* The dictionary that lzma compressors for segments of max_input bytes use. */
uint32_t mica_codec_lzma_dict(size_t max_input);

/*
 * A stream that is stored at any byte of an image may need zeros before it,
 * which readers skip: Linux (6.18 at least) refuses a deflate extent when a page
 * ends between the last decoded byte and the end of the stream. Returns their
 * number for len bytes that would begin at pa, or -1: they cannot lie there.
 */
int mica_codec_lead(enum erofs_alg alg, uint64_t pa, size_t len);

/* max_input: the largest segment that will be compressed, in bytes */
int mica_compressor_new(const struct mica_codec_spec *spec, size_t max_input,
			struct mica_codec **out, struct mica_err *err);

/*
 * Compress src into dst in one call. Returns the encoded length, 0 when it
 * does not fit into cap (which is no error: store plain), or a negative code.
 */
long mica_compress(struct mica_codec *c, void *dst, size_t cap, const void *src, size_t len,
		   struct mica_err *err);

/*
 * The same for as much of src as fits into cap, *used bytes from its beginning on. 0: there
 * is no part that is worth it.
 */
long mica_compress_part(struct mica_codec *c, void *dst, size_t cap, const void *src, size_t len,
			size_t *used, struct mica_err *err);

int mica_decompressor_new(struct mica_codec **out, struct mica_err *err);

/*
 * Decode exactly want bytes from src[0, len) into dst. whole: the encoded data
 * must end there too; otherwise (a PARTIAL_REF extent or a read of a prefix)
 * more may follow and is ignored. Never reads or writes outside the buffers.
 * MICA_E_CORRUPT says what the decoder objected to.
 */
int mica_decompress(struct mica_codec *c, enum erofs_alg alg, void *dst, size_t want,
		    const void *src, size_t len, bool whole, struct mica_err *err);

void mica_codec_free(struct mica_codec *c);

static inline void mica_cleanup_codec(struct mica_codec **c)
{
	mica_codec_free(*c);
}
#define cleanup_codec cleanup(mica_cleanup_codec)

/* The window that the zstd frame at p asks for; 0: there is none, or not its whole header. */
uint64_t mica_codec_zstd_window(const void *p, size_t len);

#endif
