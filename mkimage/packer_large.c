/* SPDX-License-Identifier: MIT */
/*
 * The large route: a file's bytes are gathered in slabs; workers find the chunks
 * in them; then, in stream order, chunks become extents, new ones and such that
 * are stored already. A slab begins at a multiple of the slab size, or behind a run of
 * zeros, so that the result does not depend on how the bytes came.
 */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

#define SLAB_CLUSTERS 8u
#define SLAB_MIN      (2u << 20)
/* Slabs that are looked at while others come: as many as these bytes hold, within limits. */
#define QUEUE_BYTES (16u << 20)
#define QUEUE_MIN   2u
#define QUEUE_MAX   4u

/* A shared extent saves about a third of its length, and must pay for itself. */
#define REF_MIN (32u << 10)
#define REF_PER_IDX                                                                                \
	256u /* a full index costs its file's size divided by 680 more than a compact one */

int packer_large_init(struct mica_packer *p, struct mica_err *err)
{
	struct packer_large *l = &p->large;

	l->slab_size = (uint32_t)mica_max(SLAB_CLUSTERS * p->cluster_max, SLAB_MIN);
	l->keep = mica_max(QUEUE_MIN, mica_min(QUEUE_BYTES / l->slab_size, QUEUE_MAX));
	l->tail = &l->queue;
	return mica_extindex_new(p->opts->memory / 16, &l->index, err);
}

static void slab_free(struct slab *s)
{
	if (!s)
		return;
	free(s->data);
	free(s->chunks);
	free(s);
}

static void slabs_free(struct slab *s)
{
	while (s) {
		struct slab *next = s->next;

		slab_free(s);
		s = next;
	}
}

void packer_large_free(struct mica_packer *p)
{
	struct packer_large *l = &p->large;

	if (l->job)
		packer_extents_release(p, l->job);
	slab_free(l->slab);
	slabs_free(l->queue);
	slabs_free(l->free_slabs);
	while (l->free_jobs) {
		struct extents *x = l->free_jobs;

		l->free_jobs = x->next_free;
		free(x->out);
		free(x);
	}
	mica_extindex_free(l->index);
}

/* --- slabs -------------------------------------------------------------------- */

static uint32_t chunks_max(const struct mica_packer *p)
{
	uint32_t most = 0;

	for (unsigned int i = 0; i < p->setting_count; i++) {
		const struct packer_setting *s = &p->settings[i];

		/* runs of data between clusters of zeros end in a short chunk each */
		if (s->how.cluster >= PACKER_LARGE_CLUSTER)
			most = (uint32_t)mica_max(
				most, p->large.slab_size / s->gear.chunk_min +
					      2 * (p->large.slab_size / s->how.cluster) + 2);
	}
	return most;
}

static int slab_get(struct mica_packer *p, struct mica_err *err)
{
	struct packer_large *l = &p->large;
	struct slab *s;

	pthread_mutex_lock(&p->free_lock);
	s = l->free_slabs;
	if (s)
		l->free_slabs = s->next;
	pthread_mutex_unlock(&p->free_lock);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return mica_err_nomem(err);
		s->data = malloc(l->slab_size);
		s->chunks = calloc(chunks_max(p), sizeof(*s->chunks));
		if (!s->data || !s->chunks) {
			slab_free(s);
			return mica_err_nomem(err);
		}
	}
	*s = (struct slab){
		.job.kind = JOB_SLAB,
		.inode = p->inode,
		.la = p->fed,
		.data = s->data,
		.chunks = s->chunks,
		.first = !p->fed,
		.setting = p->set->number,
		.users = 1,
	};
	l->slab = s;
	return 0;
}

static void slab_put(struct mica_packer *p, struct slab *s)
{
	pthread_mutex_lock(&p->free_lock);
	if (!--s->users) {
		s->next = p->large.free_slabs;
		p->large.free_slabs = s;
	}
	pthread_mutex_unlock(&p->free_lock);
}

/* The slab that is being filled goes to the workers and into the queue. */
static int slab_close(struct mica_packer *p, struct mica_err *err)
{
	struct packer_large *l = &p->large;
	struct slab *s = l->slab;
	int ret;

	l->slab = NULL;
	s->last = p->fed == p->tail_from;
	s->next = NULL;
	*l->tail = s;
	l->tail = &s->next;
	l->queued++;
	ret = s->zeros ? 0 : packer_submit(p, s, err);
	s->ticket = mica_pipe_submitted(p->pipe);
	return ret ? ret : packer_large_plan(p, l->keep, err);
}

