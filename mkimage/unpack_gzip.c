/* SPDX-License-Identifier: MIT */
/* gzip: members, one behind the other. Their checksums and lengths are checked. */
#include <stdlib.h>
#include <zlib.h>

#include "../lib/util.h"
#include "unpack_impl.h"

#define GZIP_WINDOW (15 + 16) /* the largest window, with gzip's header */

struct unpack_gzip {
	struct mica_unpack base;
	z_stream z;
	bool between, any;
};

static int gzip_fail(const struct unpack_gzip *g, int code, struct mica_err *err)
{
	if (code == Z_MEM_ERROR)
		return mica_err_nomem(err);
	if (code == Z_BUF_ERROR)
		return mica_err_set(err, MICA_E_INPUT, "gzip: truncated");
	return mica_err_set(err, MICA_E_INPUT, "gzip: %s", g->z.msg ? g->z.msg : zError(code));
}

static int gzip_read(struct mica_unpack *u, unsigned char *buf, size_t len, size_t *got,
		     struct mica_err *err)
{
	struct unpack_gzip *g = (struct unpack_gzip *)u;

	g->z.next_out = buf;
	g->z.avail_out = (uInt)len;
	while (g->z.avail_out == len) {
		int ret;

		if (g->between) {
			ret = mica_unpack_between(u, !g->any, err);
			if (ret <= 0)
				return ret;
			inflateReset(&g->z);
			g->between = false;
			g->any = true;
		}
		ret = mica_unpack_fill(u, 1, err);
		if (ret)
			return ret;
		g->z.next_in = u->in + u->in_at;
		g->z.avail_in = (uInt)(u->in_len - u->in_at);
		ret = inflate(&g->z, Z_NO_FLUSH);
		u->in_at = u->in_len - g->z.avail_in;
		if (ret == Z_STREAM_END)
			g->between = true;
		else if (ret != Z_OK)
			return gzip_fail(g, ret, err);
	}
	*got = len - g->z.avail_out;
	return 0;
}

static void gzip_free(struct mica_unpack *u)
{
	inflateEnd(&((struct unpack_gzip *)u)->z);
}

static const struct mica_unpack_ops gzip_ops = {
	.read = gzip_read,
	.free = gzip_free,
	.name = "gzip",
};

int mica_unpack_gzip_new(struct mica_unpack **out, struct mica_err *err)
{
	struct unpack_gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return mica_err_nomem(err);
	g->base.ops = &gzip_ops;
	g->between = true;
	if (inflateInit2(&g->z, GZIP_WINDOW) != Z_OK) {
		free(g);
		return mica_err_nomem(err);
	}
	*out = &g->base;
	return 0;
}
