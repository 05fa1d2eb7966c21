/* SPDX-License-Identifier: MIT */
#include "per_layer.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "ending.h"
#include "outfile.h"
#include "stack.h"

#define AT_ONCE_MAX 4u

struct engine;

/* The build of one layer's image. */
struct job {
	struct mica_report report; /* first: what a build gets is the job */
	struct engine *engine;
	size_t index;
	struct mica_build_opts opts;
	unsigned int weight; /* of the threads that all share */
	pthread_t thread;
	bool started;
	struct mica_outfile *out; /* owned; NULL: not made, or failed */
	bool fresh;		  /* its name was free */
	uint64_t done, total;	  /* bytes read */
	struct mica_err err;	  /* code 0: none */
};

struct engine {
	char *const *targets;
	const struct mica_layers *layers;
	struct mica_report *report;
	const struct mica_per_layer_events *events;
	struct mica_build_stats *stats;
	struct mica_stack *stack;
	struct job *jobs;     /* owned */
	unsigned int at_once; /* builds, at most */
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned int running; /* weight of the builds that run */
	unsigned int builds;  /* their number */
	bool failed;
};

static void job_warn(struct mica_report *report, const char *line)
{
	struct job *job = (struct job *)report;
	struct engine *e = job->engine;
	const char *name = e->layers->v[job->index].name;
	size_t len = strlen(name);
	bool named = !strncmp(line, name, len) && line[len] == ':';

	pthread_mutex_lock(&e->lock);
	mica_report_warn(e->report, "%s%s%s", named ? "" : name, named ? "" : ": ", line);
	pthread_mutex_unlock(&e->lock);
}

static void job_progress(void *ctx, const struct mica_build_state *state)
{
	struct job *job = ctx;
	struct engine *e = job->engine;
	struct mica_build_state all = {0};

	if (!e->events->progress)
		return;
	pthread_mutex_lock(&e->lock);
	/* what is verified was read before */
	if (state->source <= state->sources) {
		job->done = state->done;
		job->total = state->total;
	}
	all.source = all.sources = (unsigned int)e->layers->count;
	for (size_t i = 0; i < e->layers->count; i++) {
		all.done += e->jobs[i].done;
		all.total += e->jobs[i].total;
	}
	e->events->progress(e->events->ctx, &all);
	pthread_mutex_unlock(&e->lock);
}

static void job_outfile(void *ctx, struct mica_outfile *f)
{
	struct job *job = ctx;
	struct engine *e = job->engine;

	if (e->events->outfile)
		e->events->outfile(e->events->ctx, job->index, f);
}

/*
 * glibc keeps what is freed in arenas of threads; those of the next build may get
 * others, and then what was kept counts twice.
 */
