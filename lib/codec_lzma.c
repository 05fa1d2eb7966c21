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

/*
 * What a byte is predicted from: high bits of the byte before (lc), place in the file (lp,
 * pb). One set suits text, another one tables of 4 or 8 bytes; the stream's first byte says
 * which it is. The usual one comes first.
 */
struct lzma_props {
	uint8_t lc, lp, pb;
};

static const struct lzma_props props_tried[] = {
	{3, 0, 2}, {4, 0, 0}, {2, 2, 2}, {3, 0, 0}, {1, 3, 3}, {4, 0, 2},
};

#define SAMPLE_LEN   (1u << 20) /* bytes that a set is tried with */
#define SAMPLE_LEVEL 1u

struct lzma_encoder {
	lzma_stream strm;
	lzma_options_lzma opts;
	lzma_stream trial; /* a fast one for small samples */
	lzma_options_lzma trial_opts;
	unsigned char *trial_out; /* NULL: the usual set is taken */
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
	e->trial = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_lzma_preset(&e->opts, preset)) {
		free(e);
		return mica_err_set(err, MICA_E_UNSUPPORTED, "lzma: no preset %d in this library",
				    spec->level);
	}
	/* more than a segment is of no use and costs time for each of them */
	e->opts.dict_size = mica_codec_lzma_dict(max_input);
	if (spec->extreme) {
		lzma_lzma_preset(&e->trial_opts, SAMPLE_LEVEL);
		e->trial_opts.dict_size = mica_codec_lzma_dict(mica_min(max_input, SAMPLE_LEN));
		e->trial_out = malloc(SAMPLE_LEN);
		if (!e->trial_out) {
			free(e);
			return mica_err_nomem(err);
		}
	}
	*out = e;
	return 0;
}

/* The library encodes as much input as fits into the output. */
static long lzma_run(lzma_stream *s, const lzma_options_lzma *opts, void *dst, size_t cap,
		     const void *src, size_t len, size_t *used, struct mica_err *err)
{
	lzma_ret ret;

	*used = 0;
	if (cap < LZMA_OUTPUT_MIN)
		return 0;
	ret = lzma_microlzma_encoder(s, opts);
	if (ret == LZMA_OK) {
		s->next_in = src;
		s->avail_in = len;
		s->next_out = dst;
		s->avail_out = cap;
		ret = lzma_code(s, LZMA_FINISH);
	}
	if (ret == LZMA_MEM_ERROR)
		return mica_err_nomem(err);
	if (ret != LZMA_STREAM_END)
		return mica_err_set(err, MICA_E_USAGE, "lzma: error %d of the library", (int)ret);
	*used = (size_t)s->total_in;
	return (long)s->total_out;
}

/* The set that makes the least of a sample. */
static int props_choose(struct lzma_encoder *e, const unsigned char *src, size_t len,
			struct mica_err *err)
{
	size_t n = mica_min(len, SAMPLE_LEN), best = 0, most = 0, used;

	src += (len - n) / 4;
	for (size_t i = 0; i < sizeof(props_tried) / sizeof(props_tried[0]); i++) {
		long out;

		e->trial_opts.lc = props_tried[i].lc;
		e->trial_opts.lp = props_tried[i].lp;
		e->trial_opts.pb = props_tried[i].pb;
		out = lzma_run(&e->trial, &e->trial_opts, e->trial_out, SAMPLE_LEN, src, n, &used,
			       err);
		if (out < 0)
			return (int)out;
		if (used == n && SAMPLE_LEN - (size_t)out > most) {
			most = SAMPLE_LEN - (size_t)out;
			best = i;
		}
	}
	e->opts.lc = props_tried[best].lc;
	e->opts.lp = props_tried[best].lp;
	e->opts.pb = props_tried[best].pb;
	return 0;
}

static long lzma_encode_part(void *state, void *dst, size_t cap, const void *src, size_t len,
			     size_t *used, struct mica_err *err)
{
	struct lzma_encoder *e = state;
	int ret = e->trial_out ? props_choose(e, src, len, err) : 0;

	return ret ? ret : lzma_run(&e->strm, &e->opts, dst, cap, src, len, used, err);
}

/* Here all of the input must fit. */
static long lzma_encode(void *state, void *dst, size_t cap, const void *src, size_t len,
			struct mica_err *err)
{
	size_t used = 0;
	long n = lzma_encode_part(state, dst, cap, src, len, &used, err);

	return n > 0 && used < len ? 0 : n;
}

static void lzma_encoder_free(void *state)
{
	struct lzma_encoder *e = state;

	lzma_end(&e->trial);
	lzma_end(&e->strm);
	free(e->trial_out);
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
	.encode_part = lzma_encode_part,
	.encoder_free = lzma_encoder_free,
	.decoder_new = lzma_decoder_new,
	.decode = lzma_decode,
	.decoder_free = lzma_decoder_free,
};
