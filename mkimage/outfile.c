/* SPDX-License-Identifier: MIT */
#define XXH_STATIC_LINKING_ONLY /* the state by value, for marks */
#include "outfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "../formats/seal.h"
#include "../lib/util.h"
#include "data.h"
#include "syncer.h"
#include "tmpfile.h"

#define OUT_BUFFER (1u << 18)
#define COPY_MAX   (1u << 30)
#define SYNC_STEP  (64u << 20) /* bytes written from sync to sync */

#define SYMLINKS_MAX 40 /* as in the kernel */

/* How another file's bytes come in, the best way first. */
enum {
	APPEND_SHARE,
	APPEND_KERNEL,
	APPEND_BUFFER,
};

struct mica_outfile {
	char *path;
	struct mica_tmpfile tmp;
	unsigned char *buf;
	uint64_t base;	  /* file offset of the image */
	uint64_t buf_pos; /* file offset of buf[0] */
	size_t buf_len;
	uint64_t mark_pos;	    /* file offset */
	struct mica_syncer *syncer; /* NULL: not yet, or no longer */
	uint64_t synced;	    /* file offset that the last sync was about */
	XXH3_state_t sum, mark_sum;
};

static int target_check(const char *path, struct mica_err *err)
{
	struct stat st;

	if (!*path)
		return mica_err_set(err, MICA_E_USAGE, "an image needs a name");
	if (!strcmp(path, "-"))
		return mica_err_set(
			err, MICA_E_USAGE,
			"an image cannot go to standard output; './-' is a file's name");
	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : mica_err_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return mica_err_set(
			err, MICA_E_USAGE,
			"%s: exists and is not a regular file; an image replaces only those", path);
	return 0;
}

/* Where a symlink leads, if there is nothing yet, too: what is renamed to path would replace it. */
static int target_resolve(const char *path, char **out, struct mica_err *err)
{
	cleanup_free char *at = strdup(path);

	for (int i = 0; at && i < SYMLINKS_MAX; i++) {
		char link[PATH_MAX];
		ssize_t len = readlink(at, link, sizeof(link) - 1);
		const char *slash = strrchr(at, '/');
		char *next;

		if (len < 0) {
			*out = mica_steal_pointer(&at);
			return 0;
		}
		link[len] = 0;
		if (asprintf(&next, "%.*s%s", *link == '/' || !slash ? 0 : (int)(slash - at + 1),
			     at, link) < 0)
			return mica_err_nomem(err);
		free(at);
		at = next;
	}
	return at ? mica_err_sys(err, ELOOP, "%s", path) : mica_err_nomem(err);
}

int mica_outfile_new(const char *path, struct mica_outfile **out, struct mica_err *err)
{
	struct mica_outfile *f;
	int ret = target_check(path, err);

	if (ret)
		return ret;
	f = aligned_alloc(_Alignof(struct mica_outfile), sizeof(*f));
	if (!f)
		return mica_err_nomem(err);
	memset(f, 0, sizeof(*f));
	XXH3_128bits_reset(&f->sum);
	mica_outfile_mark(f);
	f->tmp.fd = -1;
	f->buf = malloc(OUT_BUFFER);
	ret = f->buf ? target_resolve(path, &f->path, err) : mica_err_nomem(err);
	if (!ret)
		ret = mica_tmpfile_open(f->path, true, &f->tmp, err);
	if (ret) {
		mica_outfile_free(f);
		return ret;
	}
	*out = f;
	return 0;
}

const char *mica_outfile_path(const struct mica_outfile *f)
{
	return f->path;
}

int mica_outfile_stat(const struct mica_outfile *f, struct stat *st, struct mica_err *err)
{
	return fstat(f->tmp.fd, st) < 0 ? mica_err_sys(err, errno, "%s: stat", f->path) : 0;
}

/* Small images are not worth a thread. */
static void outfile_sync_ahead(struct mica_outfile *f)
{
	if (f->buf_pos < f->synced + SYNC_STEP)
		return;
	f->synced = f->buf_pos;
	if (!f->syncer)
		f->syncer = mica_syncer_new(f->tmp.fd);
	if (f->syncer)
		mica_syncer_tell(f->syncer);
}

/* What was synced ahead is: an error is told once only. */
static int outfile_sync_end(struct mica_outfile *f, struct mica_err *err)
{
	int error = mica_syncer_end(f->syncer);

	f->syncer = NULL;
	return error ? mica_err_sys(err, error, "%s: sync", f->path) : 0;
}

