/* SPDX-License-Identifier: MIT */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/util.h"

int mica_daemon_fork(struct mica_daemon *d, struct mica_err *err)
{
	int fds[2], sys;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return mica_err_sys(err, errno, "pipe");
	/* what is buffered must not be printed by both */
	fflush(NULL);
	d->child = fork();
	if (d->child < 0) {
		sys = errno;
		close(fds[0]);
		close(fds[1]);
		return mica_err_sys(err, sys, "fork");
	}
	if (d->child) {
		close(fds[1]);
		d->pipe = fds[0];
		return 0;
	}
	close(fds[0]);
	d->pipe = fds[1];
	setsid();
	return 0;
}

void mica_daemon_ready(struct mica_daemon *d)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* a directory must not be kept busy by a server that only happened to start there */
	if (chdir("/") < 0)
		fprintf(stderr, "mica: chdir /: %m\n");
	/* before the word goes out: whoever reads our output to its end waits for no more */
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (null <= 2)
		mica_steal_fd(&null);
	while (write(d->pipe, "", 1) < 0 && errno == EINTR)
		;
	close(d->pipe);
	d->pipe = -1;
}

int mica_daemon_wait(struct mica_daemon *d)
{
	int status = 0;
	ssize_t n;
	char byte;

	do
		n = read(d->pipe, &byte, 1);
	while (n < 0 && errno == EINTR);
	close(d->pipe);
	if (n == 1)
		return -1;
	while (waitpid(d->child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
