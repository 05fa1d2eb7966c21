/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "../lib/util.h"
#include "emit.h"

#define WINDOW (1u << 20) /* wider than the layout's gap window */
#define STEP   (WINDOW / 2)

void mica_window_start(struct mica_window *w, struct mica_outlet to, uint64_t base)
{
	w->to = to;
	w->base = base;
}

/* Write out the first n bytes and move on. */
static int window_advance(struct mica_window *w, size_t n, struct mica_err *err)
{
	int ret = w->to.write(w->to.ctx, w->buf, n, err);

	memmove(w->buf, w->buf + n, WINDOW - n);
	memset(w->buf + WINDOW - n, 0, n);
	w->base += n;
	return ret;
}

int mica_window_write(struct mica_window *w, const void *buf, size_t len, uint64_t off,
		      struct mica_err *err)
{
	const unsigned char *p = buf;

	if (!w->buf) {
		w->buf = calloc(1, WINDOW);
		if (!w->buf)
			return mica_err_nomem(err);
	}
	while (len) {
		size_t n;

		while (off - w->base >= WINDOW) {
			int ret = window_advance(w, STEP, err);

			if (ret)
				return ret;
		}
		n = mica_min(len, WINDOW - (off - w->base));
		memcpy(w->buf + (off - w->base), p, n);
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

int mica_window_flush(struct mica_window *w, uint64_t end, struct mica_err *err)
{
	while (w->buf && w->base < end) {
		int ret = window_advance(w, mica_min(STEP, end - w->base), err);

		if (ret)
			return ret;
	}
	return 0;
}
