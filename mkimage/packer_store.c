/* SPDX-License-Identifier: MIT */
/* The packer's back: stores pieces in stream order, and takes back files that were there. */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

int packer_align(struct mica_packer *p, struct mica_err *err)
{
	uint64_t pos = mica_outfile_pos(p->out);

	return mica_outfile_zeros(p->out, mica_round_up(pos, MICA_BLOCK) - pos, err);
}

int packer_ext_add(struct mica_packer *p, uint64_t llen, uint64_t pstart, uint32_t plen, int alg,
		   struct mica_err *err)
{
	struct mica_pext x = {.llen = llen, .pstart = pstart, .plen = plen, .alg = (int8_t)alg};

	return mica_extlist_add(&p->cur->exts, p->spool, x, err);
}

void packer_file_begin(struct mica_packer *p, unsigned int setting)
{
	struct mica_extlist exts = p->cur->exts;

	mica_extlist_clear(&exts);
	*p->cur = (struct store_file){
		.exts = exts,
		.setting = (uint8_t)setting,
		.origin = mica_outfile_pos(p->out),
		.start = mica_outfile_pos(p->out),
		.index_mark = mica_blockindex_count(p->chunks.index),
	};
}

/* Plain bytes one behind the other, in whole blocks but for the last one. */
static bool file_is_flat(const struct store_file *f)
{
	return !f->any_encoded && !f->any_hole && !f->exts.scattered && !(f->start % MICA_BLOCK) &&
	       !(f->exts.bounds % MICA_BLOCK);
}

/* Chunks of a hole, from which on an extent says it in fewer bytes. */
#define HOLE_CHUNKS 16u

/* The one hole that a file of zeros is: every kernel reads it from a chunk map. */
static enum mica_data_kind hole_kind(const struct mica_packer *p)
{
	const struct mica_extlist *l = &p->cur->exts;
	bool extents = p->opts->compat.extents && !p->settings[p->cur->setting].how.codec.none;

	return extents && l->end >> mica_extlist_chunk_bits(l) >= HOLE_CHUNKS ? MICA_DATA_EXTENTS
									      : MICA_DATA_CHUNK;
}

/* What the file's kind is, now that all of it is stored. */
static enum mica_data_kind file_kind(const struct mica_packer *p, enum piece_mode mode,
				     bool fragment)
{
	const struct store_file *f = p->cur;
	bool nothing_stored = !f->exts.stored && !f->tail_len;

	if (!fragment && nothing_stored)
		return hole_kind(p);
	if (!fragment && mode == PIECE_RAW && (f->any_hole || f->shared))
		return MICA_DATA_CHUNK;
	if (!fragment && file_is_flat(f))
		return MICA_DATA_FLAT;
	return p->opts->compat.extents ? MICA_DATA_EXTENTS : MICA_DATA_PCLUSTERS;
}

int packer_file_publish(struct mica_packer *p, enum piece_mode mode, struct mica_tinode *inode,
			struct mica_err *err)
{
	struct store_file *f = p->cur;
	bool fragment = f->exts.end < inode->size;
	enum mica_data_kind kind = file_kind(p, mode, fragment);
	struct mica_data *data = &inode->data;
	uint64_t off;
	int ret;

	p->stats.bytes_dup += f->shared;
	/* the fragment's place is filled in by another thread */
	data->kind = (uint8_t)kind;
	data->alg = (uint8_t)p->settings[f->setting].how.codec.alg;
	if (kind == MICA_DATA_PCLUSTERS)
		p->stats.algs |= 1u << data->alg; /* the map header names it in any case */
	data->alg = mica_extlist_algs(&f->exts, data->alg);
	data->tail_len = f->tail_len;
	data->start = f->start;
	if (f->exts.any_dev) {
		/* a list over several devices: any of them, so that it counts as far away */
		data->start = f->exts.first;
		data->dev = f->exts.scattered ? f->exts.any_dev : f->exts.first_dev;
	}
	data->blocks = (uint32_t)mica_div_round_up(f->exts.bytes, MICA_BLOCK);
	data->flags = (uint8_t)((f->tail_encoded ? MICA_DATA_TAIL_ENCODED : 0) |
				(fragment ? MICA_DATA_TAIL_FRAGMENT : 0));
	/* chunks may lie anywhere, for every kernel */
	if (kind != MICA_DATA_CHUNK)
		data->flags |= mica_extlist_flags(&f->exts);
	if (kind == MICA_DATA_CHUNK)
		data->lclusterbits = mica_extlist_chunk_bits(&f->exts);
	else if (kind == MICA_DATA_EXTENTS && fragment)
		data->lclusterbits = 0; /* where a fragment begins must be said */
	else if (kind == MICA_DATA_EXTENTS)
		data->lclusterbits = (uint8_t)mica_extlist_uniform_bits(&f->exts);
	if (kind == MICA_DATA_FLAT) {
		data->blocks = (uint32_t)mica_div_round_up(inode->size - f->tail_len, MICA_BLOCK);
		mica_extlist_clear(&f->exts);
		/* kernels read the last block whole */
		ret = data->blocks ? packer_align(p, err) : 0;
		if (ret)
			return ret;
	}
	data->count = (uint32_t)mica_extlist_count(&f->exts);
	ret = mica_extlist_save(&f->exts, p->spool, f->tail, f->tail_len, &off, err);
	data->spool_off = off;
	return ret;
}

