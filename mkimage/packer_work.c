/* SPDX-License-Identifier: MIT */
/* The packer's workers: look at a piece's bytes, hash them, compress what is new. */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

bool packer_all_zero(const unsigned char *p, size_t len)
{
	/* equal to itself shifted by one byte: memcmp is the fastest scan there is */
	return !len || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}

/*
 * A piece of zeros becomes a run of zeros, so that it is treated like a
 * declared hole. Not the short one at the end of a file, which is smaller
 * inline, unless holes cost nothing and something is before it. Piece by piece,
 * hence independent of who found it.
 */
bool packer_piece_is_zeros(const struct mica_packer *p, uint32_t cluster, bool first,
			   const unsigned char *in, uint32_t len)
{
	if (len != cluster && (first || !p->opts->compat.extents))
		return false;
	return packer_all_zero(in, len);
}

void packer_digest_begin(struct mica_keyhash *h, const struct piece *first)
{
	le64 head[2] = {le64_make(first->mode), le64_make(first->chunk)};

	mica_keyhash_begin(h);
	mica_keyhash_add(h, head, sizeof(head));
}

void packer_digest_zeros(struct mica_keyhash *h, uint64_t zeros)
{
	/* a mark that no digest has but by a chance of 2^-128 */
	struct {
		uint8_t mark[MICA_DIGEST];
		le64 len;
	} run = {.len = le64_make(zeros)};

	memset(run.mark, 0xff, sizeof(run.mark));
	mica_keyhash_add(h, &run, sizeof(run));
}

int packer_digest_single(struct mica_keyhash *h, const struct piece *piece,
			 uint8_t out[MICA_DIGEST], struct mica_err *err)
{
	packer_digest_begin(h, piece);
	mica_keyhash_add(h, piece->digest, MICA_DIGEST);
	return mica_keyhash_end(h, out, err);
}

/* Only files of one piece: those of more are looked up when their last piece is in. */
static int piece_is_stored(struct mica_packer *p, struct packer_worker *w, struct piece *piece,
			   bool *stored, struct mica_err *err)
{
	uint8_t digest[MICA_DIGEST];
	int ret;

	*stored = false;
	if (!piece->first || !piece->last)
		return 0;
	ret = packer_digest_single(w->hash, piece, digest, err);
	if (!ret)
		*stored = mica_dedupe_find(p->dedupe, digest) != NULL;
	return ret;
}

static int piece_work(struct mica_packer *p, struct packer_worker *w, struct batch *b,
		      struct piece *piece, struct mica_err *err)
{
	const unsigned char *in = b->in + piece->in_off;
	bool stored;
	int ret;

	if (piece->zeros)
		return 0;
	if (packer_piece_is_zeros(p, p->settings[piece->setting].how.cluster, piece->first, in,
				  piece->in_len)) {
		piece->zeros = piece->in_len;
		piece->in_len = 0;
		return 0;
	}
	if (piece->mode == PIECE_RAW)
		return packer_chunks_hash(p, w, b, piece, err);
	mica_keyhash_begin(w->hash);
	mica_keyhash_add(w->hash, in, piece->in_len);
	ret = mica_keyhash_end(w->hash, piece->digest, err);
	if (ret)
		return ret;
	ret = piece_is_stored(p, w, piece, &stored, err);
	if (ret || stored)
		return ret;
	piece->out_off = b->out_len;
	ret = packer_encode(p, w, piece->setting, true, in, piece->in_len, b->out + b->out_len,
			    &piece->out_len, err);
	b->out_len += piece->out_len;
	return ret;
}

static int batch_work(struct mica_packer *p, struct packer_worker *w, struct batch *b,
		      struct mica_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < b->count; i++)
		ret = piece_work(p, w, b, &b->pieces[i], err);
	return ret;
}

int packer_work(void *ctx, unsigned int worker, void *job, struct mica_err *err)
{
	struct mica_packer *p = ctx;
	struct packer_worker *w = &p->workers[worker];

	switch (((struct job *)job)->kind) {
	case JOB_BATCH:
		return batch_work(p, w, job, err);
	case JOB_HOARD:
		return packer_hoard_look(p, w, job, err);
	case JOB_SEGMENT:
		return packer_segment_work(p, w, job, err);
	case JOB_REPEAT:
		return 0;
	case JOB_SLAB:
		return packer_slab_look(p, w, job, err);
	default:
		return packer_extents_work(p, w, job, err);
	}
}