static int outfile_flush(struct mica_outfile *f, struct mica_err *err)
{
	int ret = mica_tmpfile_write(&f->tmp, f->path, f->buf, f->buf_len, f->buf_pos, err);

	if (ret)
		return ret;
	/*
	 * The disk starts now, so that the sync at the end finds little left. A
	 * hint only, but an early word from a disk that fails or is full.
	 */
	if (f->buf_len &&
	    sync_file_range(f->tmp.fd, (off_t)f->buf_pos, (off_t)f->buf_len,
			    SYNC_FILE_RANGE_WRITE) < 0 &&
	    (errno == EIO || errno == ENOSPC || errno == EDQUOT))
		return mica_err_sys(err, errno, "%s: write back %zu bytes at %llu", f->path,
				    f->buf_len, (unsigned long long)f->buf_pos);
	f->buf_pos += f->buf_len;
	f->buf_len = 0;
	outfile_sync_ahead(f);
	return 0;
}

/* The first block is patched at the end and is hashed apart. */
static void outfile_sum_add(struct mica_outfile *f, const unsigned char *p, size_t len)
{
	uint64_t pos = mica_outfile_pos(f);
	size_t skip = pos < MICA_SEAL_HEAD ? mica_min(len, MICA_SEAL_HEAD - pos) : 0;

	if (len > skip)
		XXH3_128bits_update(&f->sum, p + skip, len - skip);
}

int mica_outfile_write(struct mica_outfile *f, const void *buf, size_t len, struct mica_err *err)
{
	const unsigned char *p = buf;

	outfile_sum_add(f, p, len);
	while (len) {
		size_t n = mica_min(len, OUT_BUFFER - f->buf_len);
		int ret;

		memcpy(f->buf + f->buf_len, p, n);
		f->buf_len += n;
		p += n;
		len -= n;
		ret = f->buf_len == OUT_BUFFER ? outfile_flush(f, err) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

static int outlet_write(void *ctx, const void *buf, size_t len, struct mica_err *err)
{
	return mica_outfile_write(ctx, buf, len, err);
}

struct mica_outlet mica_outfile_outlet(struct mica_outfile *f)
{
	return (struct mica_outlet){outlet_write, f};
}

int mica_outfile_zeros(struct mica_outfile *f, uint64_t len, struct mica_err *err)
{
	static const unsigned char zeros[4096];

	while (len) {
		size_t n = mica_min(len, sizeof(zeros));
		int ret = mica_outfile_write(f, zeros, n, err);

		if (ret)
			return ret;
		len -= n;
	}
	return 0;
}

uint64_t mica_outfile_pos(const struct mica_outfile *f)
{
	return f->buf_pos + f->buf_len - f->base;
}

void mica_outfile_start(struct mica_outfile *f)
{
	f->base = f->buf_pos + f->buf_len;
	XXH3_128bits_reset(&f->sum);
	mica_outfile_mark(f);
}

uint64_t mica_outfile_started(const struct mica_outfile *f)
{
	return f->base;
}

void mica_outfile_mark(struct mica_outfile *f)
{
	f->mark_pos = f->buf_pos + f->buf_len;
	XXH3_copyState(&f->mark_sum, &f->sum);
}

void mica_outfile_rewind(struct mica_outfile *f)
{
	XXH3_copyState(&f->sum, &f->mark_sum);
	if (f->mark_pos >= f->buf_pos) {
		f->buf_len = f->mark_pos - f->buf_pos;
		return;
	}
	f->buf_pos = f->mark_pos;
	f->buf_len = 0;
}

void mica_outfile_sum(const struct mica_outfile *f, uint8_t sum[16])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, XXH3_128bits_digest(&f->sum));
	memcpy(sum, c.digest, sizeof(c.digest));
}

int mica_outfile_patch(struct mica_outfile *f, const void *buf, size_t len, uint64_t off,
		       struct mica_err *err)
{
	int ret = outfile_flush(f, err);

	return ret ? ret : mica_tmpfile_write(&f->tmp, f->path, buf, len, f->base + off, err);
}