/* *known: the file is stored already, and points there now. */
static int file_lookup(struct mica_packer *p, const struct piece *piece,
		       const uint8_t digest[MICA_DIGEST], bool *known, struct mica_err *err)
{
	const struct mica_tinode *twin = mica_dedupe_find(p->dedupe, digest);

	*known = twin != NULL;
	if (!twin)
		return mica_dedupe_add(p->dedupe, digest, piece->inode, err);
	p->stats.bytes_dup += piece->inode->size;
	if (packer_twin_is_known(twin))
		packer_known_use(p, twin);
	piece->inode->data = twin->data;
	p->cur->shared = 0;
	mica_outfile_rewind(p->out);
	mica_blockindex_cut(p->chunks.index, p->cur->index_mark);
	return 0;
}

static int piece_store(struct mica_packer *p, const struct batch *b, const struct piece *piece,
		       struct mica_err *err)
{
	const unsigned char *in = b->in + piece->in_off;
	int ret;

	if (piece->mode == PIECE_RAW)
		ret = packer_store_raw(p, piece, in, b->out + piece->out_off, err);
	else
		ret = packer_store_cluster(p, piece, in, b->out + piece->out_off, err);
	if (ret || !piece->last)
		return ret;
	return piece->mode == PIECE_RAW ? packer_end_raw(p, piece, err)
					: packer_end_clusters(p, piece->inode, err);
}

/* A file of one piece: its digest is known before anything is written. */
static int single_store(struct mica_packer *p, const struct batch *b, const struct piece *piece,
			struct mica_err *err)
{
	uint8_t digest[MICA_DIGEST];
	bool known;
	int ret = packer_digest_single(p->file_hash, piece, digest, err);

	if (!ret)
		ret = file_lookup(p, piece, digest, &known, err);
	if (ret || known)
		return ret;
	ret = piece_store(p, b, piece, err);
	return ret ? ret : packer_file_publish(p, piece->mode, piece->inode, err);
}

static int multi_store(struct mica_packer *p, const struct batch *b, const struct piece *piece,
		       struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint8_t digest[MICA_DIGEST];
	bool known;
	int ret;

	f->zeros += piece->zeros;
	f->digest_zeros += piece->zeros;
	if (f->digest_zeros && (!piece->zeros || piece->last)) {
		packer_digest_zeros(p->file_hash, f->digest_zeros);
		f->digest_zeros = 0;
	}
	if (!piece->zeros)
		mica_keyhash_add(p->file_hash, piece->digest, MICA_DIGEST);
	ret = piece_store(p, b, piece, err);
	if (ret || !piece->last)
		return ret;
	ret = mica_keyhash_end(p->file_hash, digest, err);
	if (!ret)
		ret = file_lookup(p, piece, digest, &known, err);
	return ret || known ? ret : packer_file_publish(p, piece->mode, piece->inode, err);
}

static int batch_store(struct mica_packer *p, const struct batch *b, struct mica_err *err)
{
	int ret = 0;

	p->cur = &p->file;
	for (unsigned int i = 0; !ret && i < b->count; i++) {
		const struct piece *piece = &b->pieces[i];

		if (piece->first) {
			packer_file_begin(p, piece->setting);
			mica_outfile_mark(p->out); /* where a duplicate goes back to */
			packer_digest_begin(p->file_hash, piece);
		}
		if (piece->first && piece->last && !piece->zeros)
			ret = single_store(p, b, piece, err);
		else
			ret = multi_store(p, b, piece, err);
	}
	return ret;
}

int packer_store(void *ctx, void *job, struct mica_err *err)
{
	struct mica_packer *p = ctx;
	int ret = 0;

	switch (((struct job *)job)->kind) {
	case JOB_BATCH:
		ret = batch_store(p, job, err);
		break;
	case JOB_SEGMENT:
		ret = packer_segment_store(p, job, err);
		break;
	case JOB_REPEAT:
		ret = packer_repeat_store(p, &((struct repeat_job *)job)->what, err);
		break;
	case JOB_EXTENTS:
		ret = packer_extents_store(p, job, err);
		break;
	default:
		break;
	}
	/* said while it happens, not when everything has been written */
	if (!ret && mica_outfile_pos(p->out) > MICA_BYTES_MAX)
		ret = mica_err_set(err, MICA_E_LIMIT, "more data than the 16 TiB of an image");
	return ret;
}
