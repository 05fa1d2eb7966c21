/* SPDX-License-Identifier: MIT */
#include "pipe.h"

#include <pthread.h>
#include <stdbool.h>

#include "util.h"

enum slot_state {
	SLOT_FREE,
	SLOT_QUEUED,
	SLOT_WORKING,
	SLOT_DONE,
};

struct slot {
	enum slot_state state;
	void *job;
	struct mica_err err; /* of its work; code 0: none */
};

struct mica_pipe {
	const struct mica_pipe_ops *ops;
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t queued;	 /* a job waits for a worker, or stop */
	pthread_cond_t released; /* a slot became free */
	struct slot *slots;	 /* ring: [tail, head) in use */
	unsigned int depth;
	unsigned long head; /* next to submit */
	unsigned long next; /* next to work on */
	unsigned long tail; /* next to finish */
	bool finishing;	    /* a thread is in ops->finish */
	bool stop;
	bool failed;	     /* some job has: those behind it need no work */
	struct mica_err err; /* the first failure in order; code 0: none yet */
	pthread_t *threads;
	unsigned int thread_count;
	unsigned int started;
};

struct worker_arg {
	struct mica_pipe *pipe;
	unsigned int index;
};

/* A callback that fails and does not say how has failed all the same. */
static void note_failure(int ret, struct mica_err *err)
{
	if (ret < 0 && !err->code)
		mica_err_set(err, ret, "a job failed with code %d", ret);
}

/*
 * Finish all jobs that are done at the front of the ring. Called with the lock
 * held, which is dropped around the callbacks; `finishing` keeps others out.
 * Jobs before the first one that failed are finished, so that which failure is
 * told does not depend on the threads.
 */
static void pipe_finish_ready(struct mica_pipe *p)
{
	if (p->finishing)
		return;
	p->finishing = true;
	while (p->tail < p->head && p->slots[p->tail % p->depth].state == SLOT_DONE) {
		struct slot *s = &p->slots[p->tail % p->depth];
		bool finish = !p->err.code && !s->err.code && !p->stop;

		pthread_mutex_unlock(&p->lock);
		if (finish)
			note_failure(p->ops->finish(p->ctx, s->job, &s->err), &s->err);
		p->ops->release(p->ctx, s->job);
		pthread_mutex_lock(&p->lock);
		if (s->err.code && !p->err.code)
			p->err = s->err;
		p->failed |= s->err.code != 0;
		s->state = SLOT_FREE;
		p->tail++;
		pthread_cond_broadcast(&p->released);
	}
	p->finishing = false;
}

/* The next job that nobody works on. Called with the lock held, which is dropped meanwhile. */
static void pipe_work_next(struct mica_pipe *p, unsigned int worker)
{
	struct slot *s = &p->slots[p->next++ % p->depth];
	/* taken in order: what fails from now on does not hide an earlier failure */
	bool skip = p->failed || p->stop;

	s->state = SLOT_WORKING;
	pthread_mutex_unlock(&p->lock);
	if (!skip)
		note_failure(p->ops->work(p->ctx, worker, s->job, &s->err), &s->err);
	pthread_mutex_lock(&p->lock);
	p->failed |= s->err.code != 0;
	s->state = SLOT_DONE;
	pipe_finish_ready(p);
}

static void *worker_main(void *arg)
{
	struct worker_arg *w = arg;
	struct mica_pipe *p = w->pipe;
	unsigned int index = w->index;

	free(w);
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->stop && p->next == p->head)
			pthread_cond_wait(&p->queued, &p->lock);
		if (p->next == p->head)
			break;
		pipe_work_next(p, index);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int pipe_start(struct mica_pipe *p, struct mica_err *err)
{
	for (unsigned int i = 0; i < p->thread_count; i++) {
		struct worker_arg *arg = malloc(sizeof(*arg));
		int ret;

		if (!arg)
			return mica_err_nomem(err);
		arg->pipe = p;
		arg->index = i;
		ret = pthread_create(&p->threads[i], NULL, worker_main, arg);
		if (ret) {
			free(arg);
			return mica_err_sys(err, ret, "start of worker thread %u", i);
		}
		p->started++;
	}
	return 0;
}

int mica_pipe_new(unsigned int threads, unsigned int depth, const struct mica_pipe_ops *ops,
		  void *ctx, struct mica_pipe **out, struct mica_err *err)
{
	struct mica_pipe *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return mica_err_nomem(err);
	p->ops = ops;
	p->ctx = ctx;
	p->depth = depth < threads ? threads : depth;
	p->thread_count = threads > 1 ? threads : 0;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->queued, NULL);
	pthread_cond_init(&p->released, NULL);
	p->slots = calloc(p->depth, sizeof(*p->slots));
	p->threads = calloc(p->thread_count + 1, sizeof(*p->threads));
	ret = p->slots && p->threads ? pipe_start(p, err) : mica_err_nomem(err);
	if (ret) {
		mica_pipe_free(p);
		return ret;
	}
	*out = p;
	return 0;
}

static int pipe_error(struct mica_pipe *p, struct mica_err *err)
{
	if (p->err.code && err)
		*err = p->err;
	return p->err.code;
}

int mica_pipe_submit(struct mica_pipe *p, void *job, struct mica_err *err)
{
	struct slot *s;
	int ret;

	pthread_mutex_lock(&p->lock);
	while (p->head - p->tail == p->depth)
		pthread_cond_wait(&p->released, &p->lock);
	s = &p->slots[p->head % p->depth];
	s->state = SLOT_QUEUED;
	s->job = job;
	s->err.code = 0;
	p->head++;
	if (p->thread_count)
		pthread_cond_signal(&p->queued);
	else
		pipe_work_next(p, 0);
	ret = pipe_error(p, err);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

unsigned long mica_pipe_submitted(const struct mica_pipe *p)
{
	return p->head;
}

int mica_pipe_wait(struct mica_pipe *p, unsigned long count, struct mica_err *err)
{
	int ret;

	pthread_mutex_lock(&p->lock);
	while (p->tail < count)
		pthread_cond_wait(&p->released, &p->lock);
	ret = pipe_error(p, err);
	pthread_mutex_unlock(&p->lock);
	return ret;
}

int mica_pipe_drain(struct mica_pipe *p, struct mica_err *err)
{
	return mica_pipe_wait(p, mica_pipe_submitted(p), err);
}

void mica_pipe_free(struct mica_pipe *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->queued);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->started; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->released);
	pthread_cond_destroy(&p->queued);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p->slots);
	free(p);
}
