/* SPDX-License-Identifier: MIT */
#include "tar_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../formats/tar.h"
#include "../lib/util.h"

#define STREAM_BUF ((size_t)1 << 20)

struct mica_tar_stream {
	int fd;
	unsigned char *buf; /* what was read from fd last */
	size_t buf_len;
	bool buf_fresh;		  /* not yet given out */
	bool ended;		  /* the filters have no more */
	struct archive *archive;  /* NULL: not compressed */
	struct mica_err read_err; /* of the callback, which cannot pass one on */
	const unsigned char *p;
	size_t len;
	unsigned char again[MICA_TAR_BLOCK]; /* its last again_left bytes come before p */
	size_t again_left;
	uint64_t offset;
	uint64_t done, total;
};

static int stream_fill(struct mica_tar_stream *s, size_t least, struct mica_err *err)
{
	s->buf_len = 0;
	while (s->buf_len < least) {
		ssize_t n = read(s->fd, s->buf + s->buf_len, STREAM_BUF - s->buf_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "read");
		if (!n)
			break;
		s->buf_len += (size_t)n;
		s->done += (uint64_t)n;
	}
	return 0;
}

static la_ssize_t stream_callback(struct archive *archive, void *ctx, const void **buf)
{
	struct mica_tar_stream *s = ctx;

	if (!s->buf_fresh && stream_fill(s, 1, &s->read_err)) {
		archive_set_error(archive, s->read_err.sys, "%s", s->read_err.msg);
		return ARCHIVE_FATAL;
	}
	s->buf_fresh = false;
	*buf = s->buf;
	return (la_ssize_t)s->buf_len;
}

/* An error of libarchive, or of the read below it. */
static int stream_fail(struct mica_tar_stream *s, struct mica_err *err)
{
	const char *text = archive_error_string(s->archive);
	const char *filter = mica_tar_stream_filter(s);

	if (s->read_err.code) {
		*err = s->read_err;
		return err->code;
	}
	if (archive_errno(s->archive) == ENOMEM)
		return mica_err_nomem(err);
	return mica_err_set(err, MICA_E_INPUT, "%s%s%s", filter ? filter : "", filter ? ": " : "",
			    text ? text : "cannot be decompressed");
}

/* Filters alone: format "raw" hands out what comes out of them. */
static int stream_open_filters(struct mica_tar_stream *s, struct mica_err *err)
{
	struct archive_entry *entry;
	int ret;

	s->archive = archive_read_new();
	if (!s->archive)
		return mica_err_nomem(err);
	/* warns that some of them need a program, which is no loss until one is met */
	if (archive_read_support_filter_all(s->archive) < ARCHIVE_WARN ||
	    archive_read_support_format_raw(s->archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(s->archive) != ARCHIVE_OK)
		return stream_fail(s, err);
	if (archive_read_open(s->archive, s, NULL, stream_callback, NULL) != ARCHIVE_OK)
		return stream_fail(s, err);
	ret = archive_read_next_header(s->archive, &entry);
	if (ret != ARCHIVE_OK && ret != ARCHIVE_EOF)
		return stream_fail(s, err);
	s->ended = ret == ARCHIVE_EOF;
	return 0;
}

/* A tar header says so itself; only what is none can be compressed. */
static bool stream_is_plain(const struct mica_tar_stream *s)
{
	struct mica_tar_header h;

	if (s->buf_len < sizeof(h))
		return !s->buf_len;
	memcpy(&h, s->buf, sizeof(h));
	return mica_tar_is_zero(&h) || mica_tar_checksum_ok(&h);
}

static int stream_start(struct mica_tar_stream *s, struct mica_err *err)
{
	struct stat st;
	off_t at;
	int ret;

	if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		at = lseek(s->fd, 0, SEEK_CUR);
		if (at >= 0 && at < st.st_size)
			s->total = (uint64_t)(st.st_size - at);
		posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	s->buf = malloc(STREAM_BUF);
	if (!s->buf)
		return mica_err_nomem(err);
	ret = stream_fill(s, sizeof(struct mica_tar_header), err);
	if (ret)
		return ret;
	s->buf_fresh = true;
	return stream_is_plain(s) ? 0 : stream_open_filters(s, err);
}

int mica_tar_stream_new(int fd, struct mica_tar_stream **out, struct mica_err *err)
{
	struct mica_tar_stream *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mica_err_nomem(err);
	s->fd = fd;
	ret = stream_start(s, err);
	if (ret) {
		mica_tar_stream_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void mica_tar_stream_free(struct mica_tar_stream *s)
{
	if (!s)
		return;
	if (s->archive)
		archive_read_free(s->archive);
	free(s->buf);
	free(s);
}

static int stream_next_block(struct mica_tar_stream *s, struct mica_err *err)
{
	const void *p;
	int64_t off;
	int ret;

	if (!s->archive) {
		ret = s->buf_fresh ? 0 : stream_fill(s, 1, err);
		s->buf_fresh = false;
		s->p = s->buf;
		s->len = ret ? 0 : s->buf_len;
		return ret;
	}
	while (!s->len && !s->ended) {
		ret = archive_read_data_block(s->archive, &p, &s->len, &off);
		if (ret == ARCHIVE_EOF) {
			s->len = 0;
			s->ended = true;
		} else if (ret != ARCHIVE_OK) {
			s->len = 0;
			return stream_fail(s, err);
		}
		s->p = p;
	}
	return 0;
}

int mica_tar_stream_peek(struct mica_tar_stream *s, const unsigned char **p, size_t *len,
			 struct mica_err *err)
{
	if (s->again_left) {
		*p = s->again + sizeof(s->again) - s->again_left;
		*len = s->again_left;
		return 1;
	}
	if (!s->len) {
		int ret = stream_next_block(s, err);

		if (ret)
			return ret;
	}
	*p = s->p;
	*len = s->len;
	return s->len > 0;
}

void mica_tar_stream_take(struct mica_tar_stream *s, size_t n)
{
	s->offset += n;
	if (s->again_left) {
		s->again_left -= n;
		return;
	}
	s->p += n;
	s->len -= n;
}

int mica_tar_stream_read(struct mica_tar_stream *s, void *buf, size_t len, size_t *got,
			 struct mica_err *err)
{
	unsigned char *out = buf;

	*got = 0;
	while (*got < len) {
		const unsigned char *p;
		size_t n;
		int ret = mica_tar_stream_peek(s, &p, &n, err);

		if (ret < 0)
			return ret;
		if (!ret)
			break;
		n = mica_min(n, len - *got);
		memcpy(out + *got, p, n);
		mica_tar_stream_take(s, n);
		*got += n;
	}
	return 0;
}

int mica_tar_stream_ahead(struct mica_tar_stream *s, void *buf, size_t len, size_t *got,
			  struct mica_err *err)
{
	int ret = mica_tar_stream_read(s, buf, len, got, err);

	if (ret)
		return ret;
	memcpy(s->again + sizeof(s->again) - *got, buf, *got);
	s->again_left = *got;
	s->offset -= *got;
	return 0;
}

uint64_t mica_tar_stream_offset(const struct mica_tar_stream *s)
{
	return s->offset;
}

void mica_tar_stream_progress(const struct mica_tar_stream *s, uint64_t *done, uint64_t *total)
{
	*done = s->done;
	*total = s->total;
}

const char *mica_tar_stream_filter(const struct mica_tar_stream *s)
{
	/* the last filter of the chain is the file itself */
	if (!s->archive || archive_filter_count(s->archive) < 2)
		return NULL;
	return archive_filter_name(s->archive, 0);
}
