/* SPDX-License-Identifier: MIT */
/* Reads every stored byte of data once: each pcluster is decoded, plain data is read. */
#include <stdatomic.h>
#include <stdlib.h>

#include "check_priv.h"
#include "util.h"

#define READ_BYTES (1u << 20)

struct data_job {
	struct check *c;
	atomic_size_t next;  /* span */
	struct mica_err err; /* first fatal one, under the lock */
};

struct data_worker {
	struct data_job *job;
	struct mica_inode inode;
	uint32_t row; /* that inode is of */
	unsigned char *buf;
	size_t cap;
	uint64_t decoded, plain, pclusters;
};

static int worker_inode(struct data_worker *w, uint32_t row, struct mica_err *err)
{
	int ret;

	if (w->row == row)
		return 0;
	w->row = CHECK_NO_ROW;
	ret = mica_image_inode(w->job->c->img, w->job->c->rows[row].nid, &w->inode, err);
	if (!ret)
		w->row = row;
	return ret;
}

static int worker_buf(struct data_worker *w, size_t len, struct mica_err *err)
{
	unsigned char *buf;

	if (w->cap >= len)
		return 0;
	buf = realloc(w->buf, len);
	if (!buf)
		return mica_err_nomem(err);
	w->buf = buf;
	w->cap = len;
	return 0;
}

static int worker_read(struct data_worker *w, uint64_t la, uint64_t len, struct mica_err *err)
{
	while (len) {
		long n = mica_image_read(w->job->c->img, &w->inode, w->buf, mica_min(len, w->cap),
					 la, err);

		if (n <= 0)
			return n ? (int)n
				 : mica_err_set(err, MICA_E_CORRUPT,
						"data end %llu bytes too early",
						(unsigned long long)len);
		la += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int span_read(struct data_worker *w, const struct check_span *s, struct mica_err *err)
{
	uint64_t len = s->llen ? s->llen : s->len;
	int ret = worker_inode(w, s->owner, err);

	/* a pcluster in one piece, so that all of it is decoded, and once */
	if (!ret)
		ret = worker_buf(w, s->llen ? mica_max(len, READ_BYTES) : READ_BYTES, err);
	if (!ret)
		ret = worker_read(w, s->la, len, err);
	if (ret)
		return mica_check_fail_err(w->job->c, "data", s->owner, s->start, err);
	if (s->llen && s->alg != EROFS_ALG_MAX) {
		w->decoded += len;
		w->pclusters++;
	} else {
		w->plain += len;
	}
	return 0;
}

static void *worker_run(void *arg)
{
	struct data_worker w = {.job = arg, .row = CHECK_NO_ROW};
	struct check *c = w.job->c;
	struct mica_err err = {0};
	int ret = 0;

	while (!ret) {
		size_t i = atomic_fetch_add(&w.job->next, 1);

		if (i >= c->spans.count)
			break;
		if (c->spans.list[i].todo)
			ret = span_read(&w, &c->spans.list[i], &err);
	}
	free(w.buf);
	pthread_mutex_lock(&c->lock);
	c->res->bytes_decoded += w.decoded;
	c->res->bytes_plain += w.plain;
	c->res->pclusters += w.pclusters;
	if (ret && !w.job->err.code)
		w.job->err = err;
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int mica_check_data(struct check *c, struct mica_err *err)
{
	struct data_job job = {.c = c};
	unsigned int extra = c->opts->threads - 1, started = 0;
	pthread_t *threads cleanup_free = calloc(c->opts->threads, sizeof(*threads));

	if (!threads)
		return mica_err_nomem(err);
	while (started < extra && !pthread_create(&threads[started], NULL, worker_run, &job))
		started++;
	/* fewer threads than wished for are no error: this one works as well */
	worker_run(&job);
	while (started)
		pthread_join(threads[--started], NULL);
	if (job.err.code)
		*err = job.err;
	return job.err.code;
}
