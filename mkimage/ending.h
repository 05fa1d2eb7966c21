/* SPDX-License-Identifier: MIT */
/* The signals that end the program and that it catches, to leave nothing behind. */
#ifndef MICA_MKIMAGE_ENDING_H
#define MICA_MKIMAGE_ENDING_H

#include <pthread.h>
#include <signal.h>

static const int mica_ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* In this thread, and those that it makes, they wait until mica_ending_restore(). */
static inline void mica_ending_hold(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(mica_ending) / sizeof(mica_ending[0]); i++)
		sigaddset(&set, mica_ending[i]);
	pthread_sigmask(SIG_BLOCK, &set, old);
}

static inline void mica_ending_restore(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

#endif
