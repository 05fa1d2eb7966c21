/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/pipe.h"
#include "../../lib/util.h"

#define JOBS 3000

/* Jobs are numbers from 1 on, disguised as pointers. */
struct run {
	unsigned int worked[JOBS + 1], finished[JOBS + 1], released[JOBS + 1];
	unsigned int finishes, releases;
	int under_way, most; /* jobs between work and release */
	int finishing;
	bool disorder;
	unsigned int work_fails, finish_fails, slow; /* 0: none */
	bool wordless;				     /* failures leave the error unset */
};

static unsigned int job_number(void *job)
{
	return (unsigned int)(uintptr_t)job;
}

static int say_failed(const struct run *r, unsigned int n, const char *where, struct mica_err *err)
{
	return r->wordless ? MICA_E_LIMIT
			   : mica_err_set(err, MICA_E_CORRUPT, "job %u: %s", n, where);
}

static int work(void *ctx, unsigned int worker, void *job, struct mica_err *err)
{
	struct run *r = ctx;
	unsigned int n = job_number(job);
	int now = __atomic_add_fetch(&r->under_way, 1, __ATOMIC_SEQ_CST);
	int most = __atomic_load_n(&r->most, __ATOMIC_SEQ_CST);

	(void)worker;
	while (now > most && !__atomic_compare_exchange_n(&r->most, &most, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	r->worked[n]++;
	/* the order in which workers are done shall not be that of submission */
	if (n % 7 == 3)
		usleep(200);
	if (n == r->slow)
		usleep(20000);
	/* every later one as well: which of them is told must not depend on chance */
	return r->work_fails && n >= r->work_fails ? say_failed(r, n, "work", err) : 0;
}

static int finish(void *ctx, void *job, struct mica_err *err)
{
	struct run *r = ctx;
	unsigned int n = job_number(job);

	r->disorder |= __atomic_add_fetch(&r->finishing, 1, __ATOMIC_SEQ_CST) != 1;
	r->disorder |= n != ++r->finishes || !r->worked[n];
	r->finished[n]++;
	__atomic_sub_fetch(&r->finishing, 1, __ATOMIC_SEQ_CST);
	return n == r->finish_fails ? say_failed(r, n, "finish", err) : 0;
}

static void release(void *ctx, void *job)
{
	struct run *r = ctx;

	r->disorder |= job_number(job) != ++r->releases;
	r->released[job_number(job)]++;
	if (r->worked[job_number(job)])
		__atomic_sub_fetch(&r->under_way, 1, __ATOMIC_SEQ_CST);
}

static const struct mica_pipe_ops ops = {.work = work, .finish = finish, .release = release};

/* Returns the code of drain; jobs are submitted on after a failure, as some callers do. */
static int run_jobs(struct run *r, unsigned int threads, unsigned int depth, unsigned int count,
		    struct mica_err *err)
{
	struct mica_pipe *pipe = NULL;
	int ret;

	assert_int_equal(mica_pipe_new(threads, depth, &ops, r, &pipe, err), 0);
	for (unsigned int n = 1; n <= count; n++)
		mica_pipe_submit(pipe, (void *)(uintptr_t)n, err);
	ret = mica_pipe_drain(pipe, err);
	mica_pipe_free(pipe);
	for (unsigned int n = 1; n <= count; n++)
		assert_int_equal(r->released[n], 1);
	assert_int_equal(r->releases, count);
	assert_false(r->disorder);
	return ret;
}

static void order_is_that_of_submission(void **state)
{
	static const unsigned int threads[] = {1, 2, 3, 8};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		static struct run r;
		struct mica_err err = {0};

		r = (struct run){0};
		assert_int_equal(run_jobs(&r, threads[i], 4 * threads[i], JOBS, &err), 0);
		assert_int_equal(r.finishes, JOBS);
		for (unsigned int n = 1; n <= JOBS; n++)
			assert_true(r.worked[n] == 1 && r.finished[n] == 1);
	}
}

static void no_more_than_depth_are_under_way(void **state)
{
	static struct run r;
	struct mica_err err = {0};

	(void)state;
	r = (struct run){0};
	assert_int_equal(run_jobs(&r, 4, 6, 500, &err), 0);
	assert_in_range(r.most, 1, 6);
	/* a depth below the threads' number would leave some of them without work */
	r = (struct run){0};
	assert_int_equal(run_jobs(&r, 4, 1, 500, &err), 0);
	assert_in_range(r.most, 1, 4);
}

static int work_here(void *ctx, unsigned int worker, void *job, struct mica_err *err)
{
	(void)err;
	assert_int_equal(worker, 0);
	assert_true(pthread_equal(*(pthread_t *)ctx, pthread_self()));
	return job ? 0 : MICA_E_LIMIT;
}

static int finish_here(void *ctx, void *job, struct mica_err *err)
{
	return work_here(ctx, 0, job, err);
}

static void release_nothing(void *ctx, void *job)
{
	(void)ctx;
	(void)job;
}

static void one_thread_is_the_caller_itself(void **state)
{
	static const struct mica_pipe_ops here = {
		.work = work_here, .finish = finish_here, .release = release_nothing};
	pthread_t self = pthread_self();
	struct mica_pipe *pipe = NULL;
	struct mica_err err = {0};

	(void)state;
	assert_int_equal(mica_pipe_new(1, 8, &here, &self, &pipe, &err), 0);
	for (uintptr_t n = 1; n <= 20; n++)
		assert_int_equal(mica_pipe_submit(pipe, (void *)n, &err), 0);
	assert_int_equal(mica_pipe_submit(pipe, NULL, &err), MICA_E_LIMIT);
	assert_int_equal(mica_pipe_drain(pipe, &err), MICA_E_LIMIT);
	mica_pipe_free(pipe);
}

static void first_failure_in_order_is_told(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		static struct run r;
		struct mica_err err = {0};

		/* the first one that fails is the last to say so */
		r = (struct run){.work_fails = 40, .slow = 40};
		assert_int_equal(run_jobs(&r, 8, 16, 100, &err), MICA_E_CORRUPT);
		assert_string_equal(err.msg, "job 40: work");
		/* what came before it was finished, nothing behind it */
		assert_int_equal(r.finishes, 39);
	}
}

