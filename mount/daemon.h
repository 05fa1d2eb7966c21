/* SPDX-License-Identifier: MIT */
/* Into the background, such that the caller learns when and whether the mount is live. */
#ifndef MICA_MOUNT_DAEMON_H
#define MICA_MOUNT_DAEMON_H

#include <sys/types.h>

#include "../lib/err.h"

struct mica_daemon {
	pid_t child; /* in the parent; 0 in the child */
	int pipe;    /* the parent's reading or the child's writing end */
};

/* Forks: returns in both processes, which .child tells apart. */
int mica_daemon_fork(struct mica_daemon *d, struct mica_err *err);

/* Child: tell the parent that all is well and let go of the terminal. */
void mica_daemon_ready(struct mica_daemon *d);

/*
 * Parent: wait for the child. Returns -1 when it is ready, else the exit status
 * that it ended with (128 + signal when it crashed); it has said why.
 */
int mica_daemon_wait(struct mica_daemon *d);

#endif
