/* SPDX-License-Identifier: MIT */
#include "../../lib/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

#define INPUT (300u << 10)

static uint8_t input[INPUT], packed[INPUT + 65536], output[INPUT + 64];

/* Half text, half noise; the same bytes each time. */
static void input_fill(void)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < INPUT; i++) {
		x = x * 1664525 + 1013904223;
		input[i] = i % 8192 < 6000 ? (uint8_t) "the quick brown fox "[x >> 28]
					   : (uint8_t)(x >> 24);
	}
}

static void specs_are_parsed(void **state)
{
	static const struct {
		const char *text, *shown;
	} good[] = {
		{"none", "none"},
		{"lz4", "lz4"},
		{"lz4hc", "lz4hc:9"},
		{"lz4hc:1", "lz4hc:1"},
		{"lz4hc:12", "lz4hc:12"},
		{"zstd", "zstd:3"},
		{"zstd:1", "zstd:1"},
		{"zstd:22", "zstd:22"},
		{"deflate", "deflate:6"},
		{"deflate:1", "deflate:1"},
		{"deflate:12", "deflate:12"},
		{"lzma", "lzma:6"},
		{"lzma:0", "lzma:0"},
		{"lzma:9", "lzma:9"},
		{"lzma:9e", "lzma:9e"},
	};
	struct mica_codec_spec spec;
	struct mica_err err = {0};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(mica_codec_spec_parse(good[i].text, &spec, &err), 0);
		mica_codec_spec_format(&spec, buf, sizeof(buf));
		assert_string_equal(buf, good[i].shown);
	}
	assert_int_equal(mica_codec_spec_parse("lz4hc", &spec, &err), 0);
	assert_int_equal(spec.alg, EROFS_ALG_LZ4);
	assert_true(spec.lz4hc && !spec.none);
}

static void bad_specs_name_what_is_allowed(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"gzip", "'gzip' is not a compression: none, lz4, lz4hc[:1..12], deflate[:1..12], "
			 "lzma[:0..9[e]], zstd[:1..22]"},
		{"", "'' is not a compression"},
		{"zst", "not a compression"},
		{"lz4:3", "lz4 has no levels"},
		{"none:1", "none has no levels"},
		{"zstd:0", "level of zstd: 0 is not within 1..22"},
		{"zstd:23", "not within 1..22"},
		{"lz4hc:13", "not within 1..12"},
		{"zstd:", "'' is not a number"},
		{"zstd:3x", "'3x' is not a number"},
		{"zstd:3e", "'3e' is not a number"},
		{"deflate:0", "level of deflate: 0 is not within 1..12"},
		{"deflate:13", "not within 1..12"},
		{"lzma:10", "level of lzma: 10 is not within 0..9"},
		{"lzma:e", "level of lzma: '' is not a number"},
		{"lzma:9ee", "level of lzma: '9e' is not a number"},
		{"lzma:000000000000000000000e", "level of lzma: '000000000000000000000e' is not"},
	};
	struct mica_codec_spec spec = {.level = 77};
	struct mica_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(mica_codec_spec_parse(bad[i].text, &spec, &err), MICA_E_USAGE);
		if (!strstr(err.msg, bad[i].want))
			fail_msg("'%s' is not in '%s'", bad[i].want, err.msg);
	}
	assert_int_equal(spec.level, 77);
}

static void algorithms_have_names_and_kernels(void **state)
{
	(void)state;
	assert_string_equal(mica_codec_alg_name(EROFS_ALG_LZ4), "lz4");
	assert_string_equal(mica_codec_alg_name(EROFS_ALG_DEFLATE), "deflate");
	assert_string_equal(mica_codec_alg_name(EROFS_ALG_MAX), "unknown");
	assert_int_equal(mica_codec_alg_kernel(EROFS_ALG_LZ4), 5004);
	assert_int_equal(mica_codec_alg_kernel(EROFS_ALG_LZMA), 5016);
	assert_int_equal(mica_codec_alg_kernel(EROFS_ALG_DEFLATE), 6006);
	assert_int_equal(mica_codec_alg_kernel(EROFS_ALG_ZSTD), 6010);
}

