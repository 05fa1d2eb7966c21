/* SPDX-License-Identifier: MIT */
#include "tar_stream.h"

#include <string.h>

#include "../formats/tar.h"
#include "../lib/util.h"

#define STREAM_BUF ((size_t)1 << 17)

struct mica_tar_stream {
	struct mica_blob *blob;	    /* owned, until ahead does */
	struct mica_unpack *unpack; /* the same */
	enum mica_unpack_kind kind;
	const struct mica_blob *source;	  /* the blob, whoever owns it */
	const struct mica_unpack *filter; /* the decompressor, likewise */
	bool easy;			  /* plain bytes of a file, read when they are needed */
	unsigned char *buf;		  /* for those; owned */
	bool ended;			  /* there is no more */
	struct mica_ahead_pool *pool, *own_pool;
	struct mica_ahead *ahead; /* NULL: easy, or not started */
	bool has_diff_id;	  /* to be proved of the decompressed bytes */
	struct mica_digest diff_id;
	const unsigned char *p;
	size_t len;
	unsigned char again[MICA_TAR_BLOCK]; /* its last again_left bytes come before p */
	size_t again_left;
	uint64_t offset;
};

/* A tar header says so itself; only what is none can be compressed. */
static enum mica_unpack_kind stream_kind(const unsigned char *head, size_t len, bool strict)
{
	enum mica_unpack_kind kind;
	struct mica_tar_header h;

	if (!len)
		return MICA_UNPACK_NONE;
	if (len >= sizeof(h)) {
		memcpy(&h, head, sizeof(h));
		if (mica_tar_is_zero(&h) || mica_tar_checksum_ok(&h))
			return MICA_UNPACK_NONE;
	}
	kind = mica_unpack_detect(head, len);
	return strict && kind == MICA_UNPACK_OTHER ? MICA_UNPACK_NONE : kind;
}

static int stream_open(struct mica_tar_stream *s, const struct mica_tar_stream_spec *spec,
		       struct mica_err *err)
{
	const struct mica_digest *digest = spec->blob.digest, *diff_id = spec->diff_id;
	const unsigned char *head;
	size_t len;
	int ret = mica_blob_new(&spec->blob, &s->blob, err);

	if (!ret)
		ret = mica_blob_head(s->blob, &head, &len, err);
	if (ret)
		return ret;
	s->source = s->blob;
	s->kind = stream_kind(head, len, spec->strict);
	/* what is not compressed is proved by its digest, when that is the same */
	s->has_diff_id = diff_id && !(s->kind == MICA_UNPACK_NONE && digest &&
				      mica_digest_equal(digest, diff_id));
	if (s->has_diff_id)
		s->diff_id = *diff_id;
	s->easy = s->kind == MICA_UNPACK_NONE && mica_blob_is_easy(s->blob) && !s->has_diff_id;
	if (s->easy) {
		s->buf = malloc(STREAM_BUF);
		return s->buf ? 0 : mica_err_nomem(err);
	}
	ret = mica_unpack_new(s->blob, s->kind, &s->unpack, err);
	s->filter = s->unpack;
	if (!ret)
		return 0;
	mica_blob_blame(s->blob, err);
	return err->code;
}

int mica_tar_stream_new(const struct mica_tar_stream_spec *spec, struct mica_tar_stream **out,
			struct mica_err *err)
{
	struct mica_tar_stream *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mica_err_nomem(err);
	ret = stream_open(s, spec, err);
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
	mica_ahead_free(s->ahead);
	mica_ahead_pool_free(s->own_pool);
	mica_unpack_free(s->unpack);
	mica_blob_free(s->blob);
	free(s->buf);
	free(s);
}

static int stream_run(struct mica_tar_stream *s, struct mica_err *err)
{
	int ret = 0;

	if (!s->pool) {
		ret = mica_ahead_pool_new(0, 1, &s->own_pool, err);
		s->pool = s->own_pool;
	}
	if (!ret)
		ret = mica_ahead_new(s->pool, s->blob, s->unpack,
				     s->has_diff_id ? &s->diff_id : NULL, &s->ahead, err);
	if (ret)
		return ret;
	s->blob = NULL;
	s->unpack = NULL;
	return 0;
}

int mica_tar_stream_start(struct mica_tar_stream *s, struct mica_ahead_pool *pool,
			  struct mica_err *err)
{
	if (s->easy || s->ahead)
		return 0;
	s->pool = pool;
	/* the memory that libarchive takes is not known, so only one at a time may */
	return s->kind == MICA_UNPACK_OTHER ? 0 : stream_run(s, err);
}

static int stream_next_block(struct mica_tar_stream *s, struct mica_err *err)
{
	int ret = 0;

	if (s->ended)
		return 0;
	if (s->easy) {
		ret = mica_blob_read(s->blob, s->buf, STREAM_BUF, &s->len, err);
		s->p = s->buf;
		s->ended = !ret && !s->len;
		return ret;
	}
	if (!s->ahead)
		ret = stream_run(s, err);
	if (!ret)
		ret = mica_ahead_next(s->ahead, &s->p, &s->len, err);
	s->ended = !ret;
	return ret < 0 ? ret : 0;
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
		uint64_t passed = 0;
		int ret;

		if (s->easy && !s->len && !s->again_left)
			mica_blob_skip(s->blob, len - *got, &passed);
		s->offset += passed;
		*got += passed;
		if (*got == len)
			break;
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
	if (s->ahead)
		mica_ahead_blame(s->ahead, err);
	else
		mica_blob_blame(s->blob, err);
}

void mica_tar_stream_progress(const struct mica_tar_stream *s, uint64_t *done, uint64_t *total)
{
	mica_blob_progress(s->source, done, total);
}

const char *mica_tar_stream_filter(const struct mica_tar_stream *s)
{
	return s->filter ? mica_unpack_name(s->filter) : NULL;
}

bool mica_tar_stream_is_easy(const struct mica_tar_stream *s)
{
	return s->easy;
}
