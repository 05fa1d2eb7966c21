/* SPDX-License-Identifier: MIT */
/*
 * Storing files uncompressed: blocks as they are, without zero blocks and those that
 * are stored already.
 */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

static int raw_stored(struct mica_packer *p, uint64_t start, uint64_t len, struct mica_err *err)
{
	p->cur->done += len;
	return packer_ext_add(p, len, start, 1, -1, err);
}

static int raw_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	uint64_t start = mica_outfile_pos(p->out);
	int ret = mica_outfile_zeros(p->out, len, err);

	return ret || !len ? ret : raw_stored(p, start, len, err);
}

static int raw_hole(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	struct store_file *f = p->cur;

	if (!len)
		return 0;
	f->any_hole = true;
	f->done += len;
	return packer_ext_add(p, len, 0, 0, -1, err);
}

/*
 * The zeros before the next data. What shares a chunk with data on either side
 * must be stored: a chunk is either whole in the image or a hole.
 */
static int raw_flush_zeros(struct mica_packer *p, uint64_t chunk, struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint64_t left = mica_min(f->zeros, mica_round_up(f->done, chunk) - f->done);
	uint64_t right = mica_min(f->zeros - left, (f->done + f->zeros) % chunk);
	uint64_t hole = f->zeros - left - right;
	int ret = raw_zeros(p, left, err);

	f->zeros = 0;
	if (!ret)
		ret = raw_hole(p, hole, err);
	return ret ? ret : raw_zeros(p, right, err);
}

/*
 * The zeros at the end. The last chunk is a hole as well when it begins with
 * them; a file without holes is better off with a last block, or a tail.
 */
static int raw_end_zeros(struct mica_packer *p, uint64_t chunk, struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint64_t left = mica_min(f->zeros, mica_round_up(f->done, chunk) - f->done);
	uint64_t rest = f->zeros - left;
	int ret = raw_zeros(p, left, err);

	f->zeros = 0;
	if (ret || !rest)
		return ret;
	if (f->any_hole || f->shared || !f->done || rest >= MICA_BLOCK)
		return raw_hole(p, rest, err);
	if (rest > mica_tail_max(p->opts))
		return raw_zeros(p, rest, err);
	memset(f->tail, 0, rest);
	f->tail_len = (uint32_t)rest;
	return raw_stored(p, mica_outfile_pos(p->out), rest, err);
}

/* The first bytes of a file make its place: at a block boundary. */
static int raw_place(struct mica_packer *p, struct mica_err *err)
{
	struct store_file *f = p->cur;
	int ret;

	if (mica_outfile_pos(p->out) != f->origin)
		return 0;
	ret = packer_align(p, err);
	f->start = mica_outfile_pos(p->out);
	return ret;
}

/* What the end of a file has in its last block may be inline, unless the file needs a map. */
static bool raw_tail_is_inline(const struct mica_packer *p, uint32_t tail)
{
	return !p->cur->any_hole && !p->cur->shared && tail <= mica_tail_max(p->opts);
}

static int raw_data(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
		    uint32_t pos, uint32_t end, struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint32_t len = end - pos, tail = 0;
	uint64_t start;
	int ret = raw_place(p, err);

	if (!ret && f->zeros)
		ret = raw_flush_zeros(p, piece->chunk, err);
	if (ret)
		return ret;
	start = mica_outfile_pos(p->out);
	if (piece->last && end == piece->in_len && raw_tail_is_inline(p, len % MICA_BLOCK)) {
		tail = len % MICA_BLOCK;
		memcpy(f->tail, in + end - tail, tail);
		f->tail_len = tail;
	}
	ret = mica_outfile_write(p->out, in + pos, len - tail, err);
	if (!ret)
		ret = packer_chunks_stored(p, pos, len, start, err);
	return ret ? ret : raw_stored(p, start, len, err);
}

/* Blocks that are in the image already, from this one on. */
static int raw_shared(struct mica_packer *p, const struct piece *piece, uint32_t block,
		      uint32_t len, struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint64_t start = (uint64_t)block * MICA_BLOCK;
	int ret = f->zeros ? raw_flush_zeros(p, piece->chunk, err) : 0;

	if (ret)
		return ret;
	f->shared += len;
	return raw_stored(p, start, len, err);
}

enum raw_kind {
	RAW_DATA,
	RAW_ZEROS,
	RAW_SHARED,
};

static enum raw_kind raw_kind_at(const struct mica_packer *p, const unsigned char *in, uint32_t pos,
				 uint32_t len)
{
	if (packer_chunks_at(p, pos) != MICA_BLOCKINDEX_NONE)
		return RAW_SHARED;
	return packer_all_zero(in + pos, len) ? RAW_ZEROS : RAW_DATA;
}

/* Zeros inside a chunk stay; a chunk may be longer than a piece. */
static uint32_t raw_unit(const struct mica_packer *p, const struct piece *piece, uint32_t pos)
{
	uint64_t unit = mica_min(piece->chunk, p->settings[piece->setting].how.cluster);

	return (uint32_t)mica_min(unit, piece->in_len - pos);
}

/* Where what begins at pos ends. */
static uint32_t raw_run_end(const struct mica_packer *p, const struct piece *piece,
			    const unsigned char *in, uint32_t pos, enum raw_kind kind)
{
	uint32_t end = pos + raw_unit(p, piece, pos);

	while (end < piece->in_len && raw_kind_at(p, in, end, raw_unit(p, piece, end)) == kind &&
	       (kind != RAW_SHARED ||
		packer_chunks_at(p, end) == packer_chunks_at(p, end - MICA_BLOCK) + 1))
		end += raw_unit(p, piece, end);
	return end;
}

int packer_store_raw(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
		     const unsigned char *digests, struct mica_err *err)
{
	uint32_t end, pos = 0;
	int ret = 0;

	packer_chunks_plan(p, piece, digests);
	for (; !ret && pos < piece->in_len; pos = end) {
		enum raw_kind kind = raw_kind_at(p, in, pos, raw_unit(p, piece, pos));

		end = raw_run_end(p, piece, in, pos, kind);
		if (kind == RAW_ZEROS)
			p->cur->zeros += end - pos;
		else if (kind == RAW_SHARED)
			ret = raw_shared(p, piece, packer_chunks_at(p, pos), end - pos, err);
		else
			ret = raw_data(p, piece, in, pos, end, err);
	}
	return ret;
}

int packer_end_raw(struct mica_packer *p, const struct piece *last, struct mica_err *err)
{
	struct store_file *f = p->cur;
	int ret = f->zeros ? raw_end_zeros(p, last->chunk, err) : 0;

	/* kernels read the last chunk up to the end of its last block */
	return ret || mica_outfile_pos(p->out) == f->origin ? ret : packer_align(p, err);
}
