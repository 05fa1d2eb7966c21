/* SPDX-License-Identifier: MIT */
/*
 * Storing files compressed. Before 6.15 a pcluster takes whole blocks, its bytes
 * at their end (kernels skip the zeros before them); an encoded extent of 6.15
 * lies anywhere.
 */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

/* What an inode pays for an index beside the clusters: the map header and one extent. */
#define INDEX_COST 24

/* What MICA_ZERO_EXTENT of zeros take: lz4 makes 16 KiB of them, others less. */
#define ZERO_ROOM (64u << 10)

static uint32_t blocks_of(uint32_t len)
{
	return (uint32_t)mica_div_round_up(len, MICA_BLOCK);
}

static enum erofs_alg file_alg(const struct mica_packer *p)
{
	return p->settings[p->cur->setting].how.codec.alg;
}

void packer_note_pcluster(struct mica_packer *p, enum erofs_alg alg, uint32_t plen)
{
	p->cur->any_encoded = true;
	p->stats.algs |= 1u << alg;
	p->stats.max_pcluster = (uint32_t)mica_max(p->stats.max_pcluster, plen);
}

/* Encoded bytes as an extent of whole blocks. */
static int pcluster_write(struct mica_packer *p, const void *buf, uint32_t len, uint64_t llen,
			  struct mica_err *err)
{
	uint32_t plen = blocks_of(len) * MICA_BLOCK;
	uint64_t start = mica_outfile_pos(p->out);
	int ret = mica_outfile_zeros(p->out, plen - len, err);

	if (!ret)
		ret = mica_outfile_write(p->out, buf, len, err);
	packer_note_pcluster(p, file_alg(p), plen);
	p->cur->done += llen;
	return ret ? ret : packer_ext_add(p, llen, start, plen, (int)file_alg(p), err);
}

static int zero_run_init(const struct mica_packer *p, struct zero_run *z, struct mica_err *err)
{
	if (z->codec)
		return 0;
	z->out = malloc(ZERO_ROOM);
	if (!z->out)
		return mica_err_nomem(err);
	return mica_compressor_new(&p->settings[p->cur->setting].how.codec, MICA_ZERO_EXTENT,
				   &z->codec, err);
}

static int zeros_encode(struct mica_packer *p, struct zero_run *z, uint64_t len,
			struct mica_err *err)
{
	int ret;

	if (z->len == len)
		return 0;
	ret = zero_run_init(p, z, err);
	if (ret)
		return ret;
	z->out_len = mica_compress(z->codec, z->out, ZERO_ROOM, p->zero_buf, len, err);
	z->len = z->out_len > 0 ? len : 0;
	if (!z->out_len)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "zeros do not compress");
	return z->out_len < 0 ? (int)z->out_len : 0;
}

/* Older kernels have no holes in compressed files: zeros in large extents cost little. */
static int zeros_write(struct mica_packer *p, struct mica_err *err)
{
	struct store_file *f = p->cur;
	struct zero_run *z = &p->zero_runs[f->setting];

	p->stats.zero_extents = true;
	while (f->zeros) {
		uint64_t len = mica_min(f->zeros, MICA_ZERO_EXTENT);
		int ret = zeros_encode(p, z, len, err);

		if (!ret)
			ret = pcluster_write(p, z->out, (uint32_t)z->out_len, len, err);
		if (ret)
			return ret;
		f->zeros -= len;
	}
	return 0;
}

int packer_flush_zeros(struct mica_packer *p, struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint64_t zeros = f->zeros;

	if (!p->opts->compat.extents)
		return zeros_write(p, err);
	f->zeros = 0;
	f->done += zeros;
	f->any_hole = true;
	return packer_ext_add(p, zeros, 0, 0, -1, err);
}

/* An encoded extent lies right behind what was written before. */
static int extent_write(struct mica_packer *p, const void *buf, uint32_t len, uint64_t llen,
			struct mica_err *err)
{
	uint64_t start = mica_outfile_pos(p->out);
	int lead = mica_codec_lead(file_alg(p), start, len);
	uint32_t plen = len + (uint32_t)lead;
	int ret = mica_outfile_zeros(p->out, (uint64_t)lead, err);

	if (!ret)
		ret = mica_outfile_write(p->out, buf, len, err);
	packer_note_pcluster(p, file_alg(p), plen);
	p->cur->done += llen;
	return ret ? ret : packer_ext_add(p, llen, start, plen, (int)file_alg(p), err);
}

/*
 * A plain piece, so far of a file that may turn out to be plain as a whole: its
 * last partial block is then the tail of a flat file.
 */