static void jobs_behind_a_failure_are_not_worked_on(void **state)
{
	static struct run r;
	struct mica_err err = {0};
	unsigned int worked = 0;

	(void)state;
	r = (struct run){.work_fails = 10};
	assert_int_equal(run_jobs(&r, 2, 8, 1000, &err), MICA_E_CORRUPT);
	for (unsigned int n = 1; n <= 1000; n++)
		worked += r.worked[n];
	assert_in_range(worked, 10, 12);
}

static void failure_in_finish(void **state)
{
	static struct run r;
	struct mica_err err = {0};

	(void)state;
	r = (struct run){.finish_fails = 25};
	assert_int_equal(run_jobs(&r, 4, 8, 100, &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "job 25: finish");
	assert_int_equal(r.finishes, 25);
}

static void failure_without_words_is_a_failure(void **state)
{
	static struct run r;
	struct mica_err err = {0};

	(void)state;
	r = (struct run){.work_fails = 5, .wordless = true};
	assert_int_equal(run_jobs(&r, 2, 4, 10, &err), MICA_E_LIMIT);
	assert_int_equal(r.finishes, 4);
	assert_true(strlen(err.msg) > 0);
	r = (struct run){.finish_fails = 5, .wordless = true};
	assert_int_equal(run_jobs(&r, 2, 4, 10, &err), MICA_E_LIMIT);
	assert_int_equal(r.finishes, 5);
}

static void submit_tells_of_an_earlier_failure(void **state)
{
	static struct run r;
	struct mica_pipe *pipe = NULL;
	struct mica_err err = {0};
	unsigned int n = 0;

	(void)state;
	r = (struct run){.work_fails = 1};
	assert_int_equal(mica_pipe_new(2, 2, &ops, &r, &pipe, &err), 0);
	while (n < JOBS && !mica_pipe_submit(pipe, (void *)(uintptr_t)++n, &err))
		;
	assert_string_equal(err.msg, "job 1: work");
	/* two under way, and the one that found out */
	assert_in_range(n, 1, 3);
	mica_pipe_free(pipe);
	assert_int_equal(r.releases, n);
}

static void free_releases_what_is_under_way(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 50; i++) {
		static struct run r;
		struct mica_pipe *pipe = NULL;
		struct mica_err err = {0};

		r = (struct run){0};
		assert_int_equal(mica_pipe_new(3, 64, &ops, &r, &pipe, &err), 0);
		for (unsigned int n = 1; n <= 60; n++)
			assert_int_equal(mica_pipe_submit(pipe, (void *)(uintptr_t)n, &err), 0);
		mica_pipe_free(pipe);
		assert_int_equal(r.releases, 60);
		assert_false(r.disorder);
	}
}

