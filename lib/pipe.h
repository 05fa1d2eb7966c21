/* SPDX-License-Identifier: MIT */
/*
 * A pipeline of jobs: worked on by several threads at once, finished one at a
 * time in the order in which they were submitted. So the result does not depend
 * on the number of threads.
 */
#ifndef MICA_LIB_PIPE_H
#define MICA_LIB_PIPE_H

#include <stddef.h>

#include "err.h"

struct mica_pipe;

struct mica_pipe_ops {
	/* Runs in any thread, beside others; worker: 0..threads - 1. */
	int (*work)(void *ctx, unsigned int worker, void *job, struct mica_err *err);
	/* Runs for one job at a time, in order of submission; not after a failure. */
	int (*finish)(void *ctx, void *job, struct mica_err *err);
	/* The job is done with, failed or not; runs in order as well. */
	void (*release)(void *ctx, void *job);
};

/*
 * threads: that work. One: the submitting thread does all of it itself, when it submits.
 * depth: how many jobs may be under way, at least threads. ctx is borrowed.
 */
int mica_pipe_new(unsigned int threads, unsigned int depth, const struct mica_pipe_ops *ops,
		  void *ctx, struct mica_pipe **out, struct mica_err *err);

/*
 * Takes over the job (it is released even when this fails). Waits while depth
 * jobs are under way. Returns the first failure of any job so far.
 */
int mica_pipe_submit(struct mica_pipe *pipe, void *job, struct mica_err *err);

/* How many jobs were submitted so far; to be called by the submitting thread. */
unsigned long mica_pipe_submitted(const struct mica_pipe *pipe);

/* Wait until the first count jobs are released; the first failure so far, in order. */
int mica_pipe_wait(struct mica_pipe *pipe, unsigned long count, struct mica_err *err);

/* Wait until every submitted job is released; the first failure, in order. */
int mica_pipe_drain(struct mica_pipe *pipe, struct mica_err *err);

/* Ends the threads; jobs still under way are released without being finished. */
void mica_pipe_free(struct mica_pipe *pipe);

#endif
