/* SPDX-License-Identifier: MIT */
/*
 * What bases have already: digests are made as if their files came by, one file at a time,
 * but what they lead to lies elsewhere.
 */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

static int known_init(struct mica_packer *p, struct mica_err *err)
{
	struct packer_known *k = &p->known;
	int ret;

	if (k->buf)
		return 0;
	ret = mica_keyhash_new(p->hash_key, &k->piece, err);
	if (!ret)
		ret = mica_keyhash_new(p->hash_key, &k->file, err);
	if (ret)
		return ret;
	k->digests = malloc((size_t)p->cluster_max / MICA_BLOCK * MICA_DIGEST);
	k->buf = malloc(p->cluster_max);
	return k->buf && k->digests ? 0 : mica_err_nomem(err);
}

void packer_known_free(struct mica_packer *p)
{
	mica_keyhash_free(p->known.piece);
	mica_keyhash_free(p->known.file);
	free(p->known.digests);
	free(p->known.buf);
}

int mica_packer_known_begin(struct mica_packer *p, const char *path, uint64_t size, bool *bytes,
			    struct mica_err *err)
{
	int ret = known_init(p, err);

	if (!ret)
		ret = packer_choose(p, path, err);
	if (ret)
		return ret;
	packer_route(p, size, 0);
	*bytes = p->route != ROUTE_LARGE;
	if (p->route == ROUTE_PILE)
		packer_hoard_digest_begin(p->known.file);
	p->known.fill = 0;
	p->known.zeros = 0;
	p->known.first = true;
	if (p->route == ROUTE_PIECES)
		packer_digest_begin(p->known.file,
				    &(struct piece){.mode = p->mode, .chunk = p->chunk});
	return 0;
}

static void zeros_add(struct packer_known *k)
{
	if (k->zeros)
		packer_digest_zeros(k->file, k->zeros);
	k->zeros = 0;
}

/* What is in the buffer is a piece. */
static int piece_add(struct mica_packer *p, struct mica_err *err)
{
	struct packer_known *k = &p->known;
	bool first = k->first;
	struct piece piece = {.mode = p->mode, .chunk = p->chunk, .in_len = k->fill};
	uint32_t len = k->fill;
	int ret;

	k->fill = 0;
	k->first = false;
	if (packer_piece_is_zeros(p, p->set->how.cluster, first, k->buf, len)) {
		k->zeros += len;
		return 0;
	}
	zeros_add(k);
	if (piece.mode == PIECE_RAW) {
		ret = packer_chunks_digest(p, k->piece, &piece, k->buf, k->digests, err);
	} else {
		mica_keyhash_begin(k->piece);
		mica_keyhash_add(k->piece, k->buf, len);
		ret = mica_keyhash_end(k->piece, piece.digest, err);
	}
	if (!ret)
		mica_keyhash_add(k->file, piece.digest, sizeof(piece.digest));
	return ret;
}

int mica_packer_known_write(struct mica_packer *p, const void *buf, size_t len,
			    struct mica_err *err)
{
	struct packer_known *k = &p->known;
	const unsigned char *from = buf;
	int ret = 0;

	if (p->route == ROUTE_PILE) {
		mica_keyhash_add(k->file, buf, len);
		return 0;
	}
	while (!ret && len) {
		uint32_t n = (uint32_t)mica_min(len, p->set->how.cluster - k->fill);

		memcpy(k->buf + k->fill, from, n);
		k->fill += n;
		from += n;
		len -= n;
		if (k->fill == p->set->how.cluster)
			ret = piece_add(p, err);
	}
	return ret;
}

int mica_packer_known_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	struct packer_known *k = &p->known;
	uint32_t cluster = p->set->how.cluster;
	int ret = 0;

	while (p->route == ROUTE_PILE && len) {
		uint64_t n = mica_min(len, MICA_ZERO_EXTENT);

		mica_keyhash_add(k->file, p->zero_buf, n);
		len -= n;
	}
	while (!ret && len) {
		uint64_t whole = k->fill ? 0 : len - len % cluster;
		uint32_t n = (uint32_t)mica_min(len, cluster - k->fill);

		if (whole) {
			k->zeros += whole;
			k->first = false;
			len -= whole;
			continue;
		}
		memset(k->buf + k->fill, 0, n);
		k->fill += n;
		len -= n;
		if (k->fill == cluster)
			ret = piece_add(p, err);
	}
	return ret;
}

int mica_packer_known_end(struct mica_packer *p, const struct mica_tinode *inode,
			  struct mica_err *err)
{
	struct packer_known *k = &p->known;
	uint8_t digest[MICA_DIGEST];
	int ret;

	if (p->route == ROUTE_PILE) {
		ret = mica_keyhash_end(k->file, digest, err);
	} else if (p->route == ROUTE_HOARD) {
		ret = packer_hoard_digest(k->file, k->buf, k->fill, digest, err);
	} else {
		ret = k->fill ? piece_add(p, err) : 0;
		zeros_add(k);
		if (!ret)
			ret = mica_keyhash_end(k->file, digest, err);
	}
	/* of several, the first one stays */
	if (ret || mica_dedupe_find(p->dedupe, digest))
		return ret;
	return mica_dedupe_add(p->dedupe, digest, inode, err);
}

void packer_known_use(struct mica_packer *p, const struct mica_tinode *twin)
{
	if (twin->data.kind == MICA_DATA_FRAGMENT || twin->data.flags & MICA_DATA_TAIL_FRAGMENT)
		p->hoard.used = true;
}

struct mica_extlist *mica_packer_known_packed(struct mica_packer *p, uint64_t size)
{
	p->hoard.size = p->hoard.start = size;
	return &p->packed.exts;
}

unsigned int mica_packer_known_algs(const struct mica_packer *p)
{
	unsigned int algs = 0;

	for (unsigned int i = 0; i < p->setting_count; i++)
		if (p->settings[i].shares && !p->settings[i].how.codec.none)
			algs |= 1u << p->settings[i].how.codec.alg;
	return algs;
}