static void a_pipe_can_be_drained_and_used_again(void **state)
{
	static struct run r;
	struct mica_pipe *pipe = NULL;
	struct mica_err err = {0};

	(void)state;
	r = (struct run){0};
	assert_int_equal(mica_pipe_new(2, 4, &ops, &r, &pipe, &err), 0);
	assert_int_equal(mica_pipe_drain(pipe, &err), 0);
	for (unsigned int n = 1; n <= 100; n++) {
		assert_int_equal(mica_pipe_submit(pipe, (void *)(uintptr_t)n, &err), 0);
		assert_int_equal(mica_pipe_drain(pipe, &err), 0);
		assert_int_equal(r.releases, n);
	}
	mica_pipe_free(pipe);
}

/* Those that a wait is for are released when it returns; later ones need not be. */
static void wait_is_for_the_first_jobs(void **state)
{
	static struct run r;
	struct mica_pipe *pipe = NULL;
	struct mica_err err = {0};

	(void)state;
	r = (struct run){.slow = 90};
	assert_int_equal(mica_pipe_new(4, 128, &ops, &r, &pipe, &err), 0);
	assert_int_equal(mica_pipe_submitted(pipe), 0);
	assert_int_equal(mica_pipe_wait(pipe, 0, &err), 0);
	for (unsigned int n = 1; n <= 100; n++) {
		assert_int_equal(mica_pipe_submit(pipe, (void *)(uintptr_t)n, &err), 0);
		assert_int_equal(mica_pipe_submitted(pipe), n);
	}
	for (unsigned int n = 1; n <= 100; n += 9) {
		assert_int_equal(mica_pipe_wait(pipe, n, &err), 0);
		for (unsigned int k = 1; k <= n; k++)
			assert_int_equal(__atomic_load_n(&r.released[k], __ATOMIC_SEQ_CST), 1);
	}
	assert_int_equal(mica_pipe_drain(pipe, &err), 0);
	assert_int_equal(mica_pipe_submitted(pipe), 100);
	mica_pipe_free(pipe);
	assert_false(r.disorder);
}

static void wait_tells_of_a_failure(void **state)
{
	static struct run r;
	struct mica_pipe *pipe = NULL;
	struct mica_err err = {0};

	(void)state;
	r = (struct run){.finish_fails = 5};
	assert_int_equal(mica_pipe_new(2, 16, &ops, &r, &pipe, &err), 0);
	for (unsigned int n = 1; n <= 10; n++)
		mica_pipe_submit(pipe, (void *)(uintptr_t)n, &err);
	assert_int_equal(mica_pipe_wait(pipe, 5, &err), MICA_E_CORRUPT);
	assert_string_equal(err.msg, "job 5: finish");
	/* the others are released all the same */
	assert_int_equal(mica_pipe_wait(pipe, 10, &err), MICA_E_CORRUPT);
	assert_int_equal(r.releases, 10);
	mica_pipe_free(pipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_is_that_of_submission),
		cmocka_unit_test(no_more_than_depth_are_under_way),
		cmocka_unit_test(one_thread_is_the_caller_itself),
		cmocka_unit_test(first_failure_in_order_is_told),
		cmocka_unit_test(jobs_behind_a_failure_are_not_worked_on),
		cmocka_unit_test(failure_in_finish),
		cmocka_unit_test(failure_without_words_is_a_failure),
		cmocka_unit_test(submit_tells_of_an_earlier_failure),
		cmocka_unit_test(free_releases_what_is_under_way),
		cmocka_unit_test(a_pipe_can_be_drained_and_used_again),
		cmocka_unit_test(wait_is_for_the_first_jobs),
		cmocka_unit_test(wait_tells_of_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
