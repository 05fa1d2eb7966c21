/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS 1000000 /* a request that takes longer does not hold up the others */
#define WAKE_NS	 5000000 /* after that a thread is woken once more */

struct worker {
	struct mica_server *server;
	pthread_t thread; /* for who made it */
	pthread_t self;	  /* the same, for who compares */
	struct fuse_buf buf;
};

struct mica_server {
	struct fuse_session *fuse;
	unsigned int max, count, parked;
	struct worker *workers;
	/*
	 * Even: the leader waits for a request; odd: it works on one. It goes up by one each
	 * time, and who takes it from odd to even has the lead to give: the leader itself, or whoever
	 * takes the lead from it.
	 */
	atomic_uint_fast64_t turn;
	_Atomic(struct worker *) leader;
	pthread_mutex_t lock; /* the rest */
	pthread_cond_t lead;  /* nobody leads, or all is over */
	bool vacant, stop;
	int error;
	atomic_bool dozing; /* the watchdog, as nothing happens */
	int news;	    /* for it, an eventfd: the leader has work again, or all is over */
};

static void *work(void *arg);

static void tell(struct mica_server *s)
{
	/* fails when it has been told so often that it knows */
	(void)!write(s->news, &(uint64_t){1}, sizeof(uint64_t));
}

/* What ends the session is for the thread that watches. */
static void signals_block(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	pthread_sigmask(SIG_BLOCK, &set, before);
}

