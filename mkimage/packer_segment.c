/* SPDX-License-Identifier: MIT */
/*
 * Segments of the packed inode, compressed and stored: as one extent, or, in the pile, as so
 * many as their encoded bytes need.
 */
#include <string.h>

#include "../lib/util.h"
#include "outfile.h"
#include "packer_int.h"

/*
 * No extent is shorter, unless all of the segment is: before encoded extents one must reach the
 * next block of its file, and one that is short costs as much as another one.
 */
#define REST_MIN (64u << 10)

static int segment_room(const struct mica_packer *p, struct segment *s, struct mica_err *err)
{
	uint32_t room = (uint32_t)mica_max(s->len, p->cluster_max);

	if (s->room >= s->len)
		return 0;
	free(s->in);
	free(s->out);
	s->room = 0;
	/* of several, one at a time */
	s->in = malloc(mica_max(p->cluster_max, s->several ? p->pile_extent : s->len));
	/* one of several is encoded with all the room that an extent may take */
	s->out = malloc(packer_encoded_room(room) + PACKER_ENCODED_MAX);
	if (!s->in || !s->out)
		return mica_err_nomem(err);
	s->room = room;
	return 0;
}

/* Its bytes at..at + len. */
static int segment_gather(struct mica_packer *p, struct segment *s, uint32_t at, uint32_t len,
			  struct mica_err *err)
{
	unsigned char *in = s->in;
	int ret = 0;

	for (uint32_t i = 0; !ret && len; i++) {
		const struct segment_part *part = &s->parts[i];
		uint32_t n = (uint32_t)mica_min(part->len - mica_min(at, part->len), len);

		if (!n)
			; /* all of it is before */
		else if (part->off == SEGMENT_ZEROS)
			memset(in, 0, n);
		else if (s->hoard->data)
			memcpy(in, s->hoard->data + part->off + at, n);
		else
			ret = mica_spool_read(p->pile.spool, in, n, part->off + at, err);
		at -= (uint32_t)mica_min(at, part->len);
		in += n;
		len -= n;
	}
	return ret;
}

static int cut_push(struct segment *s, struct segment_cut cut, struct mica_err *err)
{
	if (s->cut_count == s->cut_cap) {
		uint32_t cap = s->cut_cap ? s->cut_cap * 2 : 4;
		struct segment_cut *cuts = reallocarray(s->cuts, cap, sizeof(*cuts));

		if (!cuts)
			return mica_err_nomem(err);
		s->cuts = cuts;
		s->cut_cap = cap;
	}
	s->cuts[s->cut_count++] = cut;
	return 0;
}

/* As much of most bytes from at on, which are in s->in, as becomes one extent. */
static int cut_encode(struct mica_packer *p, struct packer_worker *w, struct segment *s,
		      uint32_t at, uint32_t most, unsigned char *out, struct segment_cut *cut,
		      struct mica_err *err)
{
	uint32_t plain = (uint32_t)mica_min(most, MICA_CLUSTER_PLAIN - MICA_BLOCK);
	bool end = s->last && at + plain == s->len, fits, noise;
	struct mica_codec *codec;
	size_t used;
	long n;
	int ret = packer_probe(p, w, s->setting, s->in, plain, out, &noise, err);

	fits = !s->encode && packer_plain_fits(p, s->la + at, plain, end);
	*cut = (struct segment_cut){.len = plain};
	if (ret || (noise && fits))
		return ret;
	ret = packer_codec(p, w, s->setting, noise, &codec, err);
	if (ret)
		return ret;
	n = mica_compress_part(codec, out, PACKER_ENCODED_MAX, s->in, most, &used, err);
	if (n < 0)
		return (int)n;
	if (fits && (!n || (size_t)n >= used))
		return 0;
	if (!n)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "%u bytes cannot be compressed into %u", most,
				    PACKER_ENCODED_MAX);
	*cut = (struct segment_cut){(uint32_t)used, (uint32_t)n};
	return 0;
}

/* The next extent's bytes at most: even parts of what is left, if that shrinks as the last one. */
static uint32_t cut_most(const struct segment *s, uint32_t extent, uint32_t at)
{
	const struct segment_cut *last = s->cut_count ? &s->cuts[s->cut_count - 1] : NULL;
	uint64_t left = s->len - at, full = extent;

	if (last && last->out_len)
		full = mica_min(full, (uint64_t)last->len * PACKER_ENCODED_MAX / last->out_len);
	return (uint32_t)mica_min(extent, mica_div_round_up(left, mica_div_round_up(left, full)));
}

/* Bytes in s->out. */
static uint32_t cut_stored(const struct segment_cut *cut)
{
	return cut->out_len ? cut->out_len : cut->len;
}

static int segment_cuts(struct mica_packer *p, struct packer_worker *w, struct segment *s,
			struct mica_err *err)
{
	uint32_t extent = p->settings[s->setting].extent, at = 0, out = 0;
	int ret = 0;

	while (!ret && at < s->len) {
		uint32_t most = cut_most(s, extent, at);
		struct segment_cut cut;

		ret = segment_gather(p, s, at, most, err);
		if (!ret)
			ret = cut_encode(p, w, s, at, most, s->out + out, &cut, err);
		/* it took nearly all: the rest would be too short */
		if (!ret && s->len - at - cut.len && s->len - at - cut.len < REST_MIN)
			ret = cut_encode(p, w, s, at, (s->len - at) / 2, s->out + out, &cut, err);
		if (!ret)
			ret = cut_push(s, cut, err);
		if (ret)
			return ret;
		if (!cut.out_len)
			memcpy(s->out + out, s->in, cut.len);
		at += cut.len;
		out += cut_stored(&cut);
	}
	return ret;
}

int packer_segment_work(struct mica_packer *p, struct packer_worker *w, struct segment *s,
			struct mica_err *err)
{
	struct segment_cut cut = {.len = s->len};
	int ret = segment_room(p, s, err);

	if (!ret && s->several)
		return segment_cuts(p, w, s, err);
	if (!ret)
		ret = segment_gather(p, s, 0, s->len, err);
	if (ret)
		return ret;
	ret = packer_encode(p, w, s->setting, s->plain_fits, s->in, s->len, s->out, &cut.out_len,
			    err);
	if (s->plain_fits && cut.out_len && !packer_encoding_pays(p, s->len, cut.out_len))
		cut.out_len = 0;
	return ret ? ret : cut_push(s, cut, err);
}

int packer_segment_store(struct mica_packer *p, struct segment *s, struct mica_err *err)
{
	const unsigned char *out = s->out;
	uint64_t la = s->la;
	struct placed at;
	int ret = 0;

	p->cur = &p->packed;
	for (uint32_t i = 0; !ret && i < s->cut_count; i++) {
		const struct segment_cut *cut = &s->cuts[i];

		ret = packer_extent_write(p, s->setting, s->several ? out : s->in, cut->len, out,
					  cut->out_len, &at, err);
		if (!ret && s->several)
			ret = packer_repeats_stored(p, la, &at, err);
		out += cut_stored(cut);
		la += cut->len;
	}
	return ret;
}
