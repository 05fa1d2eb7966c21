/* SPDX-License-Identifier: MIT */
/*
 * Extents that files may share: segments of the packed inode, and pieces of large
 * files. Before 6.15 an extent takes whole blocks, and the next one begins in
 * another block of the file.
 */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "packer_int.h"

/* Shorter ones cannot win against the frame around them. */
#define COMPRESS_MIN 32u

#define SLACK 16u /* extents may be longer than a cluster by this part of it */

/* A kernel takes 1 MiB of encoded pages: what does not shrink must fit as well. */
#define EXTENT_MAX (EROFS_PCLUSTER_MAX - (32u << 10))

uint32_t packer_extent_max(const struct mica_compat *compat, uint32_t cluster)
{
	/* it ends with a chunk, some before and some behind the cluster's size */
	uint32_t most = cluster + cluster / SLACK;

	return mica_min(most, compat->extents ? EROFS_PCLUSTER_MAX : EXTENT_MAX);
}

bool packer_plain_fits(const struct mica_packer *p, uint64_t la, uint64_t len, bool last)
{
	uint64_t reach = la % MICA_BLOCK + len;

	if (p->opts->compat.extents)
		return true;
	if (last)
		reach = mica_round_up(reach, MICA_BLOCK);
	return mica_div_round_up(len, MICA_BLOCK) == reach / MICA_BLOCK;
}

size_t packer_encoded_room(uint32_t len)
{
	return len + len / 32 + 1024;
}

int packer_encode(struct mica_packer *p, struct packer_worker *w, unsigned int setting,
		  bool plain_fits, const void *in, uint32_t len, unsigned char *out,
		  uint32_t *out_len, struct mica_err *err)
{
	struct mica_codec *codec;
	bool noise;
	long n;
	int ret;

	*out_len = 0;
	if (plain_fits && len < COMPRESS_MIN)
		return 0;
	ret = packer_probe(p, w, setting, in, len, out, &noise, err);
	if (ret || (noise && plain_fits))
		return ret;
	ret = packer_codec(p, w, setting, noise, &codec, err);
	if (ret)
		return ret;
	n = mica_compress(codec, out, plain_fits ? len - 1 : packer_encoded_room(len), in, len,
			  err);
	if (n < 0)
		return (int)n;
	if (!n && !plain_fits)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "%u bytes grow by more than 1/32 when they are compressed",
				    len);
	*out_len = (uint32_t)n;
	return 0;
}

bool packer_encoding_pays(const struct mica_packer *p, uint32_t len, uint32_t out_len)
{
	if (p->opts->compat.extents)
		return out_len < len && out_len <= PACKER_ENCODED_MAX;
	return mica_div_round_up(out_len, MICA_BLOCK) < mica_div_round_up(len, MICA_BLOCK);
}

/* Zeros before what is encoded: up to a block's end, or as many as the codec wants there. */
static uint32_t encoded_lead(const struct mica_packer *p, enum erofs_alg alg, uint32_t len)
{
	if (p->opts->compat.extents)
		return (uint32_t)mica_codec_lead(alg, mica_outfile_pos(p->out), len);
	return -len % MICA_BLOCK;
}

static int encoded_write(struct mica_packer *p, enum erofs_alg alg, const void *buf, uint32_t len,
			 struct placed *at, struct mica_err *err)
{
	uint32_t lead = encoded_lead(p, alg, len);
	int ret = mica_outfile_zeros(p->out, lead, err);

	at->plen = lead + len;
	at->alg = (int)alg;
	packer_note_pcluster(p, alg, at->plen);
	p->stats.max_extent = (uint32_t)mica_max(p->stats.max_extent, at->llen);
	return ret ? ret : mica_outfile_write(p->out, buf, len, err);
}

static int plain_write(struct mica_packer *p, const void *buf, uint32_t len, struct placed *at,
		       struct mica_err *err)
{
	uint32_t pad = p->opts->compat.extents ? 0 : -len % MICA_BLOCK;
	int ret = mica_outfile_write(p->out, buf, len, err);

	at->plen = len + pad;
	at->alg = -1;
	return ret ? ret : mica_outfile_zeros(p->out, pad, err);
}

int packer_extent_write(struct mica_packer *p, unsigned int setting, const unsigned char *in,
			uint32_t len, const unsigned char *out, uint32_t out_len, struct placed *at,
			struct mica_err *err)
{
	enum erofs_alg alg = p->settings[setting].how.codec.alg;
	struct store_file *f = p->cur;
	int ret = 0;