static long pack(const char *text, size_t max, size_t len, size_t cap, enum erofs_alg *alg)
{
	struct mica_codec_spec spec;
	struct mica_codec *c = NULL;
	struct mica_err err = {0};
	long n;

	assert_int_equal(mica_codec_spec_parse(text, &spec, &err), 0);
	assert_int_equal(mica_compressor_new(&spec, max, &c, &err), 0);
	n = mica_compress(c, packed, cap, input, len, &err);
	/* a context is used again and again: the result must not depend on what was before */
	assert_int_equal(
		mica_compress(c, output, INPUT, input + 1000, len > 2000 ? 900 : len, &err) >= 0,
		1);
	memset(output, 0, sizeof(output));
	if (n > 0) {
		uint8_t *first = malloc((size_t)n);

		memcpy(first, packed, (size_t)n);
		assert_int_equal(mica_compress(c, packed, cap, input, len, &err), n);
		assert_memory_equal(first, packed, (size_t)n);
		free(first);
	}
	*alg = spec.alg;
	mica_codec_free(c);
	return n;
}

static int unpack(enum erofs_alg alg, size_t want, const void *src, size_t len, bool whole,
		  struct mica_err *err)
{
	struct mica_codec *c = NULL;
	/* of its own, so that a sanitizer sees a byte read too far */
	uint8_t *in = malloc(len ? len : 1), *out = malloc(want ? want : 1);
	int ret;

	memcpy(in, src, len);
	assert_int_equal(mica_decompressor_new(&c, err), 0);
	ret = mica_decompress(c, alg, out, want, in, len, whole, err);
	if (!ret)
		memcpy(output, out, want);
	mica_codec_free(c);
	free(in);
	free(out);
	return ret;
}

static void what_is_packed_unpacks(void **state)
{
	static const char *const specs[] = {
		"lz4",	  "lz4hc:1", "lz4hc",	"lz4hc:12", "deflate:1", "deflate", "deflate:12",
		"lzma:0", "lzma",    "lzma:9e", "zstd:1",   "zstd",	 "zstd:19"};
	static const size_t lens[] = {1, 100, 4096, 65536, INPUT};
	struct mica_err err = {0};
	enum erofs_alg alg;

	(void)state;
	for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			long n = pack(specs[s], INPUT, lens[l], sizeof(packed), &alg);

			assert_true(n > 0);
			assert_int_equal(unpack(alg, lens[l], packed, (size_t)n, true, &err), 0);
			assert_memory_equal(output, input, lens[l]);
			/* no leading zero: it would be taken for padding */
			assert_int_not_equal(packed[0], 0);
		}
	}
}

static void a_prefix_unpacks(void **state)
{
	static const size_t wants[] = {1, 4095, 65536, 131072, 200001, INPUT};
	static const char *const specs[] = {"lz4", "lz4hc", "deflate", "lzma", "zstd"};
	struct mica_err err = {0};
	enum erofs_alg alg;

	(void)state;
	for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
		long n = pack(specs[s], INPUT, INPUT, sizeof(packed), &alg);

		for (size_t w = 0; w < sizeof(wants) / sizeof(wants[0]); w++) {
			memset(output, 0, sizeof(output));
			assert_int_equal(unpack(alg, wants[w], packed, (size_t)n, false, &err), 0);
			assert_memory_equal(output, input, wants[w]);
		}
		assert_int_equal(unpack(alg, INPUT + 1, packed, (size_t)n, false, &err),
				 MICA_E_CORRUPT);
	}
}

static void what_does_not_fit_is_no_error(void **state)
{
	static const char *const specs[] = {"lz4", "lz4hc", "deflate", "lzma", "zstd"};
	struct mica_err err = {0};
	enum erofs_alg alg;

	(void)state;
	for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
		long n = pack(specs[s], INPUT, INPUT, sizeof(packed), &alg);

		/* the libraries may want a few bytes more than they use in the end */
		assert_int_equal(pack(specs[s], INPUT, INPUT, (size_t)n + 64, &alg), n);
		assert_int_equal(pack(specs[s], INPUT, INPUT, (size_t)n - 1000, &alg), 0);
		assert_int_equal(pack(specs[s], INPUT, INPUT, 1, &alg), 0);
	}
	assert_int_equal(pack("none", INPUT, INPUT, sizeof(packed), &alg), 0);
	assert_int_equal(err.code, 0);
}