/* Nobody leads: a thread that waits for that does next, or a new one. The lock is held. */
static void fill_vacancy(struct mica_server *s)
{
	struct worker *w = &s->workers[s->count];
	sigset_t before;

	s->vacant = true;
	if (s->parked || s->count == s->max) {
		pthread_cond_signal(&s->lead);
		return;
	}
	w->server = s;
	signals_block(&before);
	/* without a thread the one that led leads on when it is done */
	if (!pthread_create(&w->thread, NULL, work, w))
		s->count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bool spare(const struct mica_server *s)
{
	return s->parked || s->count < s->max;
}

/* Takes the lead from whoever works at that turn. */
static void depose(struct mica_server *s, uint_fast64_t turn)
{
	pthread_mutex_lock(&s->lock);
	if (!s->stop && !s->vacant && spare(s) &&
	    atomic_compare_exchange_strong(&s->turn, &turn, turn + 1))
		fill_vacancy(s);
	pthread_mutex_unlock(&s->lock);
}

void mica_server_hand_over(struct mica_server *s)
{
	const struct worker *leader;
	uint_fast64_t turn;

	if (!s || s->max == 1)
		return;
	/* in this order: the turn is the caller's own when it leads still after it was read */
	turn = atomic_load(&s->turn);
	leader = atomic_load(&s->leader);
	if (turn & 1 && leader && pthread_equal(leader->self, pthread_self()))
		depose(s, turn);
}

static void fail(struct mica_server *s, int error)
{
	pthread_mutex_lock(&s->lock);
	if (error < 0 && !s->error)
		s->error = error;
	pthread_mutex_unlock(&s->lock);
	fuse_session_exit(s->fuse);
	tell(s);
}

/* The leader's next request; false: there are none any more. */
static bool receive(struct worker *w)
{
	int n;

	do
		n = fuse_session_receive_buf(w->server->fuse, &w->buf);
	while (n == -EINTR && !fuse_session_exited(w->server->fuse));
	if (n > 0)
		return true;
	fail(w->server, n == -EINTR ? 0 : n);
	return false;
}

/* Until it is somebody else's turn to lead; false: all is over. */
static bool lead(struct worker *w)
{
	struct mica_server *s = w->server;
	uint_fast64_t turn = atomic_load(&s->turn);

	atomic_store(&s->leader, w);
	for (;; turn++) {
		if (!receive(w))
			return false;
		atomic_store(&s->turn, ++turn);
		if (atomic_load(&s->dozing) && atomic_exchange(&s->dozing, false))
			tell(s);
		fuse_session_process_buf(s->fuse, &w->buf);
		if (!atomic_compare_exchange_strong(&s->turn, &(uint_fast64_t){turn}, turn + 1))
			return true;
	}
}

/* False: all is over. */
static bool wait_to_lead(struct mica_server *s)
{
	bool led;

	pthread_mutex_lock(&s->lock);
	s->parked++;
	while (!s->vacant && !s->stop)
		pthread_cond_wait(&s->lead, &s->lock);
	s->parked--;
	led = s->vacant && !s->stop;
	if (led)
		s->vacant = false;
	pthread_mutex_unlock(&s->lock);
	return led;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->self = pthread_self();
	while (wait_to_lead(w->server) && lead(w))
		;
	return NULL;
}

/*
 * Until there is news, or the time is over (NULL: no limit). Signals come here and only here: one
 * that came in before must not be waited for.
 */
static void wait_for_news(struct mica_server *s, const struct timespec *most,
			  const sigset_t *signals)
{
	struct pollfd news = {.fd = s->news, .events = POLLIN};
	uint64_t count;

	if (ppoll(&news, 1, most, signals) > 0)
		(void)!read(s->news, &count, sizeof(count));
}

/* Until the session ends, which a signal makes known by waking this thread. */
static void watch(struct mica_server *s)
{
	const struct timespec pause = {.tv_nsec = WATCH_NS};
	uint_fast64_t before = atomic_load(&s->turn), now;
	sigset_t signals;

	signals_block(&signals);
	for (; !fuse_session_exited(s->fuse); before = now) {
		wait_for_news(s, s->max > 1 ? &pause : NULL, &signals);
		now = atomic_load(&s->turn);
		if (now != before || s->max == 1)
			continue;
		if (now & 1) {
			depose(s, now);
			continue;
		}
		/* nothing happens */
		atomic_store(&s->dozing, true);
		if (atomic_load(&s->turn) == now && !fuse_session_exited(s->fuse))
			wait_for_news(s, NULL, &signals);
		atomic_store(&s->dozing, false);
	}
	pthread_sigmask(SIG_SETMASK, &signals, NULL);
}

int mica_server_new(struct fuse_session *fuse, unsigned int threads, struct mica_server **out)
{
	struct mica_server *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->fuse = fuse;
	s->max = threads;
	s->workers = calloc(threads, sizeof(*s->workers));
	s->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!s->workers || s->news < 0) {
		int ret = s->workers ? -errno : -ENOMEM;

		if (s->news >= 0)
			close(s->news);
		free(s->workers);
		free(s);
		return ret;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->lead, NULL);
	*out = s;
	return 0;
}

static void wake(int signal)
{
	(void)signal;
}

/* It may be waiting for a request, or be about to: then a signal must come once more. */
static void worker_end(pthread_t thread)
{
	struct timespec until;

	do {
		pthread_kill(thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WAKE_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT);
}

static void stop(struct mica_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->lead);
	pthread_mutex_unlock(&s->lock);
	for (unsigned int i = 0; i < s->count; i++)
		worker_end(s->workers[i].thread);
}

int mica_server_run(struct mica_server *s)
{
	const struct sigaction woken = {.sa_handler = wake}; /* and no SA_RESTART */
	struct sigaction before;
	bool led;

	sigaction(SIGUSR1, &woken, &before);
	pthread_mutex_lock(&s->lock);
	fill_vacancy(s);
	led = s->count;
	pthread_mutex_unlock(&s->lock);
	if (led)
		watch(s);
	stop(s);
	sigaction(SIGUSR1, &before, NULL);
	fuse_session_reset(s->fuse);
	return led ? s->error : -EAGAIN;
}

void mica_server_free(struct mica_server *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < s->max; i++)
		free(s->workers[i].buf.mem);
	free(s->workers);
	pthread_cond_destroy(&s->lead);
	pthread_mutex_destroy(&s->lock);
	close(s->news);
	free(s);
}
