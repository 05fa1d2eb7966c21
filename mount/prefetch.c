/* SPDX-License-Identifier: MIT */
#include "prefetch.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "order.h"

#define SMALL	    (128u << 10) /* bytes of the largest file that is handed out whole */
#define WINDOW	    (8u << 20)	 /* bytes of files to be handed out */
#define BATCH	    8u		 /* files that a thread takes at a time */
#define PIECE	    (512u << 10) /* bytes of a large file that a thread takes at a time */
#define PIECES	    8u		 /* of a file, ahead of its reader */
#define RANGES	    32u
#define STREAMS	    16u
#define THREADS_MAX 16u
#define RUN	    3u /* requests in order before there is work */

/* A part of a file, to be decoded. */
struct range {
	struct mica_inode inode;
	uint64_t off, len;
};

/* A large file that is being read. */
struct stream {
	uint64_t nid;
	uint64_t next;	/* behind what was asked for */
	uint64_t until; /* behind what was decoded, or will be */
	uint64_t used;
	unsigned int run; /* requests in order */
};

struct mica_prefetch {
	struct mica_image *img;
	struct mica_prefetch_ops ops;
	uint64_t distance; /* bytes, of a large file */
	unsigned int thread_max;
	pthread_mutex_t lock; /* of all below */
	pthread_t threads[THREADS_MAX];
	unsigned int thread_count;
	pthread_cond_t work;
	bool stop;
	unsigned int busy;
	struct mica_order *order;
	struct stream streams[STREAMS];
	uint64_t clock;
	struct range ranges[RANGES]; /* a ring */
	uint64_t first, end;	     /* of it, counted from the beginning */
};

int mica_prefetch_new(struct mica_image *img, uint64_t cache_bytes, unsigned int threads,
		      const struct mica_prefetch_ops *ops, struct mica_prefetch **out,
		      struct mica_err *err)
{
	struct mica_prefetch *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return mica_err_nomem(err);
	ret = mica_order_new(SMALL, mica_min(WINDOW, cache_bytes / 4), &a->order, err);
	if (ret) {
		free(a);
		return ret;
	}
	a->img = img;
	a->ops = *ops;
	a->thread_max = (unsigned int)mica_min(threads, THREADS_MAX);
	/* what was decoded ahead must not push itself out */
	a->distance = mica_min(PIECES * PIECE, cache_bytes / 8);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->work, NULL);
	*out = a;
	return 0;
}

/* Failures are met again, and named, by the read that is expected. */
static void file_store(struct mica_prefetch *a, const struct mica_order_file *file, void *buf)
{
	struct mica_inode inode;
	long n;

	if (mica_image_inode(a->img, file->nid, &inode, NULL) || !S_ISREG(inode.mode))
		return;
	if (mica_image_ahead(a->img, &inode, 0, SMALL, NULL) || inode.size > SMALL)
		return;
	n = mica_image_read(a->img, &inode, buf, SMALL, 0, NULL);
	if (n > 0)
		a->ops.store(a->ops.ctx, file->nid, buf, (size_t)n);
}

static bool stopped(struct mica_prefetch *a)
{
	bool stop;

	pthread_mutex_lock(&a->lock);
	stop = a->stop;
	pthread_mutex_unlock(&a->lock);
	return stop;
}

/* One turn of a thread, under the lock that it gives up for the work. False: none was there. */
static bool work_turn(struct mica_prefetch *a, void *buf)
{
	struct mica_order_file files[BATCH];
	unsigned int n = 0;
	struct range range;
	bool ranged = a->first < a->end;

	if (ranged)
		range = a->ranges[a->first++ % RANGES];
	else
		n = mica_order_take(a->order, files, BATCH);
	if (!ranged && !n)
		return false;
	a->busy++;
	pthread_mutex_unlock(&a->lock);
	if (ranged)
		mica_image_ahead(a->img, &range.inode, range.off, range.len, NULL);
	for (unsigned int i = 0; i < n && !stopped(a); i++)
		file_store(a, &files[i], buf);
	pthread_mutex_lock(&a->lock);
	a->busy--;
	return true;
}