/* Where the slab that is being filled must end. */
static uint32_t slab_room(const struct mica_packer *p)
{
	const struct slab *s = p->large.slab;
	uint64_t la = s ? s->la : p->fed;
	uint64_t end = mica_round_down(la, p->large.slab_size) + p->large.slab_size;

	return (uint32_t)(mica_min(end, p->tail_from) - p->fed);
}

static int slab_fill(struct mica_packer *p, const void *buf, uint32_t len, struct mica_err *err)
{
	struct slab *s;
	int ret = p->large.slab ? 0 : slab_get(p, err);

	if (ret)
		return ret;
	s = p->large.slab;
	if (buf)
		memcpy(s->data + s->len, buf, len);
	else
		memset(s->data + s->len, 0, len);
	s->len += len;
	p->fed += len;
	return slab_room(p) ? 0 : slab_close(p, err);
}

int packer_large_write(struct mica_packer *p, const void *buf, size_t len, struct mica_err *err)
{
	const unsigned char *from = buf;
	int ret = 0;

	while (!ret && len) {
		uint32_t n = (uint32_t)mica_min(len, slab_room(p));

		ret = slab_fill(p, from, n, err);
		from += n;
		len -= n;
	}
	return ret;
}

/* Whole clusters of zeros need no bytes. */
static int zeros_queue(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	int ret = p->large.slab ? slab_close(p, err) : 0;

	if (!ret)
		ret = slab_get(p, err);
	if (ret)
		return ret;
	p->large.slab->zeros = len;
	p->fed += len;
	return slab_close(p, err);
}

int packer_large_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	uint32_t cluster = p->set->how.cluster;
	int ret = 0;

	while (!ret && len) {
		uint64_t whole = len - len % cluster;
		uint64_t n = mica_min(len, cluster - p->fed % cluster);

		if (p->fed % cluster == 0 && whole) {
			ret = zeros_queue(p, whole, err);
			len -= whole;
			continue;
		}
		n = mica_min(n, slab_room(p));
		ret = slab_fill(p, NULL, (uint32_t)n, err);
		len -= n;
	}
	return ret;
}

/* Such data is cut at blocks, so that it can be stored plain. */
#define DENSE_MOST 16u

/* --- looking ------------------------------------------------------------------ */

static int chunk_add(struct packer_worker *w, struct slab *s, const unsigned char *p, uint32_t len,
		     bool dense, struct mica_err *err)
{
	struct chunk *c = &s->chunks[s->chunk_count++];

	c->len = len;
	c->zeros = !p;
	c->dense = dense;
	if (!p)
		return 0;
	mica_keyhash_begin(w->hash);
	mica_keyhash_add(w->hash, p, len);
	return mica_keyhash_end(w->hash, c->digest, err);
}

static int run_look(struct mica_packer *p, struct packer_worker *w, struct slab *s, uint32_t off,
		    uint32_t end, struct mica_err *err)
{
	const struct mica_gear *gear = &p->settings[s->setting].gear;
	bool dense = packer_looks_dense(s->data + off, end - off, DENSE_MOST);
	int ret = 0;

	while (!ret && off < end) {
		const unsigned char *at = s->data + off;
		size_t n = dense ? mica_min(end - off, gear->chunk_max)
				 : mica_gear_cut(gear, at, end - off);

		ret = chunk_add(w, s, at, (uint32_t)n, dense, err);
		off += (uint32_t)n;
	}
	return ret;
}

int packer_slab_look(struct mica_packer *p, struct packer_worker *w, struct slab *s,
		     struct mica_err *err)
{
	uint32_t cluster = p->settings[s->setting].how.cluster, run = 0, off = 0;
	int ret = 0;

	while (!ret && off < s->len) {
		uint32_t n = mica_min(cluster, s->len - off);

		if ((n == cluster || p->opts->compat.extents) &&
		    packer_all_zero(s->data + off, n)) {
			ret = run_look(p, w, s, run, off, err);
			if (!ret)
				ret = chunk_add(w, s, NULL, n, false, err);
			run = off + n;
		}
		off += n;
	}
	return ret ? ret : run_look(p, w, s, run, off, err);
}

