/* SPDX-License-Identifier: MIT */
/*
 * measure FILE COMMAND...: runs a command and appends to FILE one line: wall
 * seconds, CPU seconds (user and system, with the children that it waited
 * for), peak resident KiB of its largest process. Exits as the command did.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage usage;
	int status;
	pid_t pid;
	FILE *out;

	if (argc < 3)
		tool_die("usage: measure FILE COMMAND...");
	clock_gettime(CLOCK_MONOTONIC, &start);
	pid = fork();
	if (pid < 0)
		tool_die_errno("fork");
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		tool_die_errno("%s", argv[2]);
	}
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			tool_die_errno("wait4");
	clock_gettime(CLOCK_MONOTONIC, &end);
	out = fopen(argv[1], "a");
	if (!out)
		tool_die_errno("%s", argv[1]);
	fprintf(out, "%.3f %.3f %ld\n",
		(double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
		seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss);
	if (fclose(out))
		tool_die_errno("%s", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