	/* a plain file is better read as blocks */
	if (!p->opts->compat.extents || (!out_len && !f->exts.stored))
		ret = packer_align(p, err);
	if (ret)
		return ret;
	*at = (struct placed){.pstart = mica_outfile_pos(p->out), .llen = len};
	if (out_len && p->opts->compat.extents && mica_codec_lead(alg, at->pstart, out_len) < 0)
		out_len = 0;
	if (!f->exts.stored)
		f->start = at->pstart;
	ret = out_len ? encoded_write(p, alg, out, out_len, at, err)
		      : plain_write(p, in, len, at, err);
	return ret ? ret : packer_ext_add(p, len, at->pstart, at->plen, at->alg, err);
}

/* --- the packed inode ---------------------------------------------------------- */

int packer_packed_publish(struct mica_packer *p, struct mica_err *err)
{
	if (!p->hoard.used)
		return 0;
	p->cur = &p->packed;
	p->packed_inode = (struct mica_tinode){
		.size = p->hoard.size,
		.mode = S_IFREG | 0400,
		.nlink = 1,
	};
	return packer_file_publish(p, PIECE_COMPRESS, &p->packed_inode, err);
}

/* --- extents of large files ------------------------------------------------------ */

int packer_extents_work(struct mica_packer *p, struct packer_worker *w, struct extents *x,
			struct mica_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < x->count; i++) {
		struct extent *e = &x->v[i];

		if (e->zeros || e->ref != MICA_EXT_NONE)
			continue;
		ret = packer_encode(p, w, x->slab->setting, e->plain_fits, x->slab->data + e->off,
				    e->len, e->out, &e->out_len, err);
		if (e->plain_fits && e->out_len && !packer_encoding_pays(p, e->len, e->out_len))
			e->out_len = 0;
	}
	return ret;
}

int packer_placed_push(struct mica_packer *p, struct placed at, struct mica_err *err)
{
	if (p->placed_count == p->placed_cap) {
		uint32_t cap = p->placed_cap ? p->placed_cap * 2 : 1024;
		struct placed *v = reallocarray(p->placed, cap, sizeof(*v));

		if (!v)
			return mica_err_nomem(err);
		p->placed = v;
		p->placed_cap = cap;
	}
	p->placed[p->placed_count++] = at;
	return 0;
}

static int ref_store(struct mica_packer *p, const struct extent *e, struct mica_err *err)
{
	const struct placed *at = &p->placed[e->ref];
	struct mica_pext x = {
		.llen = e->len,
		.pstart = at->pstart,
		.plen = at->plen,
		.dev = at->dev,
		.alg = (int8_t)at->alg,
		.partial = e->len < at->llen,
	};

	p->stats.shared = true;
	if (!p->cur->exts.stored)
		p->cur->start = at->pstart;
	p->cur->any_encoded |= at->alg >= 0;
	/*
	 * In an index a part of plain bytes is just fewer of them. As an encoded extent it is
	 * partial: the kernel knows a cluster by its address, and must meet it with one size.
	 */
	if (at->alg < 0 && !p->opts->compat.extents) {
		x.partial = false;
		x.plen = (uint32_t)mica_round_up(e->len, MICA_BLOCK);
	}
	return mica_extlist_add(&p->cur->exts, p->spool, x, err);
}

static int extent_store(struct mica_packer *p, struct extents *x, const struct extent *e,
			struct mica_err *err)
{
	struct store_file *f = p->cur;
	struct placed at;
	int ret;

	if (e->zeros) {
		f->zeros += e->zeros;
		return 0;
	}
	ret = f->zeros ? packer_flush_zeros(p, err) : 0;
	f->done += e->len;
	if (ret)
		return ret;
	if (e->ref != MICA_EXT_NONE)
		return ref_store(p, e, err);
	ret = packer_extent_write(p, x->slab->setting, x->slab->data + e->off, e->len, e->out,
				  e->out_len, &at, err);
	return ret || !e->known ? ret : packer_placed_push(p, at, err);
}

int packer_extents_store(struct mica_packer *p, struct extents *x, struct mica_err *err)
{
	struct mica_tinode *inode = x->slab->inode;
	int ret = 0;

	p->cur = &p->big;
	for (unsigned int i = 0; !ret && i < x->count; i++) {
		const struct extent *e = &x->v[i];

		if (e->first)
			packer_file_begin(p, x->slab->setting);
		ret = extent_store(p, x, e, err);
		if (ret || !e->last)
			continue;
		ret = packer_end_clusters(p, inode, err);
		if (!ret)
			ret = packer_file_publish(p, PIECE_COMPRESS, inode, err);
	}
	return ret;
}