/* dense: how what it is in looked when it was cut */
static int extent_tell(struct mica_packer *p, const struct mica_pext *x,
		       const unsigned char *decoded, bool dense, struct mica_err *err)
{
	struct placed at = {
		.pstart = x->pstart,
		.plen = x->plen,
		.llen = (uint32_t)x->llen,
		.alg = x->alg,
		.dev = x->dev,
	};
	uint8_t digest[MICA_DIGEST];
	uint32_t id;
	int ret = mica_extindex_begin(p->large.index, x->alg < 0, &id, err);

	if (ret || id == MICA_EXT_NONE)
		return ret;
	for (uint32_t off = 0; !ret && off < at.llen;) {
		size_t n = dense ? mica_min(at.llen - off, p->set->gear.chunk_max)
				 : mica_gear_cut(&p->set->gear, decoded + off, at.llen - off);

		mica_keyhash_begin(p->known.piece);
		mica_keyhash_add(p->known.piece, decoded + off, n);
		ret = mica_keyhash_end(p->known.piece, digest, err);
		if (!ret)
			ret = mica_extindex_chunk(p->large.index, digest, err);
		off += (uint32_t)n;
	}
	return ret ? ret : packer_placed_push(p, at, err);
}

int mica_packer_known_extent(struct mica_packer *p, const struct mica_pext *x,
			     const unsigned char *decoded, struct mica_err *err)
{
	int ret = extent_tell(p, x, decoded, false, err);

	/* what looks dense may have been a part of something that did not */
	if (!ret && packer_looks_dense(decoded, x->llen, DENSE_MOST))
		ret = extent_tell(p, x, decoded, true, err);
	return ret;
}

uint32_t mica_packer_known_slab(const struct mica_packer *p)
{
	return p->large.slab_size;
}

/* Bytes from p on that extents of other files will begin and end with as well. */
static uint32_t plain_part(const struct mica_packer *p, const unsigned char *at, uint32_t len,
			   bool dense)
{
	uint32_t most = p->set->extent_max, part = 0;

	if (dense)
		return (uint32_t)mica_min(len,
					  most / p->set->gear.chunk_max * p->set->gear.chunk_max);
	while (part < len) {
		uint32_t n = (uint32_t)mica_gear_cut(&p->set->gear, at + part, len - part);

		if (part && part + n > most)
			break;
		part += n;
	}
	return part;
}

int mica_packer_known_plain(struct mica_packer *p, uint16_t dev, uint64_t pstart,
			    const unsigned char *bytes, uint32_t len, struct mica_err *err)
{
	bool dense = packer_looks_dense(bytes, len, DENSE_MOST);
	int ret = 0;

	/* an index knows blocks only, and content is not cut at those */
	if (!dense && !p->opts->compat.extents)
		return 0;
	for (uint32_t off = 0; !ret && off < len;) {
		uint32_t n = plain_part(p, bytes + off, len - off, dense);
		struct mica_pext x = {
			.llen = n, .pstart = pstart + off, .plen = n, .dev = dev, .alg = -1};

		if (!p->opts->compat.extents)
			x.plen = (uint32_t)mica_round_up(n, MICA_BLOCK);
		ret = mica_packer_known_extent(p, &x, bytes + off, err);
		off += n;
	}
	return ret;
}

/* --- planning ----------------------------------------------------------------- */

/* A plan for one slab: where its chunks stand. */
struct plan {
	struct mica_packer *p;
	struct slab *s;
	uint32_t i;   /* next chunk */
	uint32_t off; /* its bytes */
};

static int extents_get(struct mica_packer *p, struct slab *s, struct mica_err *err)
{
	struct extents *x;

	pthread_mutex_lock(&p->free_lock);
	x = p->large.free_jobs;
	if (x)
		p->large.free_jobs = x->next_free;
	s->users++;
	pthread_mutex_unlock(&p->free_lock);
	if (!x) {
		x = calloc(1, sizeof(*x));
		if (x)
			x->out = malloc(packer_encoded_room(p->extent_max));
		if (!x || !x->out) {
			free(x);
			slab_put(p, s);
			return mica_err_nomem(err);
		}
	}
	x->job.kind = JOB_EXTENTS;
	x->slab = s;
	x->count = 0;
	p->large.job = x;
	return 0;
}

void packer_extents_release(struct mica_packer *p, struct extents *x)
{
	slab_put(p, x->slab);
	pthread_mutex_lock(&p->free_lock);
	x->next_free = p->large.free_jobs;
	p->large.free_jobs = x;
	pthread_mutex_unlock(&p->free_lock);
}

