/* SPDX-License-Identifier: MIT */
#include "extlist.h"

#include "../formats/erofs_compact.h"
#include "../lib/util.h"
#include "bases.h"
#include "outfile.h"

#define CHUNK_BITS_USUAL 30u /* 1 GiB: what kernels of 32 bits can shift */
#define CHUNK_BITS_MAX	 (MICA_BLOCK_BITS + EROFS_CHUNK_BLKBITS_MASK)
#define CHUNKS_MANY	 65536u
#define UNIFORM_BITS_MAX (MICA_BLOCK_BITS + EROFS_CLUSTERBITS_MASK)

_Static_assert(MICA_EXTLIST_SEGMENT % MICA_EXTREADER_CHUNK == 0, "a chunk crosses no segment");

void mica_extlist_clear(struct mica_extlist *l)
{
	l->used = 0;
	l->segment_count = 0;
	l->end = 0;
	l->bounds = 0;
	l->longest = 0;
	l->stored = 0;
	l->first = 0;
	l->dev = l->first_dev = l->any_dev = 0;
	l->algs = 0;
	l->bytes = 0;
	l->head = 0;
	l->scattered = false;
	l->full = false;
}

void mica_extlist_free(struct mica_extlist *l)
{
	free(l->v);
	free(l->segments);
	*l = (struct mica_extlist){0};
}

/* Double an array of *cap elements. */
static int array_grow(void *array, uint32_t *cap, size_t size, struct mica_err *err)
{
	uint32_t want = *cap ? *cap * 2 : 64;
	void *v = reallocarray(*(void **)array, want, size);

	if (!v)
		return mica_err_nomem(err);
	*(void **)array = v;
	*cap = want;
	return 0;
}

static int segment_flush(struct mica_extlist *l, struct mica_spool *spool, struct mica_err *err)
{
	int ret = 0;

	if (l->segment_count == l->segment_cap)
		ret = array_grow(&l->segments, &l->segment_cap, sizeof(*l->segments), err);
	if (!ret)
		ret = mica_spool_write(spool, l->v, l->used * sizeof(*l->v),
				       &l->segments[l->segment_count], err);
	if (ret)
		return ret;
	l->segment_count++;
	l->used = 0;
	return 0;
}

/* Bytes that an extent takes where it is stored. */
static uint64_t pext_stored(const struct mica_pext *x)
{
	return x->alg < 0 && x->plen == 1 ? x->llen : x->plen;
}

static bool pext_follows(const struct mica_pext *last, const struct mica_pext *x)
{
	if (last->alg >= 0 || x->alg >= 0 || last->plen != x->plen || x->plen > 1)
		return false;
	return !x->plen || (last->dev == x->dev && last->pstart + last->llen == x->pstart);
}

_Static_assert(MICA_EXTLIST_FAR == (EROFS_COMPACT_PACK + 1) * MICA_BLOCK,
	       "a pack, and the one before");

/* la: where the extent begins in the file */
static void note_place(struct mica_extlist *l, const struct mica_pext *x, uint64_t la)
{
	uint64_t head = la / MICA_BLOCK;
	bool away = l->stored && (l->stored != x->pstart || l->dev != x->dev);

	if (x->alg >= 0)
		l->algs |= (uint8_t)(1u << x->alg);
	if (!x->plen)
		return;
	if (!l->stored) {
		l->first = x->pstart;
		l->first_dev = x->dev;
	}
	if (x->dev)
		l->any_dev = x->dev;
	l->scattered |= away || x->partial;
	l->full |= x->partial || (away && (head - l->head) * MICA_BLOCK < MICA_EXTLIST_FAR);
	/* plain ones have a head for each block */
	l->head = x->alg < 0 ? (la + x->llen - 1) / MICA_BLOCK : head;
	l->stored = x->pstart + pext_stored(x);
	l->dev = x->dev;
	l->bytes += pext_stored(x);
}

int mica_extlist_add(struct mica_extlist *l, struct mica_spool *spool, struct mica_pext x,
		     struct mica_err *err)
{
	struct mica_pext *last = l->used ? &l->v[l->used - 1] : NULL;
	int ret = 0;

	if (!x.llen)
		return 0;
	if (last && pext_follows(last, &x)) {
		note_place(l, &x, l->end);
		last->llen += x.llen;
		l->end += x.llen;
		if (x.plen)
			l->longest = mica_max(l->longest, last->llen);
		return 0;
	}
	if (mica_extlist_count(l) == UINT32_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "more than %u extents in a file",
				    UINT32_MAX);
	if (l->used == MICA_EXTLIST_SEGMENT)
		ret = segment_flush(l, spool, err);
	else if (l->used == l->cap)
		ret = array_grow(&l->v, &l->cap, sizeof(*l->v), err);
	if (ret)
		return ret;
	l->v[l->used++] = x;
	note_place(l, &x, l->end);
	l->bounds |= l->end;
	l->end += x.llen;
	if (x.plen || x.alg >= 0)
		l->longest = mica_max(l->longest, x.llen);
	return 0;
}