static void memory_return(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void *job_main(void *arg)
{
	struct job *job = arg;
	struct engine *e = job->engine;
	struct mica_build_events events = {
		.progress = job_progress, .outfile = job_outfile, .ctx = job};
	struct mica_err err = {0};
	int ret = mica_build_file(e->targets[job->index], &e->layers->v[job->index], 1, &job->opts,
				  &job->report, &events, &e->stats[job->index], &job->out, &err);

	if (!ret)
		ret = mica_outfile_rest(job->out, &err);
	memory_return();
	if (ret)
		mica_stack_cancel(e->stack);
	pthread_mutex_lock(&e->lock);
	job->err = err;
	if (ret)
		e->failed = true;
	e->running -= job->weight;
	e->builds--;
	pthread_cond_signal(&e->ended);
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static uint64_t layer_size(const struct mica_layer *layer)
{
	struct mica_store_file file;
	struct stat st;

	if (layer->has_size)
		return layer->size;
	if (!layer->store)
		return !stat(layer->path, &st) && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (mica_store_find(layer->store, layer->path, &file, NULL))
		return 0;
	close(file.fd);
	return file.size;
}

/* Threads by size, so that layers of any sizes end at about the same time. */
static void jobs_weigh(struct engine *e, unsigned int jobs)
{
	uint64_t least = mica_div_round_up(jobs, e->at_once), total = 0;

	for (size_t i = 0; i < e->layers->count; i++)
		total += layer_size(&e->layers->v[i]) >> 10;
	for (size_t i = 0; i < e->layers->count; i++) {
		uint64_t share = layer_size(&e->layers->v[i]) >> 10;

		share = total ? share * jobs / total : 0;
		e->jobs[i].weight = (unsigned int)mica_max(least, mica_min(share, jobs));
		e->jobs[i].opts.jobs = e->jobs[i].weight;
	}
}

/* Handlers of signals run in the thread that waits for all. */
static int job_start(struct job *job, struct mica_err *err)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&job->thread, NULL, job_main, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return mica_err_sys(err, ret, "start of a thread for layer %zu", job->index);
	job->started = true;
	return 0;
}

/* Bottom first, since each waits for those below in the end. */
static int jobs_run(struct engine *e, unsigned int jobs, struct mica_err *err)
{
	int ret = 0;

	/* Where malloc is another one's, glibc's sets itself up here: not in two threads at once. */
	memory_return();
	for (size_t i = 0; !ret && i < e->layers->count; i++) {
		struct job *job = &e->jobs[i];
		bool failed;

		pthread_mutex_lock(&e->lock);
		while (e->builds && !e->failed &&
		       (e->builds == e->at_once || e->running + job->weight > jobs))
			pthread_cond_wait(&e->ended, &e->lock);
		failed = e->failed;
		if (!failed) {
			e->running += job->weight;
			e->builds++;
		}
		pthread_mutex_unlock(&e->lock);
		if (failed)
			break;
		ret = job_start(job, err);
		if (ret)
			mica_stack_cancel(e->stack);
	}
	for (size_t i = 0; i < e->layers->count; i++)
		if (e->jobs[i].started)
			pthread_join(e->jobs[i].thread, NULL);
	return ret;
}

/* The error of the lowest layer: those above may only have waited for it. */
static int jobs_error(const struct engine *e, struct mica_err *err)
{
	for (size_t i = 0; i < e->layers->count; i++) {
		const struct mica_err *own = &e->jobs[i].err;

		if (!own->code || own->sys == ECANCELED)
			continue;
		*err = *own;
		return own->code;
	}
	return 0;
}

/* Back to none of them. What took an older image's place stays: that one is gone. */
static void jobs_retract(struct engine *e)
{
	for (size_t i = 0; i < e->layers->count; i++)
		if (e->jobs[i].fresh && mica_outfile_is_placed(e->jobs[i].out))
			unlink(mica_outfile_path(e->jobs[i].out));
}

/* All is synced already, so that this takes no time, in which no signal may come. */
static int jobs_publish(struct engine *e, struct mica_err *err)
{
	sigset_t old;
	int ret = 0;

	mica_ending_hold(&old);
	for (size_t i = 0; i < e->layers->count; i++) {
		struct job *job = &e->jobs[i];
		struct mica_err own = {0};

		job->fresh = access(mica_outfile_path(job->out), F_OK) < 0;
		if (!mica_outfile_publish(job->out, &own))
			continue;
		/* the first error counts, unless one of them takes all back */
		if (!ret || !mica_outfile_is_placed(job->out))
			*err = own;
		ret = own.code;
		if (mica_outfile_is_placed(job->out))
			continue;
		jobs_retract(e);
		break;
	}
	mica_ending_restore(&old);
	return ret;
}

static void engine_cleanup(struct engine *e)
{
	for (size_t i = 0; e->jobs && i < e->layers->count; i++) {
		if (!e->jobs[i].out)
			continue;
		mica_outfile_abandon(e->jobs[i].out);
		job_outfile(&e->jobs[i], NULL);
		mica_outfile_free(e->jobs[i].out);
	}
	free(e->jobs);
	mica_stack_free(e->stack);
	pthread_cond_destroy(&e->ended);
	pthread_mutex_destroy(&e->lock);
}

/* A directory that is read would change with the images that are made in it. */
static int target_is_outside(const char *target, const struct mica_layer *layer,
			     struct mica_err *err)
{
	const char *slash = strrchr(target, '/');
	cleanup_free char *dir = NULL;
	cleanup_free char *outer = NULL;
	cleanup_free char *inner = NULL;
	struct stat st;
	size_t len;

	if (layer->store || stat(layer->path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	dir = slash ? strndup(target, (size_t)(slash - target) + 1) : strdup(".");
	outer = realpath(layer->path, NULL);
	inner = dir ? realpath(dir, NULL) : NULL;
	if (!outer || !inner)
		return 0;
	len = strlen(outer);
	if (strncmp(inner, outer, len) != 0 || (inner[len] && inner[len] != '/' && len > 1))
		return 0;
	return mica_err_set(err, MICA_E_USAGE, "%s: lies in %s, which is a source", target,
			    layer->name);
}

/* Like build.c's own check, but for all images and all layers. */
static int targets_check(const struct engine *e, struct mica_err *err)
{
	for (size_t i = 0; i < e->layers->count; i++) {
		struct stat target, source;
		int ret = 0;

		for (size_t k = 0; !ret && k < e->layers->count; k++)
			ret = target_is_outside(e->targets[i], &e->layers->v[k], err);
		if (ret)
			return ret;
		if (stat(e->targets[i], &target) < 0)
			continue;
		for (size_t k = 0; k < e->layers->count; k++) {
			const struct mica_layer *layer = &e->layers->v[k];
			struct mica_store_file file;

			if (!layer->store) {
				ret = stat(layer->path, &source);
			} else {
				if (mica_store_find(layer->store, layer->path, &file, NULL))
					continue;
				ret = fstat(file.fd, &source);
				close(file.fd);
			}
			if (ret)
				continue;
			if (source.st_dev == target.st_dev && source.st_ino == target.st_ino)
				return mica_err_set(err, MICA_E_USAGE,
						    "%s: is an image to be made and a source",
						    e->targets[i]);
		}
	}
	return 0;
}

/*
 * Builds at once share the memory, if there is enough for each. What a build may
 * use shows in its image, so the share must not depend on the number of threads.
 */
static unsigned int builds_at_once(uint64_t memory, size_t layers)
{
	uint64_t n = mica_min(mica_min(layers, AT_ONCE_MAX), memory / MICA_BUILD_MEMORY_MIN);

	return (unsigned int)mica_max(n, 1);
}

int mica_per_layer(char *const *targets, const struct mica_layers *layers,
		   const struct mica_build_opts *opts, bool user, struct mica_report *report,
		   const struct mica_per_layer_events *events, struct mica_build_stats *stats,
		   struct mica_err *err)
{
	struct engine e cleanup(engine_cleanup) = {
		.targets = targets,
		.layers = layers,
		.report = report,
		.events = events,
		.stats = stats,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ended = PTHREAD_COND_INITIALIZER,
	};
	int ret;

	if (!layers->count)
		return 0;
	ret = targets_check(&e, err);
	if (!ret)
		ret = mica_stack_new(targets[0], user, &e.stack, err);
	if (ret)
		return ret;
	e.at_once = builds_at_once(opts->memory, layers->count);
	e.jobs = calloc(layers->count, sizeof(*e.jobs));
	if (!e.jobs)
		return mica_err_nomem(err);
	for (size_t i = 0; i < layers->count; i++) {
		struct job *job = &e.jobs[i];

		job->engine = &e;
		job->index = i;
		job->report.warn = job_warn;
		job->opts = *opts;
		job->opts.memory /= e.at_once;
		job->opts.stack = e.stack;
		job->opts.stack_index = i;
		job->opts.stack_layers = layers->v;
		job->opts.apply.lone_layer = true;
	}
	jobs_weigh(&e, opts->jobs);
	ret = jobs_run(&e, opts->jobs, err);
	if (!ret)
		ret = jobs_error(&e, err);
	return ret ? ret : jobs_publish(&e, err);
}
