/* SPDX-License-Identifier: MIT */
#include "ahead.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "../lib/util.h"

/* A piece is small enough to be in a CPU's cache when it is taken. */
#define PIECE	    ((size_t)256 << 10)
#define OWN_PIECES  16u			/* that each may hold in any case */
#define FRAME_USUAL ((uint64_t)8 << 20) /* of a decompressor's memory: not counted */

struct piece {
	struct piece *next; /* in the pool's list */
	size_t len;
	unsigned char data[PIECE];
};

struct mica_ahead_pool {
	pthread_mutex_t lock;
	pthread_cond_t freed; /* pieces, or someone is asked to stop, or is first now */
	struct piece *pieces; /* unused */
	size_t room;	      /* pieces that may be used beyond one's own */
	size_t size;	      /* room when nothing is used */
	unsigned int threads, running;
};

struct mica_ahead {
	struct mica_ahead_pool *pool;
	struct mica_blob *blob;
	struct mica_unpack *unpack;
	struct mica_digest diff_id;
	struct mica_hasher *hasher; /* NULL: nothing is expected */
	pthread_t reader, summer;
	bool reader_started, summer_started;
	/* below: under the pool's lock */
	pthread_cond_t filled;
	struct piece **ring; /* [freed, filled) are in use */
	size_t cap;	     /* entries of the ring */
	uint64_t n_filled, n_taken, n_hashed, n_freed;
	size_t borrowed; /* of the pool's room: for pieces beyond its own */
	size_t grown;	 /* of the pool's room: for the decompressor */
	bool first;	 /* the one that is being consumed */
	bool held;	 /* the consumer has a piece, the next one to be taken */
	bool stop, read_all, hashed_all;
	struct mica_err err; /* of the reader; code 0: none */
	struct mica_err sum_err;
};

int mica_ahead_pool_new(uint64_t bytes, unsigned int threads, struct mica_ahead_pool **out,
			struct mica_err *err)
{
	struct mica_ahead_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return mica_err_nomem(err);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->freed, NULL);
	pool->room = pool->size = bytes / PIECE;
	pool->threads = threads;
	*out = pool;
	return 0;
}

