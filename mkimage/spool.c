/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <string.h>

#include "../lib/util.h"
#include "outfile.h"
#include "tmpfile.h"

#define SPOOL_BUFFER (1u << 18)

struct mica_spool {
	char *path;
	struct mica_tmpfile tmp;
	pthread_mutex_t lock;
	unsigned char buf[SPOOL_BUFFER];
	uint64_t buf_pos; /* file offset of buf[0]; what is before is in the file */
	size_t buf_len;
};

int mica_spool_new(const char *path, struct mica_spool **out, struct mica_err *err)
{
	struct mica_spool *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return mica_err_nomem(err);
	s->tmp.fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	s->path = strdup(path);
	ret = s->path ? mica_tmpfile_open(path, false, &s->tmp, err) : mica_err_nomem(err);
	if (ret) {
		mica_spool_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

static int spool_write_locked(struct mica_spool *s, const unsigned char *p, size_t len,
			      struct mica_err *err)
{
	while (len) {
		size_t n = mica_min(len, SPOOL_BUFFER - s->buf_len);
		int ret;

		memcpy(s->buf + s->buf_len, p, n);
		s->buf_len += n;
		p += n;
		len -= n;
		if (s->buf_len < SPOOL_BUFFER)
			continue;
		ret = mica_tmpfile_write(&s->tmp, s->path, s->buf, s->buf_len, s->buf_pos, err);
		if (ret)
			return ret;
		s->buf_pos += s->buf_len;
		s->buf_len = 0;
	}
	return 0;
}

int mica_spool_writev(struct mica_spool *s, const struct mica_buf *bufs, size_t count,
		      uint64_t *off, struct mica_err *err)
{
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	*off = s->buf_pos + s->buf_len;
	for (size_t i = 0; !ret && i < count; i++)
		ret = spool_write_locked(s, bufs[i].buf, bufs[i].len, err);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

int mica_spool_write(struct mica_spool *s, const void *buf, size_t len, uint64_t *off,
		     struct mica_err *err)
{
	return mica_spool_writev(s, &(struct mica_buf){buf, len}, 1, off, err);
}

static int spool_read_file(struct mica_spool *s, unsigned char *p, size_t len, uint64_t off,
			   struct mica_err *err)
{
	while (len) {
		ssize_t n = pread(s->tmp.fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return mica_err_sys(err, n ? errno : EIO, "%s: read back from the spool",
					    s->path);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int mica_spool_read(struct mica_spool *s, void *buf, size_t len, uint64_t off, struct mica_err *err)
{
	unsigned char *p = buf;
	size_t in_file;
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	if (!mica_range_in(off, len, s->buf_pos + s->buf_len)) {
		pthread_mutex_unlock(&s->lock);
		return mica_err_sys(err, EIO, "%s: read %zu bytes at %llu of the spool", s->path,
				    len, (unsigned long long)off);
	}
	in_file = off >= s->buf_pos ? 0 : (size_t)mica_min(len, s->buf_pos - off);
	if (in_file)
		ret = spool_read_file(s, p, in_file, off, err);
	if (!ret && in_file < len)
		memcpy(p + in_file, s->buf + (off + in_file - s->buf_pos), len - in_file);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

void mica_spool_free(struct mica_spool *s)
{
	if (!s)
		return;
	mica_tmpfile_close(&s->tmp);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}
