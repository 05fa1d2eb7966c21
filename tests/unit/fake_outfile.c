/* SPDX-License-Identifier: MIT */
#include "fake_outfile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *room(struct mica_outfile *f, size_t len)
{
	if (f->len + len > f->cap) {
		f->cap = 2 * (f->len + len);
		f->buf = realloc(f->buf, f->cap);
		assert(f->buf);
	}
	f->len += len;
	return f->buf + f->len - len;
}

int mica_outfile_write(struct mica_outfile *f, const void *buf, size_t len, struct mica_err *err)
{
	if (f->fail_at && mica_outfile_pos(f) + len > f->fail_at)
		return mica_err_sys(err, ENOSPC, "fake");
	if (len)
		memcpy(room(f, len), buf, len);
	return 0;
}

int mica_outfile_zeros(struct mica_outfile *f, uint64_t len, struct mica_err *err)
{
	if (f->fail_at && mica_outfile_pos(f) + len > f->fail_at)
		return mica_err_sys(err, ENOSPC, "fake");
	if (len)
		memset(room(f, len), 0, len);
	return 0;
}

const char *mica_outfile_path(const struct mica_outfile *f)
{
	(void)f;
	return "/tmp/fake";
}

uint64_t mica_outfile_pos(const struct mica_outfile *f)
{
	return f->base + f->len;
}

void mica_outfile_mark(struct mica_outfile *f)
{
	f->mark = f->len;
}

void mica_outfile_rewind(struct mica_outfile *f)
{
	assert(f->mark <= f->len);
	f->len = f->mark;
}

int mica_outfile_patch(struct mica_outfile *f, const void *buf, size_t len, uint64_t off,
		       struct mica_err *err)
{
	(void)err;
	assert(off >= f->base && off + len <= mica_outfile_pos(f));
	memcpy(f->buf + (off - f->base), buf, len);
	return 0;
}

const unsigned char *fake_outfile_at(const struct mica_outfile *f, uint64_t off, uint64_t len)
{
	if (off < f->base || off + len > mica_outfile_pos(f))
		return NULL;
	return f->buf + (off - f->base);
}