static int extents_submit(struct mica_packer *p, struct mica_err *err)
{
	struct extents *x = p->large.job;

	if (!x)
		return 0;
	p->large.job = NULL;
	return packer_submit(p, x, err);
}

static int extent_push(struct mica_packer *p, struct slab *s, struct extent e, struct mica_err *err)
{
	int ret = p->large.job ? 0 : extents_get(p, s, err);

	if (ret)
		return ret;
	e.out = p->large.job->out;
	p->large.job->v[p->large.job->count++] = e;
	if (!e.zeros && e.ref == MICA_EXT_NONE)
		return extents_submit(p, err);
	return p->large.job->count == EXTENTS_MAX ? extents_submit(p, err) : 0;
}

static int zeros_push(struct mica_packer *p, struct slab *s, uint64_t la, uint64_t len,
		      struct mica_err *err)
{
	struct extent e = {
		.zeros = len,
		.la = la,
		.ref = MICA_EXT_NONE,
		.first = s->first && la == s->la,
		.last = s->last && la + len == p->plan_end,
	};

	/* stored as several extents */
	p->large.head = la + len;
	return extent_push(p, s, e, err);
}

/* Bytes from chunk i on that agree with extent id from its beginning; *n: chunks. */
static uint32_t ref_match(const struct plan *pl, uint32_t id, uint32_t *n)
{
	const struct slab *s = pl->s;
	uint32_t len = 0;

	for (*n = 0; pl->i + *n < s->chunk_count; ++*n) {
		const struct chunk *c = &s->chunks[pl->i + *n];
		const uint8_t *digest = mica_extindex_digest(pl->p->large.index, id, *n);

		if (!digest || c->zeros || memcmp(digest, c->digest, MICA_DIGEST))
			break;
		len += c->len;
	}
	return len;
}

/* Whether sharing extent id from here on, n chunks of it, makes the file's index a full one. */
static bool ref_needs_full(const struct plan *pl, uint32_t id, uint32_t n, uint32_t len)
{
	const struct mica_packer *p = pl->p;
	uint64_t la = pl->s->la + pl->off;

	if (p->opts->compat.extents || p->large.full)
		return false;
	return mica_extindex_digest(p->large.index, id, n) || len < MICA_EXTLIST_FAR ||
	       (la && la - p->large.head < MICA_EXTLIST_FAR);
}

static uint32_t ref_min(const struct plan *pl, uint32_t id, uint32_t n, uint32_t len)
{
	uint64_t least = REF_MIN;

	if (ref_needs_full(pl, id, n, len))
		least = mica_max(least, pl->s->inode->size / REF_PER_IDX);
	return (uint32_t)mica_min(least, pl->p->settings[pl->s->setting].how.cluster / 2);
}

/* Whether it pays and is possible to share n chunks of extent id from here on. */
static bool ref_fits(const struct plan *pl, uint32_t id, uint32_t n, uint32_t len)
{
	bool last = pl->s->last && pl->i + n == pl->s->chunk_count;

	if (len < ref_min(pl, id, n, len))
		return false;
	/* what may be plain there must be able to be so here */
	return !mica_extindex_plain(pl->p->large.index, id) ||
	       packer_plain_fits(pl->p, pl->s->la + pl->off, len, last);
}

/*
 * Of the extents that begin with the next chunk the one that goes on longest like what
 * follows; *n chunks.
 */
static uint32_t ref_find(const struct plan *pl, uint32_t *n, uint32_t *len)
{
	const struct mica_extindex *index = pl->p->large.index;
	const struct chunk *c = &pl->s->chunks[pl->i];
	uint32_t id = c->zeros ? MICA_EXT_NONE : mica_extindex_find(index, c->digest);
	uint32_t best = MICA_EXT_NONE;

	*len = 0;
	for (; id != MICA_EXT_NONE; id = mica_extindex_next(index, id)) {
		uint32_t count, match = ref_match(pl, id, &count);

		if (match <= *len || !ref_fits(pl, id, count, match))
			continue;
		best = id;
		*n = count;
		*len = match;
	}
	return best;
}

/*
 * Whether an extent may end here, before one that is shared. Before 6.15 two blocks are the
 * least, as in the packed inode (segment_file()).
 */
static bool may_end(const struct mica_packer *p, uint32_t len)
{
	return len && (p->opts->compat.extents || len >= 2 * MICA_BLOCK);
}

static bool ends_file(const struct plan *pl)
{
	return pl->s->last && pl->i == pl->s->chunk_count;
}