static int plain_write(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
		       struct mica_err *err)
{
	struct store_file *f = p->cur;
	uint32_t len = piece->in_len, tail = len % MICA_BLOCK, plen = len;
	bool flat = piece->last && !f->any_encoded && !f->any_hole && f->start % MICA_BLOCK == 0;
	uint64_t start = mica_outfile_pos(p->out);
	int ret;

	if (flat && tail && tail <= MICA_TAIL_MAX) {
		memcpy(f->tail, in + len - tail, tail);
		f->tail_len = tail;
		len -= tail;
	}
	ret = mica_outfile_write(p->out, in, len, err);
	if (!ret && len && (!p->opts->compat.extents || flat))
		ret = packer_align(p, err);
	if (!p->opts->compat.extents)
		plen = blocks_of(plen) * MICA_BLOCK;
	f->done += piece->in_len;
	return ret ? ret : packer_ext_add(p, piece->in_len, start, plen, -1, err);
}

/* Bytes that a whole file takes when it is stored flat. */
static uint32_t flat_cost(uint32_t len)
{
	uint32_t tail = len % MICA_BLOCK;

	return len - tail + (tail > MICA_TAIL_MAX ? MICA_BLOCK : tail);
}

static uint32_t encoded_cost(const struct mica_packer *p, const struct piece *piece)
{
	if (!piece->out_len || piece->out_len > PACKER_ENCODED_MAX)
		return UINT32_MAX;
	if (p->opts->compat.extents &&
	    mica_codec_lead(file_alg(p), mica_outfile_pos(p->out), piece->out_len) < 0)
		return UINT32_MAX;
	if (p->opts->compat.extents ||
	    (piece->last && p->opts->compat.tail_pclusters && piece->out_len <= MICA_TAIL_MAX))
		return piece->out_len + INDEX_COST;
	return blocks_of(piece->out_len) * MICA_BLOCK + INDEX_COST;
}

/* Whether compressing pays; alone: the piece is the whole file, which could be flat. */
static bool piece_encodes(const struct mica_packer *p, const struct piece *piece, bool alone)
{
	uint32_t plain = alone ? flat_cost(piece->in_len) : piece->in_len;

	if (!alone && !p->opts->compat.extents)
		plain = blocks_of(plain) * MICA_BLOCK;
	return encoded_cost(p, piece) < plain;
}

/*
 * Where a file begins: flat files and block-addressed clusters at a block, an
 * encoded extent right behind the file before it. Plain files need not be flat
 * when they are short and an extent can hold them: a block boundary would cost
 * half a block. Behind a hole there is nothing but extents.
 */
static int cluster_place(struct mica_packer *p, const struct piece *piece, bool encodes,
			 struct mica_err *err)
{
	struct store_file *f = p->cur;
	bool anywhere = p->opts->compat.extents && (encodes || f->any_hole);
	int ret;

	if (mica_outfile_pos(p->out) != f->origin || anywhere)
		return 0;
	if (p->opts->compat.extents && piece->last && piece->in_len > MICA_TAIL_MAX &&
	    piece->in_len < 16 * MICA_BLOCK)
		return 0;
	if (piece->last && piece->in_len <= MICA_TAIL_MAX) {
		f->start = 0; /* inline only */
		return 0;
	}
	ret = packer_align(p, err);
	f->start = mica_outfile_pos(p->out);
	return ret;
}

int packer_store_cluster(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
			 const unsigned char *out, struct mica_err *err)
{
	struct store_file *f = p->cur;
	bool encodes;
	int ret;

	if (!piece->in_len)
		return 0;
	ret = f->zeros ? packer_flush_zeros(p, err) : 0;
	if (ret)
		return ret;
	encodes = piece_encodes(p, piece, piece->first && piece->last);
	ret = cluster_place(p, piece, encodes, err);
	if (ret || !encodes)
		return ret ? ret : plain_write(p, piece, in, err);
	if (p->opts->compat.extents)
		return extent_write(p, out, piece->out_len, piece->in_len, err);
	if (piece->last && p->opts->compat.tail_pclusters && piece->out_len <= MICA_TAIL_MAX) {
		memcpy(f->tail, out, piece->out_len);
		f->tail_len = piece->out_len;
		f->tail_encoded = true;
		packer_note_pcluster(p, file_alg(p), 0);
		return packer_ext_add(p, piece->in_len, 0, 0, (int)file_alg(p), err);
	}
	return pcluster_write(p, out, piece->out_len, piece->in_len, err);
}

int packer_end_clusters(struct mica_packer *p, const struct mica_tinode *inode,
			struct mica_err *err)
{
	struct store_file *f = p->cur;

	if (!f->zeros)
		return 0;
	/* all of the file is zeros: file_kind() makes it one hole */
	if (f->zeros == inode->size) {
		f->any_hole = true;
		return packer_ext_add(p, f->zeros, 0, 0, -1, err);
	}
	return packer_flush_zeros(p, err);
}
