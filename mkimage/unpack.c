/* SPDX-License-Identifier: MIT */
#include "unpack.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "unpack_impl.h"

enum mica_unpack_kind mica_unpack_detect(const unsigned char *head, size_t len)
{
	if (len >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8)
		return MICA_UNPACK_GZIP;
	if (len >= 4 && !memcmp(head, "\x28\xb5\x2f\xfd", 4))
		return MICA_UNPACK_ZSTD;
	/* a frame to be skipped, as pzstd puts it first; lz4 has the same, but nobody writes it */
	if (len >= 4 && (head[0] & 0xf0) == 0x50 && !memcmp(head + 1, "\x2a\x4d\x18", 3))
		return MICA_UNPACK_ZSTD;
	return MICA_UNPACK_OTHER;
}

int mica_unpack_fill(struct mica_unpack *u, size_t least, struct mica_err *err)
{
	size_t have = u->in_len - u->in_at, got;
	int ret;

	if (have >= least || u->in_end)
		return 0;
	memmove(u->in, u->in + u->in_at, have);
	u->in_at = 0;
	u->in_len = have;
	ret = mica_blob_read(u->blob, u->in + have, MICA_UNPACK_INPUT - have, &got, err);
	if (ret)
		return ret;
	u->in_end = got < MICA_UNPACK_INPUT - have;
	u->in_len += got;
	return 0;
}

int mica_unpack_between(struct mica_unpack *u, bool first, struct mica_err *err)
{
	int ret = mica_unpack_fill(u, 1, err);

	if (ret)
		return ret;
	if (first || (u->in_at < u->in_len && u->in[u->in_at]))
		return 1;
	while (u->in_at < u->in_len) {
		if (u->in[u->in_at++])
			return mica_err_set(err, MICA_E_INPUT, "%s: data follows the end",
					    u->ops->name);
		if (u->in_at < u->in_len)
			continue;
		ret = mica_unpack_fill(u, 1, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int none_read(struct mica_unpack *u, unsigned char *buf, size_t len, size_t *got,
		     struct mica_err *err)
{
	return mica_blob_read(u->blob, buf, len, got, err);
}

static const struct mica_unpack_ops none_ops = {
	.read = none_read,
};

static int none_new(struct mica_unpack **out, struct mica_err *err)
{
	struct mica_unpack *u = calloc(1, sizeof(*u));

	if (!u)
		return mica_err_nomem(err);
	u->ops = &none_ops;
	*out = u;
	return 0;
}

int mica_unpack_new(struct mica_blob *blob, enum mica_unpack_kind kind, struct mica_unpack **out,
		    struct mica_err *err)
{
	struct mica_unpack *u = NULL;
	bool buffered = kind == MICA_UNPACK_GZIP || kind == MICA_UNPACK_ZSTD;
	int ret;

	switch (kind) {
	case MICA_UNPACK_GZIP:
		ret = mica_unpack_gzip_new(&u, err);
		break;
	case MICA_UNPACK_ZSTD:
		ret = mica_unpack_zstd_new(&u, err);
		break;
	case MICA_UNPACK_OTHER:
		ret = mica_unpack_other_new(blob, &u, err);
		break;
	default:
		ret = none_new(&u, err);
	}
	if (ret)
		return ret;
	u->blob = blob;
	if (buffered && !(u->in = malloc(MICA_UNPACK_INPUT))) {
		mica_unpack_free(u);
		return mica_err_nomem(err);
	}
	*out = u;
	return 0;
}

void mica_unpack_free(struct mica_unpack *u)
{
	if (!u)
		return;
	if (u->ops->free)
		u->ops->free(u);
	free(u->in);
	free(u);
}

void mica_unpack_limit(struct mica_unpack *u, const struct mica_unpack_budget *budget)
{
	u->budget = *budget;
}

int mica_unpack_read(struct mica_unpack *u, void *buf, size_t len, size_t *got,
		     struct mica_err *err)
{
	*got = 0;
	while (*got < len && !u->ended) {
		size_t n = 0;
		int ret = u->ops->read(u, (unsigned char *)buf + *got, len - *got, &n, err);

		if (ret)
			return ret;
		*got += n;
		u->ended = !n;
	}
	return 0;
}
