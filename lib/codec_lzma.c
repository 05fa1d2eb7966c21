/* SPDX-License-Identifier: MIT */
/*
 * MicroLZMA: LZMA without a header and without an end marker. Who decodes must
 * know both lengths, and the dictionary's size from the superblock.
 */
#include "codec_priv.h"

#include <lzma.h>
#include <stdlib.h>

#include "util.h"

#define LZMA_OUTPUT_MIN 6u /* less is refused by the library */

struct lzma_encoder {
	lzma_stream strm;
	lzma_options_lzma opts;
};

struct lzma_decoder {
	lzma_stream strm;
	uint32_t dict; /* grows only, so that it is seldom allocated anew */
};

uint32_t mica_codec_lzma_dict(size_t max_input)
{
	uint32_t dict = EROFS_LZMA_DICT_MIN;

	while (dict < max_input && dict < EROFS_LZMA_DICT_MAX)
		dict *= 2;
	return dict;
}

static int lzma_fail(lzma_ret ret, size_t len, size_t want, struct mica_err *err)
{
	if (ret == LZMA_MEM_ERROR)
		return mica_err_nomem(err);
	return mica_codec_long("lzma", len, want, err);
}

static int lzma_encoder_new(const struct mica_codec_spec *spec, size_t max_input, void **out,
			    struct mica_err *err)
{
	struct lzma_encoder *e = calloc(1, sizeof(*e));
	uint32_t preset = (uint32_t)spec->level | (spec->extreme ? LZMA_PRESET_EXTREME : 0);

	if (!e)
		return mica_err_nomem(err);
	e->strm = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_lzma_preset(&e->opts, preset)) {
		free(e);
		return mica_err_set(err, MICA_E_UNSUPPORTED, "lzma: no preset %d in this library",
				    spec->level);
	}
	/* more than a segment is of no use and costs time for each of them */
	e->opts.dict_size = mica_codec_lzma_dict(max_input);
	*out = e;
	return 0;
}

/* The library encodes as much input as fits into the output; here all of it must. */
static long lzma_encode(void *state, void *dst, size_t cap, const void *src, size_t len,
			struct mica_err *err)
{
	struct lzma_encoder *e = state;
	lzma_ret ret;

	if (cap < LZMA_OUTPUT_MIN)
		return 0;
	ret = lzma_microlzma_encoder(&e->strm, &e->opts);
	if (ret == LZMA_OK) {
		e->strm.next_in = src;
		e->strm.avail_in = len;
		e->strm.next_out = dst;
		e->strm.avail_out = cap;
		ret = lzma_code(&e->strm, LZMA_FINISH);
	}
	if (ret == LZMA_MEM_ERROR)
		return mica_err_nomem(err);
	if (ret != LZMA_STREAM_END)
		return mica_err_set(err, MICA_E_USAGE, "lzma: error %d of the library", (int)ret);
	return e->strm.avail_in ? 0 : (long)e->strm.total_out;
}

static void lzma_encoder_free(void *state)
{
	struct lzma_encoder *e = state;

	lzma_end(&e->strm);
	free(e);
}

static int lzma_decoder_new(void **out, struct mica_err *err)
{
	struct lzma_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return mica_err_nomem(err);
	d->strm = (lzma_stream)LZMA_STREAM_INIT;
	*out = d;
	return 0;
}

static int lzma_decode(void *state, void *dst, size_t want, const void *src, size_t len, bool whole,
		       struct mica_err *err)
{
	struct lzma_decoder *d = state;
	lzma_stream *s = &d->strm;
	lzma_ret ret;

	/* no match reaches farther back than to the first byte */
	d->dict = (uint32_t)mica_max(d->dict, mica_codec_lzma_dict(want));
	ret = lzma_microlzma_decoder(s, len, want, whole, d->dict);
	if (ret != LZMA_OK)
		return lzma_fail(ret, len, want, err);
	s->next_in = src;
	s->avail_in = len;
	s->next_out = dst;
	s->avail_out = want;
	do
		ret = lzma_code(s, LZMA_FINISH);
	while (ret == LZMA_OK && (whole || s->avail_out));
	if (ret == LZMA_STREAM_END && s->avail_out)
		return mica_codec_short("lzma", len, want - s->avail_out, want, err);
	if (ret == LZMA_STREAM_END || ret == LZMA_OK)
		return 0;
	return lzma_fail(ret, len, want, err);
}

static void lzma_decoder_free(void *state)
{
	struct lzma_decoder *d = state;

	lzma_end(&d->strm);
	free(d);
}

const struct mica_codec_alg mica_codec_lzma = {
	.encoder_new = lzma_encoder_new,
	.encode = lzma_encode,
	.encoder_free = lzma_encoder_free,
	.decoder_new = lzma_decoder_new,
	.decode = lzma_decode,
	.decoder_free = lzma_decoder_free,
};
