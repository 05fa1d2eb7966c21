/* SPDX-License-Identifier: MIT */
#include "syncer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct mica_syncer {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool wanted, ends;
	int error;
};

static void *syncer_main(void *arg)
{
	struct mica_syncer *s = arg;

	pthread_mutex_lock(&s->lock);
	while (!s->ends) {
		int error;

		if (!s->wanted || s->error) {
			pthread_cond_wait(&s->told, &s->lock);
			continue;
		}
		s->wanted = false;
		pthread_mutex_unlock(&s->lock);
		error = fdatasync(s->fd) < 0 ? errno : 0;
		pthread_mutex_lock(&s->lock);
		s->error = error;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void syncer_free(struct mica_syncer *s)
{
	pthread_cond_destroy(&s->told);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct mica_syncer *mica_syncer_new(int fd)
{
	struct mica_syncer *s = calloc(1, sizeof(*s));
	sigset_t all, old;
	int ret;

	if (!s)
		return NULL;
	s->fd = fd;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->told, NULL);
	/* signals are the others' */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&s->thread, NULL, syncer_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!ret)
		return s;
	syncer_free(s);
	return NULL;
}

void mica_syncer_tell(struct mica_syncer *s)
{
	pthread_mutex_lock(&s->lock);
	s->wanted = true;
	pthread_cond_signal(&s->told);
	pthread_mutex_unlock(&s->lock);
}

int mica_syncer_end(struct mica_syncer *s)
{
	int error;

	if (!s)
		return 0;
	pthread_mutex_lock(&s->lock);
	s->ends = true;
	pthread_cond_signal(&s->told);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	error = s->error;
	syncer_free(s);
	return error;
}
