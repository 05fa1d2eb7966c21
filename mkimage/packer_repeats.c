/* SPDX-License-Identifier: MIT */
/*
 * Runs of the pile's bytes that come twice, too far apart for the compressor to see: the
 * extents of the first time are what the second time refers to. The first one has to begin
 * with an extent; it may end within one, whose rest is then left out.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "outfile.h"
#include "packer_int.h"

/*
 * A segment that has to begin anew and two extents that end early cost some ten thousand
 * bytes each, and a run saves a fourth of its length.
 */
#define REPEAT_MIN (128u << 10)

#define REPEATS_PART 6u /* of the memory that may be used, before segments are encoded */

#define LOOK_EXTENT (256u << 10) /* chunks are as large as for extents of this size */
#define LOOK_BYTES  (1u << 20)	 /* read at once; more than a chunk */

struct look {
	struct mica_packer *p;
	struct mica_repeats *repeats;
	struct mica_gear gear;
	unsigned char *buf;
	uint64_t at; /* in the packed inode */
};

static void look_free(struct look *l)
{
	mica_repeats_free(l->repeats);
	free(l->buf);
}

static int look_new(struct look *l, struct mica_packer *p, struct mica_err *err)
{
	*l = (struct look){.p = p, .at = p->hoard.size};
	l->buf = malloc(LOOK_BYTES);
	if (!l->buf)
		return mica_err_nomem(err);
	mica_gear_init(&l->gear, LOOK_EXTENT);
	return mica_repeats_new(p->opts->memory / REPEATS_PART, REPEAT_MIN, p->pile_extent / 2,
				&l->repeats, err);
}

/* Chunks from buf on, until fewer bytes than the longest one are left; end: until none is. */
static int look_chunks(struct look *l, uint32_t *len, bool end, struct mica_err *err)
{
	struct mica_keyhash *hash = l->p->pile.hash;
	uint32_t off = 0;
	int ret = 0;

	while (!ret && off < *len && (end || *len - off >= l->gear.chunk_max)) {
		uint32_t n = (uint32_t)mica_gear_cut(&l->gear, l->buf + off, *len - off);
		uint8_t digest[MICA_DIGEST];

		mica_keyhash_begin(hash);
		mica_keyhash_add(hash, l->buf + off, n);
		ret = mica_keyhash_end(hash, digest, err);
		if (!ret)
			ret = mica_repeats_add(l->repeats, digest, l->at, n, err);
		off += n;
		l->at += n;
	}
	*len -= off;
	memmove(l->buf, l->buf + off, *len);
	return ret;
}

static int look_file(struct look *l, const struct mica_hoard_file *f, struct mica_err *err)
{
	uint32_t done = 0, len = 0;
	int ret = 0;

	while (!ret && done < f->len) {
		uint32_t n = (uint32_t)mica_min(f->len - done, LOOK_BYTES - len);

		ret = mica_spool_read(l->p->pile.spool, l->buf + len, n, f->off + done, err);
		len += n;
		done += n;
		if (!ret)
			ret = look_chunks(l, &len, done == f->len, err);
	}
	return ret ? ret : mica_repeats_break(l->repeats, err);
}

static int start_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int starts_make(struct packer_repeats *r, struct mica_err *err)
{
	if (!r->count)
		return 0;
	r->starts = calloc(r->count, sizeof(*r->starts));
	if (!r->starts)
		return mica_err_nomem(err);
	for (uint32_t i = 0; i < r->count; i++)
		r->starts[i] = r->v[i].from;
	qsort(r->starts, r->count, sizeof(*r->starts), start_compare);
	return 0;
}

int packer_repeats_plan(struct mica_packer *p, struct mica_hoard *h, uint32_t first,
			struct mica_err *err)
{
	struct packer_repeats *r = &p->pile.repeats;
	cleanup(look_free) struct look l = {0};
	int ret;

