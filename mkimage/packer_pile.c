/* SPDX-License-Identifier: MIT */
/* The pile: files that wait on disk until like can lie beside like over the whole image. */
#include <string.h>

#include "../lib/util.h"
#include "kind.h"
#include "outfile.h"
#include "packer_int.h"

#define FILES_MIN  (1u << 14)
#define FILES_MAX  (1u << 22)
#define FILES_PART 8u  /* of the memory that may be used, for what is known of them */
#define ORDER_PART 6u  /* of it, for putting them in order */
#define FILE_ORDER 32u /* bytes that putting it in order takes */
#define FILE_COST  (sizeof(struct mica_hoard_file) + FILE_ORDER)

/* lzma's tables for each byte of its window, and all that another compressor needs. */
#define LZMA_TABLES	  12u
#define COMPRESSOR_TABLES (32u << 20)

int packer_pile_init(struct mica_packer *p, struct mica_err *err)
{
	uint32_t files = FILES_MIN;
	int ret;

	if (!p->pile_extent)
		return 0;
	while (files < FILES_MAX && 2 * files * FILE_COST <= p->opts->memory / FILES_PART)
		files *= 2;
	ret = mica_hoard_init_disk(&p->pile.hoard, files, err);
	if (!ret)
		ret = mica_keyhash_new(p->hash_key, &p->pile.hash, err);
	if (!ret)
		ret = mica_likeness_new(p->opts->memory / ORDER_PART, &p->pile.likeness, err);
	return ret ? ret : mica_spool_new(mica_outfile_path(p->out), &p->pile.spool, err);
}

void packer_pile_free(struct mica_packer *p)
{
	mica_hoard_free(&p->pile.hoard);
	mica_keyhash_free(p->pile.hash);
	mica_likeness_free(p->pile.likeness);
	packer_repeats_clear(p);
	mica_spool_free(p->pile.spool);
}

unsigned int packer_pile_jobs(const struct mica_packer *p)
{
	/* of a segment encoded, and one extent; one is on its way beside those of the threads */
	uint64_t segment = (PACKER_SEGMENT_EXTENTS + 1ull) * p->pile_extent;
	uint64_t memory = p->opts->memory, tables = 0;

	if (!p->pile_extent)
		return p->opts->jobs;
	for (unsigned int i = 0; i < p->setting_count; i++) {
		const struct packer_setting *s = &p->settings[i];
		bool lzma = s->extent && s->how.codec.alg == EROFS_ALG_LZMA;

		tables += lzma ? (uint64_t)LZMA_TABLES * mica_codec_lzma_dict(s->extent)
			       : COMPRESSOR_TABLES;
	}
	/* files are in order before segments are encoded: but for samples, that room is free */
	memory -= memory / FILES_PART + memory / ORDER_PART / 4;
	memory -= mica_min(memory, segment);
	return (unsigned int)mica_max(1, mica_min(p->opts->jobs, memory / (segment + tables)));
}

int packer_pile_begin(struct mica_packer *p, struct mica_err *err)
{
	struct mica_hoard *h = &p->pile.hoard;
	int ret = mica_hoard_fits(h, p->size) ? 0 : packer_pile_flush(p, false, err);

	if (ret)
		return ret;
	h->files[h->count] = (struct mica_hoard_file){
		.inode = p->inode,
		.number = h->count,
		.setting = p->set->number,
		.len = (uint32_t)p->size,
	};
	p->pile.head_len = 0;
	packer_hoard_digest_begin(p->pile.hash);
	return 0;
}

static int pile_add(struct mica_packer *p, const void *buf, size_t len, struct mica_err *err)
{
	struct packer_pile *pile = &p->pile;
	size_t n = mica_min(len, sizeof(pile->head) - pile->head_len);
	uint64_t off;
	int ret = mica_spool_write(pile->spool, buf, len, &off, err);

	if (p->fed == 0)
		pile->hoard.files[pile->hoard.count].off = off;
	memcpy(pile->head + pile->head_len, buf, n);
	pile->head_len += (uint32_t)n;
	mica_keyhash_add(pile->hash, buf, len);
	p->fed += len;
	return ret ? ret : mica_likeness_add(pile->likeness, &p->set->gear, buf, len, err);
}

int packer_pile_add(struct mica_packer *p, const void *buf, uint64_t len, struct mica_err *err)
{
	int ret = 0;

	if (buf)
		return pile_add(p, buf, (size_t)len, err);
	while (!ret && len) {
		uint64_t n = mica_min(len, MICA_ZERO_EXTENT);

		ret = pile_add(p, p->zero_buf, (size_t)n, err);
		len -= n;
	}
	return ret;
}

int packer_pile_end(struct mica_packer *p, struct mica_err *err)
{
	struct packer_pile *pile = &p->pile;
	struct mica_hoard_file *f = &pile->hoard.files[pile->hoard.count++];
	int ret;

	pile->hoard.used += f->len;
	f->kind = mica_kind(pile->head, pile->head_len);
	ret = mica_likeness_end(pile->likeness, f->kind != MICA_KIND_PACKED, err);
	return ret ? ret : mica_keyhash_end(pile->hash, f->digest, err);
}

int packer_pile_order(struct mica_packer *p, uint32_t *first, struct mica_err *err)
{
	struct mica_hoard *h = &p->pile.hoard;

	mica_hoard_sort(h);
	/* what is encoded as one extent: its bytes are limited by the kernel's pcluster, too */
	return mica_likeness_order(p->pile.likeness, h, p->pile_extent / 2, first, err);
}

int packer_pile_flush(struct mica_packer *p, bool last, struct mica_err *err)
{
	struct packer_pile *pile = &p->pile;
	int ret, drained;

	ret = packer_hoard_store(p, &pile->hoard, last, err);
	mica_hoard_clear(&pile->hoard);
	mica_likeness_clear(pile->likeness);
	/* no worker may read the file when it goes, not even after a failure */
	drained = mica_pipe_drain(p->pipe, ret ? NULL : err);
	if (!ret)
		ret = drained;
	packer_repeats_clear(p);
	mica_spool_free(pile->spool);
	pile->spool = NULL;
	return ret || last ? ret : mica_spool_new(mica_outfile_path(p->out), &pile->spool, err);
}
