/* SPDX-License-Identifier: MIT */
#include "tar_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "../formats/tar.h"
#include "../lib/util.h"

struct mica_tar_stream {
	struct mica_blob *blob;
	const unsigned char *buf; /* what was read from it last */
	size_t buf_len;
	bool buf_fresh;		    /* not yet given out */
	bool ended;		    /* there is no more */
	struct archive *archive;    /* NULL: not compressed */
	struct mica_err read_err;   /* of the callback, which cannot pass one on */
	struct mica_digest diff_id; /* expected of the decompressed bytes */
	struct mica_hasher *hasher; /* of them; NULL: nothing is expected, or proved elsewhere */
	const unsigned char *p;
	size_t len;
	unsigned char again[MICA_TAR_BLOCK]; /* its last again_left bytes come before p */
	size_t again_left;
	uint64_t offset;
};

static la_ssize_t stream_callback(struct archive *archive, void *ctx, const void **buf)
{
	struct mica_tar_stream *s = ctx;
	int ret = 1;

	if (!s->buf_fresh)
		ret = mica_blob_read(s->blob, 1, &s->buf, &s->buf_len, &s->read_err);
	if (ret < 0) {
		archive_set_error(archive, s->read_err.sys, "%s", s->read_err.msg);
		return ARCHIVE_FATAL;
	}
	s->buf_fresh = false;
	*buf = s->buf;
	return ret ? (la_ssize_t)s->buf_len : 0;
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

/* Warnings say that a filter needs a program, which is no loss until it is met. */
static bool stream_support_filters(struct archive *archive, bool strict)
{
	if (!strict)
		return archive_read_support_filter_all(archive) >= ARCHIVE_WARN;
	return archive_read_support_filter_gzip(archive) >= ARCHIVE_WARN &&
	       archive_read_support_filter_zstd(archive) >= ARCHIVE_WARN;
}

/* Filters alone: format "raw" hands out what comes out of them. */
static int stream_open_filters(struct mica_tar_stream *s, bool strict, struct mica_err *err)
{
	struct archive_entry *entry;
	int ret;

	s->archive = archive_read_new();
	if (!s->archive)
		return mica_err_nomem(err);
	if (!stream_support_filters(s->archive, strict) ||
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

/* What is not compressed is proved by its digest, when that is the same. */
static int stream_expect(struct mica_tar_stream *s, const struct mica_tar_stream_spec *spec,
			 struct mica_err *err)
{
	if (!spec->diff_id || (!s->archive && spec->blob.digest &&
			       mica_digest_equal(spec->blob.digest, spec->diff_id)))
		return 0;
	s->diff_id = *spec->diff_id;
	return mica_hasher_new(s->diff_id.alg, &s->hasher, err);
}

static int stream_start(struct mica_tar_stream *s, const struct mica_tar_stream_spec *spec,
			struct mica_err *err)
{
	int ret = mica_blob_new(&spec->blob, &s->blob, err);

	if (!ret)
		ret = mica_blob_read(s->blob, sizeof(struct mica_tar_header), &s->buf, &s->buf_len,
				     err);
	if (ret < 0)
		return ret;
	s->buf_fresh = ret > 0;
	ret = stream_is_plain(s) ? 0 : stream_open_filters(s, spec->strict, err);
	if (ret)
		mica_tar_stream_blame(s, err);
	return ret ? ret : stream_expect(s, spec, err);
}

int mica_tar_stream_new(const struct mica_tar_stream_spec *spec, struct mica_tar_stream **out,
			struct mica_err *err)
{
	struct mica_tar_stream *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mica_err_nomem(err);
	ret = stream_start(s, spec, err);
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
	mica_hasher_free(s->hasher);
	mica_blob_free(s->blob);
	free(s);
}

/* All came: whether it is what was expected. */
static int stream_end(struct mica_tar_stream *s, struct mica_err *err)
{
	const unsigned char *p;
	struct mica_digest got;
	size_t len;
	int ret;

	s->ended = true;
	/* a filter may leave what is behind its own end */
	do
		ret = mica_blob_read(s->blob, 1, &p, &len, err);
	while (ret > 0);
	if (ret || !s->hasher)
		return ret;
	ret = mica_hasher_end(s->hasher, &got, err);
	mica_hasher_free(s->hasher);
	s->hasher = NULL;
	if (ret || mica_digest_equal(&s->diff_id, &got))
		return ret;
	return mica_digest_mismatch(&s->diff_id, &got, "decompressed layer (diff_id)", err);
}

/* The next piece that comes out of the filters; len 0: the end. */
static int stream_next_filtered(struct mica_tar_stream *s, struct mica_err *err)
{
	const void *p;
	int64_t off;
	int ret;

	while (!s->len && !s->ended) {
		ret = archive_read_data_block(s->archive, &p, &s->len, &off);
		if (ret == ARCHIVE_EOF) {
			s->len = 0;
			break;
		}
		if (ret != ARCHIVE_OK) {
			s->len = 0;
			return stream_fail(s, err);
		}
		s->p = p;
	}
	return 0;
}

static int stream_next_block(struct mica_tar_stream *s, struct mica_err *err)
{
	int ret = 0;

	if (s->ended)
		return 0;
	if (s->archive) {
		ret = stream_next_filtered(s, err);
	} else {
		if (!s->buf_fresh)
			ret = mica_blob_read(s->blob, 1, &s->buf, &s->buf_len, err);
		s->p = s->buf;
		s->len = s->buf_fresh || ret > 0 ? s->buf_len : 0;
		s->buf_fresh = false;
	}
	if (ret < 0)
		return ret;
	if (!s->len)
		return stream_end(s, err);
	if (s->hasher)
		mica_hasher_add(s->hasher, s->p, s->len);
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

int mica_tar_stream_skip(struct mica_tar_stream *s, uint64_t len, uint64_t *got,
			 struct mica_err *err)
{
	const unsigned char *p;
	size_t n;

	for (*got = 0; *got < len; *got += n) {
		int ret = 0;

		if (!s->len && !s->again_left && !s->archive && !s->hasher && !s->buf_fresh) {
			uint64_t passed;

			mica_blob_skip(s->blob, len - *got, &passed);
			s->offset += passed;
			*got += passed;
			if (*got == len)
				break;
		}
		ret = mica_tar_stream_peek(s, &p, &n, err);
		if (ret <= 0)
			return ret;
		n = (size_t)mica_min(n, len - *got);
		mica_tar_stream_take(s, n);
	}
	return 0;
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

void mica_tar_stream_blame(struct mica_tar_stream *s, struct mica_err *err)
{
	if (s->blob)
		mica_blob_blame(s->blob, err);
}

void mica_tar_stream_progress(const struct mica_tar_stream *s, uint64_t *done, uint64_t *total)
{
	mica_blob_progress(s->blob, done, total);
}

const char *mica_tar_stream_filter(const struct mica_tar_stream *s)
{
	/* the last filter of the chain is the file itself */
	if (!s->archive || archive_filter_count(s->archive) < 2)
		return NULL;
	return archive_filter_name(s->archive, 0);
}