static void *work_loop(void *arg)
{
	cleanup_free void *buf = malloc(SMALL);
	struct mica_prefetch *a = arg;

	pthread_mutex_lock(&a->lock);
	while (buf && !a->stop)
		if (!work_turn(a, buf))
			pthread_cond_wait(&a->work, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Under the lock. Without threads there is nothing at hand ahead, and no harm. */
static void work_begins(struct mica_prefetch *a)
{
	while (!a->stop && a->thread_count < a->thread_max &&
	       !pthread_create(&a->threads[a->thread_count], NULL, work_loop, a))
		a->thread_count++;
	pthread_cond_broadcast(&a->work);
}

bool mica_prefetch_stop(struct mica_prefetch *a)
{
	bool idle;

	pthread_mutex_lock(&a->lock);
	a->stop = true;
	idle = !a->busy;
	pthread_cond_broadcast(&a->work);
	pthread_mutex_unlock(&a->lock);
	return idle;
}

void mica_prefetch_free(struct mica_prefetch *a)
{
	if (!a)
		return;
	mica_prefetch_stop(a);
	for (unsigned int i = 0; i < a->thread_count; i++)
		pthread_join(a->threads[i], NULL);
	pthread_cond_destroy(&a->work);
	pthread_mutex_destroy(&a->lock);
	mica_order_free(a->order);
	free(a);
}

void mica_prefetch_named(struct mica_prefetch *a, const struct mica_inode *inode, bool listed)
{
	if (!S_ISREG(inode->mode))
		return;
	pthread_mutex_lock(&a->lock);
	mica_order_named(a->order, inode->nid, inode->size, listed);
	pthread_mutex_unlock(&a->lock);
}

static struct stream *stream_of(struct mica_prefetch *a, uint64_t nid)
{
	struct stream *idlest = a->streams;

	for (struct stream *s = a->streams; s < a->streams + STREAMS; s++) {
		if (s->used && s->nid == nid)
			return s;
		if (s->used < idlest->used)
			idlest = s;
	}
	*idlest = (struct stream){.nid = nid};
	return idlest;
}

/* The kernel reads ahead itself: several requests are under way, and come in any order. */
static bool stream_goes_on(const struct mica_prefetch *a, const struct stream *s, uint64_t off)
{
	return s->run && off <= s->next + a->distance / 4 && off + a->distance / 2 >= s->next;
}

/* True: there is work. */
static bool stream_read(struct mica_prefetch *a, const struct mica_inode *inode, uint64_t off,
			uint64_t len)
{
	struct stream *s = stream_of(a, inode->nid);
	bool goes_on = stream_goes_on(a, s, off);
	uint64_t from = s->until, to;

	s->used = ++a->clock;
	if (!goes_on) {
		s->next = off + len;
		s->until = 0;
		s->run = 1;
	} else {
		s->next = mica_max(s->next, off + len);
		s->run++;
	}
	/* who begins with a large piece wants more than a look at the file's head */
	if (s->run < RUN && (off || len < SMALL))
		return false;
	/* half a distance at a time, so that there are whole pieces */
	to = mica_min(s->next + a->distance, inode->size);
	from = mica_max(from, s->next);
	if (from >= to || (to < inode->size && to - from < a->distance / 2))
		return false;
	for (uint64_t n; from < to && a->end - a->first < RANGES; from += n) {
		n = mica_min(PIECE, to - from);
		a->ranges[a->end++ % RANGES] = (struct range){*inode, from, n};
	}
	s->until = from;
	return true;
}

void mica_prefetch_read(struct mica_prefetch *a, const struct mica_inode *inode, uint64_t off,
			uint64_t len)
{
	bool work = false;

	if (!S_ISREG(inode->mode))
		return;
	pthread_mutex_lock(&a->lock);
	if (off == 0)
		work = mica_order_read(a->order, inode->nid);
	if (inode->size > SMALL && a->distance)
		work |= stream_read(a, inode, off, len);
	if (work)
		work_begins(a);
	pthread_mutex_unlock(&a->lock);
}