uint8_t mica_extlist_flags(const struct mica_extlist *l)
{
	return (uint8_t)((l->scattered ? MICA_DATA_SCATTERED : 0) |
			 (l->full ? MICA_DATA_FULL_INDEX : 0));
}

unsigned int mica_extlist_uniform_bits(const struct mica_extlist *l)
{
	/* all begin at multiples of the lowest bit that a beginning has */
	unsigned int bits = l->bounds ? (unsigned int)__builtin_ctzll(l->bounds)
				      : 64 - (unsigned int)__builtin_clzll(l->longest | 1);

	bits = mica_max(MICA_BLOCK_BITS, mica_min(bits, UNIFORM_BITS_MAX));
	return l->longest <= 1ULL << bits && !(l->bounds % (1ULL << bits)) ? bits : 0;
}

uint8_t mica_extlist_chunk_bits(const struct mica_extlist *l)
{
	unsigned int most = CHUNK_BITS_USUAL;

	while (most < CHUNK_BITS_MAX && l->end >> most > CHUNKS_MANY)
		most++;
	if (l->bounds && (unsigned int)__builtin_ctzll(l->bounds) < most)
		most = (unsigned int)__builtin_ctzll(l->bounds);
	return (uint8_t)most;
}

uint8_t mica_extlist_algs(const struct mica_extlist *l, uint8_t other)
{
	unsigned int low, high;

	if (!l->algs)
		return other;
	low = (unsigned int)__builtin_ctz(l->algs);
	high = 31u - (unsigned int)__builtin_clz(l->algs);
	return (uint8_t)(low == high ? low : low | high << 4);
}

uint64_t mica_extlist_count(const struct mica_extlist *l)
{
	return (uint64_t)l->segment_count * MICA_EXTLIST_SEGMENT + l->used;
}

int mica_extlist_save(struct mica_extlist *l, struct mica_spool *spool, const void *tail,
		      uint32_t tail_len, uint64_t *off, struct mica_err *err)
{
	/* the count alone tells readers how many full segments there are */
	int ret = l->used == MICA_EXTLIST_SEGMENT ? segment_flush(l, spool, err) : 0;
	const struct mica_buf pieces[] = {
		{l->segments, l->segment_count * sizeof(*l->segments)},
		{l->v, l->used * sizeof(*l->v)},
		{tail, tail_len},
	};

	return ret ? ret : mica_spool_writev(spool, pieces, 3, off, err);
}

static uint64_t table_size(const struct mica_data *data)
{
	return data->count / MICA_EXTLIST_SEGMENT * sizeof(uint64_t);
}

uint64_t mica_extlist_tail(const struct mica_data *data)
{
	return data->spool_off + table_size(data) +
	       data->count % MICA_EXTLIST_SEGMENT * sizeof(struct mica_pext);
}

void mica_extreader_start(struct mica_extreader *r, struct mica_spool *spool,
			  const struct mica_data *data)
{
	r->spool = spool;
	r->bases = NULL;
	r->table = data->spool_off;
	r->rest = data->spool_off + table_size(data);
	r->left = data->count;
	r->segment_left = 0;
	r->pos = 0;
	r->count = 0;
}

static int segment_next(struct mica_extreader *r, struct mica_err *err)
{
	r->segment_left = (uint32_t)mica_min(r->left, MICA_EXTLIST_SEGMENT);
	if (r->segment_left < MICA_EXTLIST_SEGMENT) {
		r->off = r->rest;
		return 0;
	}
	r->table += sizeof(r->off);
	return mica_spool_read(r->spool, &r->off, sizeof(r->off), r->table - sizeof(r->off), err);
}

const struct mica_pext *mica_extreader_next(struct mica_extreader *r, int *ret,
					    struct mica_err *err)
{
	if (r->pos < r->count)
		return &r->v[r->pos++];
	if (!r->left)
		return NULL;
	if (!r->segment_left)
		*ret = segment_next(r, err);
	r->count = (unsigned int)mica_min(r->segment_left, MICA_EXTREADER_CHUNK);
	if (!*ret)
		*ret = mica_spool_read(r->spool, r->v, r->count * sizeof(r->v[0]), r->off, err);
	if (*ret)
		return NULL;
	for (unsigned int i = 0; i < r->count; i++)
		r->v[i].pstart = mica_bases_address(r->bases, r->v[i].dev, r->v[i].pstart);
	r->off += r->count * sizeof(r->v[0]);
	r->left -= r->count;
	r->segment_left -= r->count;
	r->pos = 1;
	return &r->v[0];
}
