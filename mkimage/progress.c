/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>
#include <time.h>

#define INTERVAL      0.2	     /* seconds between two lines */
#define REMAINING_MAX (100 * 3600.0) /* seconds; a longer guess is no use */

double mica_progress_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void mica_progress_bytes(uint64_t bytes, char *buf, size_t len)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double v = (double)bytes;
	unsigned int u = 0;

	while (v >= 999.5 && u < 5) {
		v /= 1000;
		u++;
	}
	snprintf(buf, len, u && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void mica_progress_start(struct mica_progress *p, bool shown)
{
	*p = (struct mica_progress){.shown = shown, .start = mica_progress_now()};
}

/* What is left of this source at the speed so far; empty while nobody can know. */
static void remaining(const struct mica_progress *p, const struct mica_build_state *s, double now,
		      char *buf, size_t len)
{
	double took = now - p->source_start, seconds;
	unsigned int left;

	buf[0] = 0;
	if (!s->total || !s->done || s->done > s->total || took < 1)
		return;
	seconds = took * (double)(s->total - s->done) / (double)s->done + 0.5;
	if (seconds > REMAINING_MAX)
		return;
	left = (unsigned int)seconds;
	snprintf(buf, len, ", %u:%02u left", left / 60, left % 60);
}

void mica_progress_update(struct mica_progress *p, const struct mica_build_state *s)
{
	double now = mica_progress_now();
	char in[16], rate[16], left[32];

	if (p->source != s->source) {
		p->source = s->source;
		p->source_start = now;
	}
	if (!p->shown || now - p->last < INTERVAL)
		return;
	p->last = now;
	mica_progress_bytes(s->done, in, sizeof(in));
	mica_progress_bytes((uint64_t)((double)s->done / (now - p->source_start + 1e-3)), rate,
			    sizeof(rate));
	remaining(p, s, now, left, sizeof(left));
	if (s->source > s->sources)
		fprintf(stderr, "\r\033[K%s verified", in);
	else
		fprintf(stderr, "\r\033[Ksource %u of %u: %s read", s->source, s->sources, in);
	if (s->total && s->done <= s->total)
		fprintf(stderr, " (%u%%)",
			(unsigned int)((double)s->done * 100 / (double)s->total));
	fprintf(stderr, ", %s/s%s", rate, left);
	fflush(stderr);
	p->drawn = true;
}

void mica_progress_clear(struct mica_progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