	/* an index cannot say that an extent begins within a block, or is a part of one */
	if (!p->opts->compat.extents)
		return 0;
	ret = look_new(&l, p, err);
	for (unsigned int s = 0; !ret && s < p->setting_count; s++)
		for (uint32_t i = first; !ret && i != MICA_HOARD_END; i = h->files[i].next)
			if (h->files[i].setting == s)
				ret = look_file(&l, &h->files[i], err);
	if (ret)
		return ret;
	r->v = mica_repeats_take(l.repeats, &r->count);
	return starts_make(r, err);
}

void packer_repeats_clear(struct mica_packer *p)
{
	struct packer_repeats *r = &p->pile.repeats;

	free(r->v);
	free(r->starts);
	free(r->exts);
	*r = (struct packer_repeats){0};
}

uint32_t packer_repeats_next(struct mica_packer *p, uint32_t len, const struct mica_repeat **repeat,
			     bool *begins)
{
	struct packer_repeats *r = &p->pile.repeats;
	uint64_t at = p->hoard.size, end = at + len;

	*repeat = NULL;
	*begins = false;
	if (r->next < r->count && r->v[r->next].at == at) {
		*repeat = &r->v[r->next++];
		*begins = true;
		return (uint32_t)(*repeat)->len;
	}
	for (; r->next_start < r->count && r->starts[r->next_start] <= at; r->next_start++)
		*begins |= r->starts[r->next_start] == at;
	if (r->next < r->count)
		end = mica_min(end, r->v[r->next].at);
	if (r->next_start < r->count)
		end = mica_min(end, r->starts[r->next_start]);
	return (uint32_t)(end - at);
}

/* --- storing ------------------------------------------------------------------- */

static int ext_push(struct packer_repeats *r, struct packed_extent e, struct mica_err *err)
{
	if (r->ext_count == r->ext_cap) {
		uint32_t cap = r->ext_cap ? r->ext_cap * 2 : 1024;
		struct packed_extent *v = reallocarray(r->exts, cap, sizeof(*v));

		if (!v)
			return mica_err_nomem(err);
		r->exts = v;
		r->ext_cap = cap;
	}
	r->exts[r->ext_count++] = e;
	return 0;
}

int packer_repeats_stored(struct mica_packer *p, uint64_t la, const struct placed *at,
			  struct mica_err *err)
{
	struct packer_repeats *r = &p->pile.repeats;

	if (!r->count)
		return 0;
	return ext_push(r, (struct packed_extent){.la = la, .len = at->llen, .at = *at}, err);
}

/* The extent that begins at la. */
static uint32_t ext_find(const struct packer_repeats *r, uint64_t la)
{
	uint32_t from = 0, end = r->ext_count;

	while (from < end) {
		uint32_t mid = from + (end - from) / 2;

		if (r->exts[mid].la < la)
			from = mid + 1;
		else
			end = mid;
	}
	return from;
}

static int ext_refer(struct mica_packer *p, const struct packed_extent *e, uint64_t la,
		     uint32_t len, struct mica_err *err)
{
	struct mica_pext x = {
		.llen = len,
		.pstart = e->at.pstart,
		.plen = e->at.plen,
		.dev = e->at.dev,
		.alg = (int8_t)e->at.alg,
		.partial = len < e->at.llen,
	};
	int ret = mica_extlist_add(&p->packed.exts, p->spool, x, err);

	return ret ? ret
		   : ext_push(&p->pile.repeats,
			      (struct packed_extent){.la = la, .len = len, .at = e->at}, err);
}

int packer_repeat_store(struct mica_packer *p, const struct mica_repeat *what, struct mica_err *err)
{
	struct packer_repeats *r = &p->pile.repeats;
	uint32_t i = ext_find(r, what->from);
	uint64_t done = 0;
	int ret = 0;

	p->stats.shared = true;
	while (!ret && done < what->len) {
		struct packed_extent e;
		uint32_t n;

		if (i == r->ext_count || r->exts[i].la != what->from + done)
			return mica_err_set(err, MICA_E_CORRUPT,
					    "packed inode: no extent begins at %" PRIu64,
					    what->from + done);
		e = r->exts[i++];
		n = (uint32_t)mica_min(e.len, what->len - done);
		ret = ext_refer(p, &e, what->at + done, n, err);
		done += n;
	}
	return ret;
}