static void a_segment_has_its_limit(void **state)
{
	const struct mica_codec_spec spec = {.alg = EROFS_ALG_ZSTD, .level = 3};
	struct mica_codec *c = NULL;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_compressor_new(&spec, 4096, &c, &err), 0);
	assert_int_equal(mica_compress(c, packed, sizeof(packed), input, 4097, &err), MICA_E_USAGE);
	assert_string_equal(err.msg, "segment of 4097 bytes for a compressor of at most 4096");
	mica_codec_free(c);
}

/* Broken bytes are refused, and nothing outside the buffers is touched (under a sanitizer). */
static void hostile_bytes_are_refused(void **state)
{
	static const char *const specs[] = {"lz4", "deflate", "lzma", "zstd"};
	struct mica_err err = {0};
	uint32_t x = 99;
	enum erofs_alg alg;

	(void)state;
	for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
		size_t n = (size_t)pack(specs[s], INPUT, 65536, sizeof(packed), &alg);

		/* not the length that it has */
		assert_int_equal(unpack(alg, 65535, packed, n, true, &err), MICA_E_CORRUPT);
		assert_int_equal(unpack(alg, 65537, packed, n, true, &err), MICA_E_CORRUPT);
		assert_int_equal(unpack(alg, 65536, packed, n - 1, true, &err), MICA_E_CORRUPT);
		/* of a prefix the last bytes need not be there */
		assert_int_equal(unpack(alg, 65536, packed, n - 100, false, &err), MICA_E_CORRUPT);
		packed[n] = 1;
		assert_int_equal(unpack(alg, 65536, packed, n + 1, true, &err), MICA_E_CORRUPT);
		assert_int_equal(unpack(alg, 0, packed, n, true, &err), MICA_E_CORRUPT);
		assert_int_equal(unpack(alg, 65536, packed, 0, true, &err), MICA_E_CORRUPT);
		for (int i = 0; i < 2000; i++) {
			uint8_t saved;
			size_t at;

			x = x * 1664525 + 1013904223;
			at = (x >> 8) % n;
			saved = packed[at];
			packed[at] ^= (uint8_t)(1 + x % 255);
			unpack(alg, 65536, packed, n, i & 1, &err);
			packed[at] = saved;
		}
	}
}

static void zstd_frames_are_what_the_kernel_takes(void **state)
{
	static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	struct mica_err err = {0};
	size_t n;

	(void)state;
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 10, "abcdefgh", 8, true, &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "zstd: no frame in 8 bytes");
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 10, skippable, sizeof(skippable), true, &err),
			 MICA_E_CORRUPT);
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 10, skippable, 3, false, &err), MICA_E_CORRUPT);
	/* a larger window than the kernel has room for */
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_windowLog, 21);
	n = ZSTD_compressStream2(ctx, &(ZSTD_outBuffer){packed, sizeof(packed), 0},
				 &(ZSTD_inBuffer){input, 1000, 0}, ZSTD_e_flush);
	assert_false(ZSTD_isError(n));
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 1000, packed, 1500, false, &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "zstd: window of 2097152 exceeds 1048576");
	/* two frames in a row */
	ZSTD_CCtx_reset(ctx, ZSTD_reset_session_and_parameters);
	n = ZSTD_compress2(ctx, packed, sizeof(packed), input, 1000);
	memcpy(packed + n, packed, n);
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 2000, packed, 2 * n, true, &err), MICA_E_CORRUPT);
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 2000, packed, 2 * n, false, &err), MICA_E_CORRUPT);
	assert_int_equal(unpack(EROFS_ALG_ZSTD, 1000, packed, n, true, &err), 0);
	assert_memory_equal(output, input, 1000);
	ZSTD_freeCCtx(ctx);
}

/* A long segment must not make a window that the kernel refuses. */
static void long_segments_keep_the_window(void **state)
{
	const struct mica_codec_spec spec = {.alg = EROFS_ALG_ZSTD, .level = 19};
	size_t len = 3u << 20;
	uint8_t *big = calloc(1, len), *dst = malloc(len);
	struct mica_codec *c = NULL, *d = NULL;
	struct mica_err err = {0};
	long n;

	(void)state;
	for (size_t i = 0; i < len; i += INPUT)
		memcpy(big + i, input, len - i < INPUT ? len - i : INPUT);
	assert_int_equal(mica_compressor_new(&spec, len, &c, &err), 0);
	assert_int_equal(mica_decompressor_new(&d, &err), 0);
	n = mica_compress(c, dst, len, big, len, &err);
	assert_true(n > 0);
	memset(big, 0, len);
	assert_int_equal(mica_decompress(d, EROFS_ALG_ZSTD, big, len, dst, (size_t)n, true, &err),
			 0);
	assert_memory_equal(big + INPUT, input, INPUT);
	mica_codec_free(c);
	mica_codec_free(d);
	free(big);
	free(dst);
}

