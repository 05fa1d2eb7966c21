/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include <fuse_log.h>

#define SEEN_MAX    256 /* distinct failures remembered */
#define BURST_LINES 20
#define BURST_SECS  10

/* libfuse's log function takes no context, hence one state for the process */
static struct {
	pthread_mutex_t lock;
	const char *syslog_name; /* NULL: standard error */
	char *collect;		 /* NULL: not collecting */
	size_t collect_cap;
	uint64_t seen[SEEN_MAX]; /* a ring of hashes */
	unsigned int seen_next;
	time_t burst_start;
	unsigned int burst_lines;
	unsigned int dropped;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void line_write(const char *line)
{
	if (state.syslog_name)
		syslog(LOG_ERR, "%s: %s", state.syslog_name, line);
	else
		fprintf(stderr, "mica: %s\n", line);
}

void mica_log(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	line_write(line);
}

/* FNV-1a: a collision costs one line of log */
static uint64_t line_hash(const char *line)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *line; line++)
		h = (h ^ (unsigned char)*line) * 0x100000001b3u;
	return h ? h : 1;
}

static bool line_is_new(const char *line)
{
	uint64_t hash = line_hash(line);

	for (unsigned int i = 0; i < SEEN_MAX; i++)
		if (state.seen[i] == hash)
			return false;
	state.seen[state.seen_next++ % SEEN_MAX] = hash;
	return true;
}

static bool line_in_budget(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!state.burst_start || now.tv_sec - state.burst_start >= BURST_SECS) {
		if (state.dropped)
			mica_log("%u more failures were not logged", state.dropped);
		state.burst_start = now.tv_sec;
		state.burst_lines = 0;
		state.dropped = 0;
	}
	if (state.burst_lines < BURST_LINES) {
		state.burst_lines++;
		return true;
	}
	state.dropped++;
	return false;
}

void mica_log_failure(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&state.lock);
	if (line_is_new(line) && line_in_budget())
		line_write(line);
	pthread_mutex_unlock(&state.lock);
}

void mica_log_to_syslog(const char *name)
{
	openlog("mica", LOG_PID, LOG_DAEMON);
	state.syslog_name = name;
}

__attribute__((format(printf, 2, 0))) static void fuse_line(enum fuse_log_level level,
							    const char *fmt, va_list ap)
{
	char line[1024];
	size_t used;

	if (level > FUSE_LOG_WARNING)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	if (!state.collect) {
		mica_log("%s", line);
		return;
	}
	used = strlen(state.collect);
	snprintf(state.collect + used, state.collect_cap - used, "%s%s", used ? "; " : "", line);
}

void mica_log_take_fuse(void)
{
	fuse_set_log_func(fuse_line);
}

void mica_log_collect_begin(char *buf, size_t cap)
{
	buf[0] = 0;
	state.collect = buf;
	state.collect_cap = cap;
}

void mica_log_collect_end(void)
{
	state.collect = NULL;
}
