/* SPDX-License-Identifier: MIT */
/* Storing files uncompressed: blocks as they are, with zero blocks left out. */
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
	if (f->any_hole || !f->done || rest >= MICA_BLOCK)
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

static int raw_data(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
		    uint32_t len, bool file_ends, struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint32_t tail = len % MICA_BLOCK;
	uint64_t start;
	int ret = raw_place(p, err);

	if (!ret && f->zeros)
		ret = raw_flush_zeros(p, piece->chunk, err);
	if (ret)
		return ret;
	start = mica_outfile_pos(p->out);
	if (file_ends && !f->any_hole && tail && tail <= mica_tail_max(p->opts)) {
		ret = mica_outfile_write(p->out, in, len - tail, err);
		memcpy(f->tail, in + len - tail, tail);
		f->tail_len = tail;
	} else {
		ret = mica_outfile_write(p->out, in, len, err);
	}
	return ret ? ret : raw_stored(p, start, len, err);
}

int packer_store_raw(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
		     struct mica_err *err)
{
	/* zeros inside a chunk stay; a chunk may be longer than a piece */
	uint32_t unit = (uint32_t)mica_min(piece->chunk, p->settings[piece->setting].how.cluster);
	uint32_t pos = 0;
	int ret = 0;

	while (!ret && pos < piece->in_len) {
		uint32_t end = pos;
		bool zero = false;

		/* [pos, end): data; then perhaps one unit of zeros */
		while (end < piece->in_len) {
			uint32_t n = (uint32_t)mica_min(unit, piece->in_len - end);

			zero = packer_all_zero(in + end, n);
			if (zero)
				break;
			end += n;
		}
		if (end > pos)
			ret = raw_data(p, piece, in + pos, end - pos,
				       piece->last && end == piece->in_len, err);
		if (!zero)
			break;
		pos = end + (uint32_t)mica_min(unit, piece->in_len - end);
		p->cur->zeros += pos - end;
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