static int ref_push(struct plan *pl, uint32_t id, uint32_t n, uint32_t len, struct mica_err *err)
{
	struct extent e = {.la = pl->s->la + pl->off, .off = pl->off, .len = len, .ref = id};

	e.first = pl->s->first && !pl->i;
	pl->p->large.full |= ref_needs_full(pl, id, n, len);
	pl->p->large.head = e.la;
	pl->i += n;
	pl->off += len;
	e.last = ends_file(pl);
	pl->p->bytes_dup += len;
	return extent_push(pl->p, pl->s, e, err);
}

/* Bytes of data up to the next zeros or the slab's end, cut into even parts. */
static uint32_t even_part(const struct plan *pl)
{
	uint32_t most = pl->p->settings[pl->s->setting].extent_max;
	uint64_t rest = 0, parts;

	for (uint32_t i = pl->i; i < pl->s->chunk_count && !pl->s->chunks[i].zeros; i++)
		rest += pl->s->chunks[i].len;
	parts = mica_div_round_up(rest, most);
	return (uint32_t)mica_div_round_up(rest, parts);
}

/* New bytes up to one extent's length, or to where something known begins. */
static int new_push(struct plan *pl, struct mica_err *err)
{
	uint32_t most = pl->p->settings[pl->s->setting].extent_max;
	uint32_t want = even_part(pl), id, n, len;
	struct extent e = {.la = pl->s->la + pl->off, .off = pl->off, .ref = MICA_EXT_NONE};
	bool dense = pl->s->chunks[pl->i].dense;
	int ret = mica_extindex_begin(pl->p->large.index, dense, &id, err);

	e.first = pl->s->first && !pl->i;
	e.known = id != MICA_EXT_NONE;
	pl->p->large.head = e.la;
	while (!ret && pl->i < pl->s->chunk_count && !pl->s->chunks[pl->i].zeros) {
		const struct chunk *c = &pl->s->chunks[pl->i];

		if (e.len && (e.len + c->len > most || e.len + c->len / 2 > want))
			break;
		if (may_end(pl->p, e.len) && ref_find(pl, &n, &len) != MICA_EXT_NONE)
			break;
		if (e.known)
			ret = mica_extindex_chunk(pl->p->large.index, c->digest, err);
		e.len += c->len;
		pl->off += c->len;
		pl->i++;
	}
	e.last = ends_file(pl);
	/*
	 * Others may share a part of it at any place, so that it must be encoded, or in whole
	 * blocks. Not what is too short for that, which could grow beyond the only block that it
	 * can say it takes.
	 */
	e.plain_fits = packer_plain_fits(pl->p, e.la, e.len, e.last) &&
		       (pl->p->opts->compat.extents || dense || !e.known || e.len < REF_MIN);
	return ret ? ret : extent_push(pl->p, pl->s, e, err);
}

static int slab_plan(struct mica_packer *p, struct slab *s, struct mica_err *err)
{
	struct plan pl = {.p = p, .s = s};
	int ret = 0;

	if (s->first)
		p->large.full = false;
	p->plan_end = s->la + (s->zeros ? s->zeros : s->len);
	if (s->zeros)
		return zeros_push(p, s, s->la, s->zeros, err);
	while (!ret && pl.i < s->chunk_count) {
		uint32_t n, len, id = ref_find(&pl, &n, &len);

		if (s->chunks[pl.i].zeros) {
			len = s->chunks[pl.i].len;
			ret = zeros_push(p, s, s->la + pl.off, len, err);
			pl.off += len;
			pl.i++;
		} else if (id != MICA_EXT_NONE) {
			ret = ref_push(&pl, id, n, len, err);
		} else {
			ret = new_push(&pl, err);
		}
	}
	return ret;
}

int packer_large_plan(struct mica_packer *p, unsigned int keep, struct mica_err *err)
{
	struct packer_large *l = &p->large;
	int ret = 0;

	while (!ret && l->queued > keep) {
		struct slab *s = l->queue;

		ret = mica_pipe_wait(p->pipe, s->ticket, err);
		l->queue = s->next;
		l->queued--;
		if (!l->queue)
			l->tail = &l->queue;
		if (!ret)
			ret = slab_plan(p, s, err);
		if (!ret)
			ret = extents_submit(p, err);
		slab_put(p, s);
	}
	return ret;
}

int packer_large_flush(struct mica_packer *p, struct mica_err *err)
{
	return packer_large_plan(p, 0, err);
}