/* One piece, with the best means that *how still allows. */
static ssize_t append_piece(struct mica_outfile *f, int fd, uint64_t len, uint64_t done, int *how)
{
	loff_t from = (loff_t)done, to = (loff_t)(f->buf_pos + done);
	ssize_t n;

	if (*how == APPEND_SHARE) {
		struct file_clone_range range = {
			.src_fd = fd, .src_length = len, .dest_offset = (uint64_t)to};

		if (!ioctl(f->tmp.fd, FICLONERANGE, &range))
			return (ssize_t)len;
		*how = APPEND_KERNEL;
	}
	if (*how == APPEND_KERNEL) {
		n = copy_file_range(fd, &from, f->tmp.fd, &to, mica_min(len - done, COPY_MAX), 0);
		if (n >= 0 || errno == EINTR || errno == ENOSPC || errno == EDQUOT || errno == EIO)
			return n;
		*how = APPEND_BUFFER;
	}
	n = pread(fd, f->buf, mica_min(len - done, OUT_BUFFER), from);
	return n <= 0 ? n : pwrite(f->tmp.fd, f->buf, (size_t)n, to);
}

int mica_outfile_append_file(struct mica_outfile *f, int fd, uint64_t len, const char *name,
			     struct mica_err *err)
{
	int ret = outfile_flush(f, err), how = APPEND_SHARE;

	for (uint64_t done = 0; !ret && done < len;) {
		ssize_t n = append_piece(f, fd, len, done, &how);

		if (n < 0 && errno != EINTR)
			ret = mica_err_sys(err, errno, "%s: copy %s", f->path, name);
		else if (!n)
			ret = mica_err_set(err, MICA_E_INPUT,
					   "%s: ends at %" PRIu64 ", was %" PRIu64 " bytes long",
					   name, done, len);
		done += n > 0 ? (uint64_t)n : 0;
	}
	/* what is missing of the last block is a hole until the size is set */
	f->buf_pos += mica_round_up(len, MICA_BLOCK);
	return ret;
}

/* What was rewound may still lie behind the end. */
static int outfile_cut(struct mica_outfile *f, struct mica_err *err)
{
	int ret = outfile_flush(f, err);

	if (!ret)
		ret = outfile_sync_end(f, err);
	if (!ret && ftruncate(f->tmp.fd, (off_t)f->buf_pos) < 0)
		ret = mica_err_sys(err, errno, "%s: set size to %llu", f->path,
				   (unsigned long long)f->buf_pos);
	return ret;
}

int mica_outfile_sync(struct mica_outfile *f, struct mica_err *err)
{
	int ret = outfile_cut(f, err);

	if (ret)
		return ret;
	if (fsync(f->tmp.fd) < 0)
		return mica_err_sys(err, errno, "%s: sync", f->path);
	posix_fadvise(f->tmp.fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int outfile_open_io(const struct mica_outfile *f, uint64_t offset, struct mica_io **out,
			   struct mica_err *err)
{
	cleanup_fd int fd = fcntl(f->tmp.fd, F_DUPFD_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return mica_err_sys(err, errno, "%s: open again", f->path);
	ret = mica_io_open_fd(fd, f->path, offset, out, err);
	if (!ret)
		fd = -1;
	return ret;
}

int mica_outfile_io(const struct mica_outfile *f, struct mica_io **out, struct mica_err *err)
{
	return outfile_open_io(f, f->base, out, err);
}

int mica_outfile_whole_io(const struct mica_outfile *f, struct mica_io **out, struct mica_err *err)
{
	return outfile_open_io(f, 0, out, err);
}

int mica_outfile_rest(struct mica_outfile *f, struct mica_err *err)
{
	int ret = outfile_cut(f, err);

	if (!ret && fsync(f->tmp.fd) < 0)
		ret = mica_err_sys(err, errno, "%s: sync", f->path);
	free(f->buf);
	f->buf = NULL;
	return ret;
}

int mica_outfile_publish(struct mica_outfile *f, struct mica_err *err)
{
	int ret = outfile_cut(f, err);

	return ret ? ret : mica_tmpfile_publish(&f->tmp, f->path, err);
}

bool mica_outfile_is_placed(const struct mica_outfile *f)
{
	return f->tmp.placed;
}

void mica_outfile_abandon(struct mica_outfile *f)
{
	mica_tmpfile_unname(&f->tmp);
}

void mica_outfile_free(struct mica_outfile *f)
{
	if (!f)
		return;
	mica_outfile_abandon(f);
	mica_syncer_end(f->syncer);
	mica_tmpfile_close(&f->tmp);
	free(f->buf);
	free(f->path);
	free(f);
}