/* A deflate stream that begins with a stored block would begin with a zero byte. */
static void no_stream_begins_with_padding(void **state)
{
	static const char *const specs[] = {"deflate:1", "deflate:6", "deflate:12"};
	static uint8_t noise[INPUT], packed_noise[INPUT + 65536];
	struct mica_codec_spec spec;
	struct mica_err err = {0};
	uint32_t x = 7;

	(void)state;
	for (size_t i = 0; i < INPUT; i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = i < INPUT / 2 ? (uint8_t)(x >> 24) : input[i];
	}
	for (size_t s = 0; s < sizeof(specs) / sizeof(specs[0]); s++) {
		struct mica_codec *c = NULL;
		long n;

		assert_int_equal(mica_codec_spec_parse(specs[s], &spec, &err), 0);
		assert_int_equal(mica_compressor_new(&spec, INPUT, &c, &err), 0);
		n = mica_compress(c, packed_noise, sizeof(packed_noise), noise, INPUT, &err);
		assert_true(n > 0);
		/* a stored block, not the last one, with what decoders ignore set */
		assert_int_equal(packed_noise[0], 0x80);
		assert_int_equal(
			unpack(EROFS_ALG_DEFLATE, INPUT, packed_noise, (size_t)n, true, &err), 0);
		assert_memory_equal(output, noise, INPUT);
		assert_int_equal(
			unpack(EROFS_ALG_DEFLATE, 1000, packed_noise, (size_t)n, false, &err), 0);
		assert_memory_equal(output, noise, 1000);
		mica_codec_free(c);
	}
}

static void dictionaries_fit_the_segment(void **state)
{
	(void)state;
	assert_int_equal(mica_codec_lzma_dict(1), 4096);
	assert_int_equal(mica_codec_lzma_dict(4096), 4096);
	assert_int_equal(mica_codec_lzma_dict(4097), 8192);
	assert_int_equal(mica_codec_lzma_dict(1 << 20), 1 << 20);
	assert_int_equal(mica_codec_lzma_dict(8 << 20), 8 << 20);
	assert_int_equal(mica_codec_lzma_dict(12 << 20), 8 << 20);
}

static void deflate_keeps_its_end_off_page_starts(void **state)
{
	(void)state;
	/* the last page holds 1 to 8 bytes */
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 4096, 4097), 8);
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 5000, 4096 * 3 - 5000 + 2), 7);
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 4096, 4096 + 8), 1);
	/* more, none, or all of the stream */
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 4096, 4096 + 9), 0);
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 4096, 8192), 0);
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 8192, 5), 0);
	/* the padding must not reach the end of its page */
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 8191, 2), -1);
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 8192 - 8, 4096 + 9), -1);
	assert_int_equal(mica_codec_lead(EROFS_ALG_DEFLATE, 8192 - 9, 4096 + 10), 8);
	assert_int_equal(mica_codec_lead(EROFS_ALG_ZSTD, 4096, 4097), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(specs_are_parsed),
		cmocka_unit_test(bad_specs_name_what_is_allowed),
		cmocka_unit_test(algorithms_have_names_and_kernels),
		cmocka_unit_test(what_is_packed_unpacks),
		cmocka_unit_test(a_prefix_unpacks),
		cmocka_unit_test(what_does_not_fit_is_no_error),
		cmocka_unit_test(a_segment_has_its_limit),
		cmocka_unit_test(hostile_bytes_are_refused),
		cmocka_unit_test(zstd_frames_are_what_the_kernel_takes),
		cmocka_unit_test(long_segments_keep_the_window),
		cmocka_unit_test(no_stream_begins_with_padding),
		cmocka_unit_test(dictionaries_fit_the_segment),
		cmocka_unit_test(deflate_keeps_its_end_off_page_starts),
	};

	input_fill();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
