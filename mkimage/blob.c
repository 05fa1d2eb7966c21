/* SPDX-License-Identifier: MIT */
#include "blob.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../lib/util.h"

struct mica_blob {
	int fd;
	bool seekable;	  /* bytes from at to end; else read(2) says where the end is */
	uint64_t at, end; /* offsets in the file */
	uint64_t start;
	uint64_t done; /* bytes read */
	unsigned char *buf;
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
	if (spec->window) {
		b->seekable = true;
		b->start = b->at = spec->off;
		b->end = spec->off + spec->len;
	} else {
		blob_measure(b);
	}
	b->buf = malloc(MICA_BLOB_PIECE);
	if (!b->buf)
		ret = mica_err_nomem(err);
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
	free(b->buf);
	free(b);
}

static int blob_fill(struct mica_blob *b, size_t least, size_t *len, struct mica_err *err)
{
	*len = 0;
	while (*len < least) {
		size_t room = MICA_BLOB_PIECE - *len;
		ssize_t n;

		if (b->seekable) {
			room = (size_t)mica_min(room, b->end - b->at);
			n = pread(b->fd, b->buf + *len, room, (off_t)b->at);
		} else {
			n = read(b->fd, b->buf + *len, room);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "read");
		if (!n)
			break;
		b->at += (uint64_t)n;
		b->done += (uint64_t)n;
		*len += (size_t)n;
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

int mica_blob_read(struct mica_blob *b, size_t least, const unsigned char **p, size_t *len,
		   struct mica_err *err)
{
	int ret = blob_fill(b, least, len, err);

	if (ret)
		return ret;
	if (!*len)
		return blob_end(b, err);
	if (b->hasher)
		mica_hasher_add(b->hasher, b->buf, *len);
	*p = b->buf;
	return 1;
}

void mica_blob_skip(struct mica_blob *b, uint64_t len, uint64_t *skipped)
{
	*skipped = b->seekable && !b->hasher ? mica_min(len, b->end - b->at) : 0;
	b->at += *skipped;
}

void mica_blob_blame(struct mica_blob *b, struct mica_err *err)
{
	struct mica_err own = {0};
	const unsigned char *p;
	size_t len;
	int ret;

	if (!b->hasher)
		return;
	do
		ret = mica_blob_read(b, 1, &p, &len, &own);
	while (ret > 0);
	if (ret < 0)
		*err = own;
}

void mica_blob_progress(const struct mica_blob *b, uint64_t *done, uint64_t *total)
{
	*done = b->seekable ? b->at - b->start : b->done;
	*total = b->seekable ? b->end - b->start : 0;
}