void mica_ahead_pool_free(struct mica_ahead_pool *pool)
{
	if (!pool)
		return;
	while (pool->pieces) {
		struct piece *piece = pool->pieces;

		pool->pieces = piece->next;
		free(piece);
	}
	pthread_cond_destroy(&pool->freed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

bool mica_ahead_pool_has_room(struct mica_ahead_pool *pool)
{
	bool room;

	pthread_mutex_lock(&pool->lock);
	room = pool->running < pool->threads && pool->room >= OWN_PIECES;
	pthread_mutex_unlock(&pool->lock);
	return room;
}

/* Give back what both, the consumer and the hash, are done with. */
static void ahead_release(struct mica_ahead *a)
{
	uint64_t done = a->hasher ? mica_min(a->n_taken, a->n_hashed) : a->n_taken;
	struct mica_ahead_pool *pool = a->pool;

	if (a->n_freed == done)
		return;
	while (a->n_freed < done) {
		struct piece *piece = a->ring[a->n_freed++ % a->cap];

		piece->next = pool->pieces;
		pool->pieces = piece;
		if (a->borrowed) {
			a->borrowed--;
			pool->room++;
		}
	}
	pthread_cond_broadcast(&pool->freed);
}

static bool ahead_has_own(const struct mica_ahead *a)
{
	return a->n_filled - a->n_freed - a->borrowed < OWN_PIECES;
}

/* Who is consumed already has no need to get far ahead. */
static bool ahead_may_borrow(const struct mica_ahead *a)
{
	return !a->first && a->pool->room;
}

/* A piece to fill; NULL: asked to stop, or out of memory. */
static struct piece *ahead_get(struct mica_ahead *a)
{
	struct mica_ahead_pool *pool = a->pool;
	struct piece *piece = NULL;
	bool stop;

	pthread_mutex_lock(&pool->lock);
	while (!a->stop && !ahead_has_own(a) && !ahead_may_borrow(a))
		pthread_cond_wait(&pool->freed, &pool->lock);
	stop = a->stop;
	if (!stop) {
		if (!ahead_has_own(a)) {
			pool->room--;
			a->borrowed++;
		}
		piece = pool->pieces;
		if (piece)
			pool->pieces = piece->next;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!piece && !stop)
		piece = malloc(sizeof(*piece));
	return piece;
}

/*
 * The decompressor wants more memory than is usual: the one that is consumed
 * may have it, the others when there is room for it.
 */
static int ahead_grow(void *ctx, uint64_t bytes, struct mica_err *err)
{
	struct mica_ahead *a = ctx;
	struct mica_ahead_pool *pool = a->pool;
	size_t want = bytes > FRAME_USUAL ? (size_t)(bytes / PIECE) : 0;
	int ret = 0;

	pthread_mutex_lock(&pool->lock);
	while (!a->stop && !a->first && want > a->grown + pool->room)
		pthread_cond_wait(&pool->freed, &pool->lock);
	if (a->stop) {
		ret = mica_err_sys(err, EINTR, "read");
	} else if (want > a->grown) {
		size_t more = (size_t)mica_min(want - a->grown, pool->room);

		pool->room -= more;
		a->grown += more;
	}
	pthread_mutex_unlock(&pool->lock);
	return ret;
}

static void *reader_main(void *arg)
{
	struct mica_ahead *a = arg;
	struct mica_err err = {0};
	bool more = true;

	while (more) {
		struct piece *piece = ahead_get(a);
		int ret;

		if (!piece)
			break;
		ret = mica_unpack_read(a->unpack, piece->data, PIECE, &piece->len, &err);
		/* all that went wrong may come of damage, which its digest shows */
		if (ret && ret != MICA_E_SYS && ret != MICA_E_NOMEM)
			mica_blob_blame(a->blob, &err);
		more = !ret && piece->len == PIECE;
		pthread_mutex_lock(&a->pool->lock);
		if (piece->len) {
			a->ring[a->n_filled++ % a->cap] = piece;
			pthread_cond_broadcast(&a->filled);
		} else {
			piece->next = a->pool->pieces;
			a->pool->pieces = piece;
		}
		pthread_mutex_unlock(&a->pool->lock);
	}
	pthread_mutex_lock(&a->pool->lock);
	if (more && !a->stop)
		mica_err_nomem(&err);
	a->err = err;
	a->read_all = true;
	a->pool->running--;
	pthread_cond_broadcast(&a->filled);
	pthread_mutex_unlock(&a->pool->lock);
	return NULL;
}

static void *summer_main(void *arg)
{
	struct mica_ahead *a = arg;
	struct mica_err err = {0};
	struct mica_digest got;

	pthread_mutex_lock(&a->pool->lock);
	for (;;) {
		struct piece *piece;

		while (!a->stop && !a->read_all && a->n_hashed == a->n_filled)
			pthread_cond_wait(&a->filled, &a->pool->lock);
		if (a->stop || a->n_hashed == a->n_filled)
			break;
		piece = a->ring[a->n_hashed % a->cap];
		pthread_mutex_unlock(&a->pool->lock);
		mica_hasher_add(a->hasher, piece->data, piece->len);
		pthread_mutex_lock(&a->pool->lock);
		a->n_hashed++;
		ahead_release(a);
	}
	pthread_mutex_unlock(&a->pool->lock);
	if (!mica_hasher_end(a->hasher, &got, &err) && !mica_digest_equal(&a->diff_id, &got))
		mica_digest_mismatch(&a->diff_id, &got, "decompressed layer (diff_id)", &err);
	pthread_mutex_lock(&a->pool->lock);
	a->sum_err = err;
	a->hashed_all = true;
	pthread_cond_broadcast(&a->filled);
	pthread_mutex_unlock(&a->pool->lock);
	return NULL;
}

/* Signals are for the thread that started it all: see build.c. */
static int thread_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(thread, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

static int ahead_start(struct mica_ahead *a, struct mica_err *err)
{
	int ret;

	if (a->hasher) {
		ret = thread_start(&a->summer, summer_main, a);
		if (ret)
			return mica_err_sys(err, ret, "start of a hashing thread");
		a->summer_started = true;
	}
	pthread_mutex_lock(&a->pool->lock);
	a->pool->running++;
	pthread_mutex_unlock(&a->pool->lock);
	ret = thread_start(&a->reader, reader_main, a);
	if (!ret) {
		a->reader_started = true;
		return 0;
	}
	pthread_mutex_lock(&a->pool->lock);
	a->pool->running--;
	pthread_mutex_unlock(&a->pool->lock);
	return mica_err_sys(err, ret, "start of a reading thread");
}

int mica_ahead_new(struct mica_ahead_pool *pool, struct mica_blob *blob, struct mica_unpack *unpack,
		   const struct mica_digest *diff_id, struct mica_ahead **out, struct mica_err *err)
{
	struct mica_unpack_budget budget = {.take = ahead_grow};
	struct mica_ahead *a = calloc(1, sizeof(*a));
	int ret = 0;

	if (!a)
		return mica_err_nomem(err);
	a->pool = pool;
	a->cap = pool->size + OWN_PIECES;
	pthread_cond_init(&a->filled, NULL);
	a->ring = calloc(a->cap, sizeof(struct piece *));
	if (!a->ring)
		ret = mica_err_nomem(err);
	if (!ret && diff_id) {
		a->diff_id = *diff_id;
		ret = mica_hasher_new(diff_id->alg, &a->hasher, err);
	}
	if (!ret) {
		budget.ctx = a;
		mica_unpack_limit(unpack, &budget);
		a->blob = blob;
		a->unpack = unpack;
		ret = ahead_start(a, err);
	}
	if (ret) {
		/* still the caller's */
		a->blob = NULL;
		a->unpack = NULL;
		mica_ahead_free(a);
		return ret;
	}
	*out = a;
	return 0;
}

static void ahead_stop(struct mica_ahead *a)
{
	pthread_mutex_lock(&a->pool->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->filled);
	pthread_cond_broadcast(&a->pool->freed);
	pthread_mutex_unlock(&a->pool->lock);
	if (a->blob)
		mica_blob_interrupt(a->blob);
	if (a->reader_started)
		pthread_join(a->reader, NULL);
	if (a->summer_started)
		pthread_join(a->summer, NULL);
	a->reader_started = a->summer_started = false;
}

void mica_ahead_free(struct mica_ahead *a)
{
	if (!a)
		return;
	ahead_stop(a);
	pthread_mutex_lock(&a->pool->lock);
	a->n_taken = a->n_hashed = a->n_filled;
	ahead_release(a);
	a->pool->room += a->grown;
	pthread_cond_broadcast(&a->pool->freed);
	pthread_mutex_unlock(&a->pool->lock);
	mica_unpack_free(a->unpack);
	mica_blob_free(a->blob);
	mica_hasher_free(a->hasher);
	pthread_cond_destroy(&a->filled);
	free(a->ring);
	free(a);
}

/* What there is to say when no more pieces come. */
static int ahead_end(const struct mica_ahead *a, struct mica_err *err)
{
	const struct mica_err *why = a->err.code || !a->hasher ? &a->err : &a->sum_err;

	if (why->code)
		*err = *why;
	return why->code;
}

int mica_ahead_next(struct mica_ahead *a, const unsigned char **p, size_t *len,
		    struct mica_err *err)
{
	int ret = 1;

	pthread_mutex_lock(&a->pool->lock);
	if (!a->first) {
		a->first = true;
		pthread_cond_broadcast(&a->pool->freed);
	}
	/* the one that was given before */
	if (a->held) {
		a->held = false;
		a->n_taken++;
		ahead_release(a);
	}
	while (a->n_taken == a->n_filled &&
	       (!a->read_all || (!a->err.code && a->hasher && !a->hashed_all)))
		pthread_cond_wait(&a->filled, &a->pool->lock);
	if (a->n_taken < a->n_filled) {
		const struct piece *piece = a->ring[a->n_taken % a->cap];

		*p = piece->data;
		*len = piece->len;
		a->held = true;
	} else {
		ret = ahead_end(a, err);
	}
	pthread_mutex_unlock(&a->pool->lock);
	return ret;
}

void mica_ahead_blame(struct mica_ahead *a, struct mica_err *err)
{
	ahead_stop(a);
	mica_blob_blame(a->blob, err);
}
