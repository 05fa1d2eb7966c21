/* SPDX-License-Identifier: MIT */
#include "recorder.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/trace.h"
#include "../lib/util.h"
#include "log.h"

#define UNIT	    (128u << 10) /* bytes of a file that are seen or not */
#define KEYS_MIN    1024u
#define BUFFER	    (64u << 10)
#define WRITTEN_ALL UINT64_MAX

struct mica_recorder {
	char *name;
	int fd;
	pthread_mutex_t lock; /* of all below */
	/* hashes of what was written of which file; 0: free; a power of two, at most half used */
	uint64_t *keys;
	size_t key_count, used;
	size_t fill;
	bool failed; /* no more is written */
	char buf[BUFFER + MICA_TRACE_LINE_MAX(PATH_MAX)];
};

static int file_open(struct mica_recorder *r, struct mica_err *err)
{
	struct stat st;

	/* what is no file must not be waited for */
	r->fd = open(r->name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		     0666);
	if (r->fd < 0 || fstat(r->fd, &st) < 0)
		return mica_err_sys(err, errno, "--trace %s: open", r->name);
	if (!S_ISREG(st.st_mode))
		return mica_err_set(err, MICA_E_USAGE, "--trace %s: not a regular file", r->name);
	if (!st.st_size && write(r->fd, MICA_TRACE_HEAD, strlen(MICA_TRACE_HEAD)) < 0)
		return mica_err_sys(err, errno, "--trace %s: write", r->name);
	return 0;
}

int mica_recorder_new(const char *file, struct mica_recorder **out, struct mica_err *err)
{
	struct mica_recorder *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return mica_err_nomem(err);
	r->fd = -1;
	pthread_mutex_init(&r->lock, NULL);
	r->name = strdup(file);
	r->keys = calloc(KEYS_MIN, sizeof(*r->keys));
	r->key_count = KEYS_MIN;
	ret = r->name && r->keys ? file_open(r, err) : mica_err_nomem(err);
	if (ret) {
		mica_recorder_free(r);
		return ret;
	}
	*out = r;
	return 0;
}

static void lines_lost(struct mica_recorder *r, int sys)
{
	r->failed = true;
	mica_log("--trace %s: %s; no more is recorded", r->name, strerror(sys));
}

/* Whole lines at a time, so that those of other mounts do not come between. */
static void lines_write(struct mica_recorder *r)
{
	const char *from = r->buf;

	while (r->fill && !r->failed) {
		ssize_t n = write(r->fd, from, r->fill);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			lines_lost(r, errno);
			return;
		}
		from += n;
		r->fill -= (size_t)n;
	}
}

void mica_recorder_free(struct mica_recorder *r)
{
	if (!r)
		return;
	lines_write(r);
	/* some file systems say only now that they are full */
	if (r->fd >= 0 && close(r->fd) < 0 && !r->failed)
		lines_lost(r, errno);
	pthread_mutex_destroy(&r->lock);
	free(r->keys);
	free(r->name);
	free(r);
}

static uint64_t *key_find(uint64_t *keys, size_t count, uint64_t key)
{
	size_t i = (size_t)(key >> 8);

	while (keys[i & (count - 1)] && keys[i & (count - 1)] != key)
		i++;
	return &keys[i & (count - 1)];
}

static bool keys_grow(struct mica_recorder *r)
{
	size_t count = 2 * r->key_count;
	uint64_t *keys = calloc(count, sizeof(*keys));

	if (!keys) {
		lines_lost(r, ENOMEM);
		return false;
	}
	for (size_t i = 0; i < r->key_count; i++)
		if (r->keys[i])
			*key_find(keys, count, r->keys[i]) = r->keys[i];
	free(r->keys);
	r->keys = keys;
	r->key_count = count;
	return true;
}

/* True the first time. */
static bool unit_is_new(struct mica_recorder *r, uint64_t file, uint64_t unit)
{
	uint64_t key = (file ^ unit * 0x9e3779b97f4a7c15ULL) | 1, *slot;

	if (2 * (r->used + 1) > r->key_count && !keys_grow(r))
		return false;
	slot = key_find(r->keys, r->key_count, key);
	if (*slot)
		return false;
	*slot = key;
	r->used++;
	return true;
}

static void line_add(struct mica_recorder *r, const char *path, uint64_t off, uint64_t len)
{
	const struct mica_trace_line line = {path, off, len};

	r->fill += mica_trace_format(&line, r->buf + r->fill);
	if (r->fill >= BUFFER)
		lines_write(r);
}

static uint64_t path_hash(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3ULL;
	return hash;
}

/* Units that come together, and were not seen, are one line. */
static void parts_read(struct mica_recorder *r, const char *path, uint64_t file, uint64_t off,
		       uint64_t len)
{
	uint64_t from = off / UNIT, end = mica_div_round_up(off + len, UNIT);

	for (uint64_t unit = from; unit <= end && !r->failed; unit++) {
		if (unit < end && unit_is_new(r, file, unit))
			continue;
		if (unit > from)
			line_add(r, path, from * UNIT, (unit - from) * UNIT);
		from = unit + 1;
	}
}

void mica_recorder_read(struct mica_recorder *r, const char *path, uint64_t off, uint64_t len,
			bool whole)
{
	uint64_t file = path_hash(path);

	if (!len || len > INT64_MAX || off > INT64_MAX)
		return;
	pthread_mutex_lock(&r->lock);
	if (r->failed)
		;
	else if (!whole)
		parts_read(r, path, file, off, len);
	else if (unit_is_new(r, file, WRITTEN_ALL))
		line_add(r, path, 0, 0);
	pthread_mutex_unlock(&r->lock);
}
