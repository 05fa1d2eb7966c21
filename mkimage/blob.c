/* SPDX-License-Identifier: MIT */
#include "blob.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "../lib/util.h"

struct mica_blob {
	int fd;
	int wake;	  /* becomes readable with an interruption; -1: reads never wait for long */
	bool seekable;	  /* bytes from at to end; else read(2) says where the end is */
	uint64_t at, end; /* offsets in the file */
	uint64_t start;
	_Atomic uint64_t done; /* bytes read or passed over */
	unsigned char head[MICA_BLOB_HEAD];
	size_t head_len, head_taken; /* what was read in advance, and how much of it is read */
	struct mica_digest want;
	struct mica_hasher *hasher; /* NULL: no digest was promised */
	bool ended;
	struct mica_err verdict; /* once ended; code 0: as promised */
};

/* Of a regular file the place of each byte is known, also for passing over some. */
static void blob_measure(struct mica_blob *b)
{
	struct stat st;
	off_t at;

	if (fstat(b->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	at = lseek(b->fd, 0, SEEK_CUR);
	/* files that the kernel makes up have no size */
	if (at < 0 || at >= st.st_size)
		return;
	b->seekable = true;
	b->start = b->at = (uint64_t)at;
	b->end = (uint64_t)st.st_size;
}

int mica_blob_new(const struct mica_blob_spec *spec, struct mica_blob **out, struct mica_err *err)
{
	struct mica_blob *b = calloc(1, sizeof(*b));
	int ret = 0;

	if (!b)
		return mica_err_nomem(err);
	b->fd = spec->fd;
	b->wake = -1;
	if (spec->window) {
		b->seekable = true;
		b->start = b->at = spec->off;
		b->end = spec->off + spec->len;
	} else {
		blob_measure(b);
	}
	if (!b->seekable) {
		b->wake = eventfd(0, EFD_CLOEXEC);
		if (b->wake < 0)
			ret = mica_err_sys(err, errno, "eventfd");
	}
	if (!ret && spec->digest) {
		b->want = *spec->digest;
		ret = mica_hasher_new(b->want.alg, &b->hasher, err);
	}
	if (ret) {
		mica_blob_free(b);
		return ret;
	}
	if (b->seekable)
		posix_fadvise(b->fd, (off_t)b->at, (off_t)(b->end - b->at), POSIX_FADV_SEQUENTIAL);
	*out = b;
	return 0;
}

void mica_blob_free(struct mica_blob *b)
{
	if (!b)
		return;
	mica_hasher_free(b->hasher);
	if (b->wake >= 0)
		close(b->wake);
	free(b);
}

/* Until there is something to read. */
static int blob_wait(struct mica_blob *b, struct mica_err *err)
{
	struct pollfd fds[] = {{.fd = b->fd, .events = POLLIN}, {.fd = b->wake, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return mica_err_sys(err, errno, "poll");
	return fds[1].revents ? mica_err_sys(err, EINTR, "read") : 0;
}

static int blob_fill(struct mica_blob *b, unsigned char *buf, size_t len, size_t *got,
		     struct mica_err *err)
{
	*got = 0;
	while (*got < len) {
		size_t room = len - *got;
		ssize_t n;
		int ret;

		if (b->seekable) {
			room = (size_t)mica_min(room, b->end - b->at);
			n = pread(b->fd, buf + *got, room, (off_t)b->at);
		} else {
			ret = blob_wait(b, err);
			if (ret)
				return ret;
			n = read(b->fd, buf + *got, room);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "read");
		if (!n)
			break;
		b->at += (uint64_t)n;
		b->done += (uint64_t)n;
		*got += (size_t)n;
	}
	return 0;
}

static void blob_judge(struct mica_blob *b)
{
	struct mica_digest got;
	char name[64];

	b->ended = true;
	if (mica_hasher_end(b->hasher, &got, &b->verdict) || mica_digest_equal(&b->want, &got))
		return;
	snprintf(name, sizeof(name), "blob of %" PRIu64 " bytes", b->at - b->start);
	mica_digest_mismatch(&b->want, &got, name, &b->verdict);
}

/* Whoever comes first to the end may not pass the verdict on: it can be asked for again. */
static int blob_end(struct mica_blob *b, struct mica_err *err)
{
	if (!b->hasher)
		return 0;
	if (!b->ended)
		blob_judge(b);
	if (b->verdict.code)
		*err = b->verdict;
	return b->verdict.code;
}

int mica_blob_head(struct mica_blob *b, const unsigned char **p, size_t *len, struct mica_err *err)
{
	int ret = blob_fill(b, b->head, sizeof(b->head), &b->head_len, err);

	*p = b->head;
	*len = b->head_len;
	return ret;
}

int mica_blob_read(struct mica_blob *b, void *buf, size_t len, size_t *got, struct mica_err *err)
{
	size_t ahead = (size_t)mica_min(len, b->head_len - b->head_taken);
	int ret;

	memcpy(buf, b->head + b->head_taken, ahead);
	b->head_taken += ahead;
	ret = blob_fill(b, (unsigned char *)buf + ahead, len - ahead, got, err);
	if (ret)
		return ret;
	*got += ahead;
	if (b->hasher && *got)
		mica_hasher_add(b->hasher, buf, *got);
	return *got < len ? blob_end(b, err) : 0;
}

void mica_blob_skip(struct mica_blob *b, uint64_t len, uint64_t *skipped)
{
	size_t ahead = (size_t)mica_min(len, b->head_len - b->head_taken);
	uint64_t rest;

	*skipped = 0;
	if (!mica_blob_is_easy(b))
		return;
	b->head_taken += ahead;
	rest = mica_min(len - ahead, b->end - b->at);
	b->at += rest;
	b->done += rest;
	*skipped = ahead + rest;
}

void mica_blob_blame(struct mica_blob *b, struct mica_err *err)
{
	unsigned char buf[16384];
	struct mica_err own = {0};
	size_t got = 1;
	int ret = 0;

	if (!b->hasher)
		return;
	while (!ret && got)
		ret = mica_blob_read(b, buf, sizeof(buf), &got, &own);
	if (ret)
		*err = own;
}

bool mica_blob_is_easy(const struct mica_blob *b)
{
	return b->seekable && !b->hasher;
}

void mica_blob_interrupt(struct mica_blob *b)
{
	/* cannot fail: the counter is far from full */
	if (b->wake >= 0)
		eventfd_write(b->wake, 1);
}

void mica_blob_progress(const struct mica_blob *b, uint64_t *done, uint64_t *total)
{
	*done = b->done;
	*total = b->seekable ? b->end - b->start : 0;
}
