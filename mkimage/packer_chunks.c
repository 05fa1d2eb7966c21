/* SPDX-License-Identifier: MIT */
/*
 * Blocks of uncompressed files that are stored already: a file whose blocks are found
 * elsewhere points there, with a chunk map where it takes one.
 */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

#define INDEX_PART 4u /* of the memory that may be used */

/* Full blocks of a piece that may be shared. */
static uint32_t piece_blocks(const struct mica_packer *p, const struct piece *piece)
{
	if (piece->mode != PIECE_RAW || piece->chunk != MICA_BLOCK || p->opts->small_blocks)
		return 0;
	return piece->in_len / MICA_BLOCK;
}

int packer_chunks_init(struct mica_packer *p, struct mica_err *err)
{
	struct packer_chunks *c = &p->chunks;

	c->at = calloc(p->batch_size / MICA_BLOCK, sizeof(*c->at));
	if (!c->at)
		return mica_err_nomem(err);
	return mica_blockindex_new(p->opts->memory / INDEX_PART, &c->index, err);
}

void packer_chunks_free(struct mica_packer *p)
{
	mica_blockindex_free(p->chunks.index);
	free(p->chunks.at);
}

/* Zeros are left out where files are stored, so that they need no digest. */
int packer_chunks_digest(const struct mica_packer *p, struct mica_keyhash *h, struct piece *piece,
			 const unsigned char *in, unsigned char *digests, struct mica_err *err)
{
	uint32_t blocks = piece_blocks(p, piece);
	uint32_t done = blocks * MICA_BLOCK;
	le32 len = le32_make(piece->in_len);
	int ret = 0;

	for (uint32_t i = 0; !ret && i < blocks; i++) {
		const unsigned char *block = in + i * MICA_BLOCK;

		if (packer_all_zero(block, MICA_BLOCK)) {
			memset(digests + i * MICA_DIGEST, 0, MICA_DIGEST);
			continue;
		}
		mica_keyhash_begin(h);
		mica_keyhash_add(h, block, MICA_BLOCK);
		ret = mica_keyhash_end(h, digests + i * MICA_DIGEST, err);
	}
	if (ret)
		return ret;
	mica_keyhash_begin(h);
	mica_keyhash_add(h, &len, sizeof(len));
	mica_keyhash_add(h, digests, (size_t)blocks * MICA_DIGEST);
	mica_keyhash_add(h, in + done, piece->in_len - done);
	return mica_keyhash_end(h, piece->digest, err);
}

int packer_chunks_hash(const struct mica_packer *p, struct packer_worker *w, struct batch *b,
		       struct piece *piece, struct mica_err *err)
{
	piece->out_off = b->out_len;
	b->out_len += piece_blocks(p, piece) * MICA_DIGEST;
	return packer_chunks_digest(p, w->hash, piece, b->in + piece->in_off,
				    b->out + piece->out_off, err);
}

/* Bytes that the file takes more at most as chunks than in one run. */
static uint64_t chunks_cost(const struct mica_packer *p, const struct piece *piece)
{
	uint64_t size = piece->inode->size;
	uint32_t tail = size % MICA_BLOCK;
	uint64_t map = mica_div_round_up(size, MICA_BLOCK) * sizeof(le32);

	return map + (tail && tail <= mica_tail_max(p->opts) ? MICA_BLOCK - tail : 0);
}

/*
 * Nothing is shared before what could have been saved so far pays for the map: the end
 * of the file is not known yet.
 */
void packer_chunks_plan(struct mica_packer *p, const struct piece *piece,
			const unsigned char *digests)
{
	struct packer_chunks *c = &p->chunks;
	struct store_file *f = p->cur;
	uint32_t last = MICA_BLOCKINDEX_NONE;

	c->digests = digests;
	c->count = piece_blocks(p, piece);
	for (uint32_t i = 0; i < c->count; i++) {
		last = mica_blockindex_find(c->index, digests + i * MICA_DIGEST, last);
		c->at[i] = last;
		f->repeats += last == MICA_BLOCKINDEX_NONE ? 0 : MICA_BLOCK;
	}
	if (!c->count || f->any_hole || f->shared || f->repeats > chunks_cost(p, piece))
		return;
	for (uint32_t i = 0; i < c->count; i++)
		c->at[i] = MICA_BLOCKINDEX_NONE;
}

uint32_t packer_chunks_at(const struct mica_packer *p, uint32_t pos)
{
	const struct packer_chunks *c = &p->chunks;
	uint32_t i = pos / MICA_BLOCK;

	return i < c->count ? c->at[i] : MICA_BLOCKINDEX_NONE;
}

int packer_chunks_stored(struct mica_packer *p, uint32_t pos, uint32_t len, uint64_t start,
			 struct mica_err *err)
{
	struct packer_chunks *c = &p->chunks;
	uint32_t first = pos / MICA_BLOCK;
	uint32_t end = (uint32_t)mica_min((pos + len) / MICA_BLOCK, c->count);
	int ret = 0;

	for (uint32_t i = first; !ret && i < end; i++)
		ret = mica_blockindex_add(c->index, c->digests + i * MICA_DIGEST,
					  (uint32_t)(start / MICA_BLOCK + i - first), err);
	return ret;
}
