/* SPDX-License-Identifier: MIT */
#include "io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/fs.h>

#include "util.h"

struct io_file {
	struct mica_io io;
	int fd;
	uint64_t offset;
	void *mapped; /* all of the file, from the first map on; NULL: not yet */
};

struct io_window {
	struct mica_io io;
	struct mica_io *base;
	bool owned;
	uint64_t offset;
};

struct io_mem {
	struct mica_io io;
	const unsigned char *data;
};

static int io_file_read_at(struct mica_io *io, void *buf, size_t len, uint64_t off,
			   struct mica_err *err)
{
	struct io_file *f = (struct io_file *)io;
	unsigned char *p = buf;

	off += f->offset;
	while (len) {
		ssize_t n = pread(f->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "%s: read %zu bytes at %" PRIu64, io->name,
					    len, off);
		if (n == 0)
			return mica_err_set(err, MICA_E_CORRUPT,
					    "%s: truncated: file ends at %" PRIu64
					    " while it was being read",
					    io->name, off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static void io_file_ahead(struct mica_io *io, uint64_t off, uint64_t len)
{
	struct io_file *f = (struct io_file *)io;

	posix_fadvise(f->fd, (off_t)(f->offset + off), (off_t)len, POSIX_FADV_WILLNEED);
}

/* Whoever is first maps the whole file, for all who come later. */
static const void *io_file_map(struct mica_io *io, uint64_t off, uint64_t len)
{
	struct io_file *f = (struct io_file *)io;
	void *mapped = __atomic_load_n(&f->mapped, __ATOMIC_ACQUIRE), *none = NULL;
	uint64_t size = f->offset + io->size;

	(void)len;
	if (!mapped) {
		if (size > SIZE_MAX)
			return NULL;
		mapped = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, f->fd, 0);
		if (mapped == MAP_FAILED)
			return NULL;
		if (!__atomic_compare_exchange_n(&f->mapped, &none, mapped, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
			munmap(mapped, (size_t)size);
			mapped = none;
		}
	}
	return (const uint8_t *)mapped + f->offset + off;
}

static void io_file_free(struct mica_io *io)
{
	struct io_file *f = (struct io_file *)io;

	if (f->mapped)
		munmap(f->mapped, (size_t)(f->offset + io->size));
	close(f->fd);
}

static const struct mica_io_ops io_file_ops = {
	.read_at = io_file_read_at,
	.ahead = io_file_ahead,
	.map = io_file_map,
	.free = io_file_free,
};

static int io_file_size(int fd, const char *path, uint64_t *size, struct mica_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return mica_err_sys(err, errno, "%s: stat", path);
	if (S_ISREG(st.st_mode)) {
		*size = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, size) < 0)
			return mica_err_sys(err, errno, "%s: size of block device", path);
		return 0;
	}
	return mica_err_set(err, MICA_E_USAGE, "%s: neither a regular file nor a block device",
			    path);
}

int mica_io_open_fd(int fd, const char *name, uint64_t offset, struct mica_io **out,
		    struct mica_err *err)
{
	struct io_file *f;
	uint64_t size;
	int ret = io_file_size(fd, name, &size, err);

	if (ret)
		return ret;
	if (offset > size)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s: offset %" PRIu64 " is behind the end at %" PRIu64, name,
				    offset, size);
	f = calloc(1, sizeof(*f));
	if (!f)
		return mica_err_nomem(err);
	f->io.ops = &io_file_ops;
	f->io.size = size - offset;
	f->io.name = strdup(name);
	if (!f->io.name) {
		free(f);
		return mica_err_nomem(err);
	}
	f->fd = fd;
	f->offset = offset;
	*out = &f->io;
	return 0;
}

int mica_io_open_file(const char *path, uint64_t offset, struct mica_io **out, struct mica_err *err)
{
	/* O_NONBLOCK: opening a FIFO must not hang before its type is known */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return mica_err_sys(err, errno, "%s: open", path);
	ret = mica_io_open_fd(fd, path, offset, out, err);
	if (!ret)
		fd = -1;
	return ret;
}

int mica_io_open_files(const char *const *paths, unsigned int count, struct mica_io **ios,
		       struct mica_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; i < count; i++) {
		ret = mica_io_open_file(paths[i], 0, &ios[i], err);
		if (!ret)
			continue;
		while (i)
			mica_io_free(ios[--i]);
		break;
	}
	return ret;
}

static int io_mem_read_at(struct mica_io *io, void *buf, size_t len, uint64_t off,
			  struct mica_err *err)
{
	(void)err;
	memcpy(buf, ((struct io_mem *)io)->data + off, len);
	return 0;
}

static const void *io_mem_map(struct mica_io *io, uint64_t off, uint64_t len)
{
	(void)len;
	return ((struct io_mem *)io)->data + off;
}

static const struct mica_io_ops io_mem_ops = {
	.read_at = io_mem_read_at,
	.map = io_mem_map,
};

int mica_io_open_mem(const char *name, const void *data, size_t len, struct mica_io **out,
		     struct mica_err *err)
{
	struct io_mem *m = calloc(1, sizeof(*m));

	if (!m)
		return mica_err_nomem(err);
	m->io.ops = &io_mem_ops;
	m->io.size = len;
	m->io.name = strdup(name);
	m->data = data;
	if (!m->io.name) {
		free(m);
		return mica_err_nomem(err);
	}
	*out = &m->io;
	return 0;
}

static int io_window_read_at(struct mica_io *io, void *buf, size_t len, uint64_t off,
			     struct mica_err *err)
{
	struct io_window *w = (struct io_window *)io;

	return w->base->ops->read_at(w->base, buf, len, w->offset + off, err);
}

static void io_window_ahead(struct mica_io *io, uint64_t off, uint64_t len)
{
	struct io_window *w = (struct io_window *)io;

	mica_io_ahead(w->base, w->offset + off, len);
}

static const void *io_window_map(struct mica_io *io, uint64_t off, uint64_t len)
{
	struct io_window *w = (struct io_window *)io;

	return mica_io_map(w->base, w->offset + off, len);
}

static void io_window_free(struct mica_io *io)
{
	struct io_window *w = (struct io_window *)io;

	if (w->owned)
		mica_io_free(w->base);
}

static const struct mica_io_ops io_window_ops = {
	.read_at = io_window_read_at,
	.ahead = io_window_ahead,
	.map = io_window_map,
	.free = io_window_free,
};

int mica_io_open_window(struct mica_io *base, bool owned, uint64_t offset, struct mica_io **out,
			struct mica_err *err)
{
	struct io_window *w;

	if (offset > base->size)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s: offset %" PRIu64 " is behind the end at %" PRIu64,
				    base->name, offset, base->size);
	w = calloc(1, sizeof(*w));
	if (!w)
		return mica_err_nomem(err);
	w->io.ops = &io_window_ops;
	w->io.size = base->size - offset;
	w->io.name = strdup(base->name);
	w->base = base;
	w->owned = owned;
	w->offset = offset;
	if (!w->io.name) {
		free(w);
		return mica_err_nomem(err);
	}
	*out = &w->io;
	return 0;
}

int mica_io_read(struct mica_io *io, void *buf, size_t len, uint64_t off, struct mica_err *err)
{
	if (!mica_range_in(off, len, io->size))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "%s: truncated: %zu bytes at %" PRIu64
				    " reach over the end at %" PRIu64,
				    io->name, len, off, io->size);
	return io->ops->read_at(io, buf, len, off, err);
}

void mica_io_ahead(struct mica_io *io, uint64_t off, uint64_t len)
{
	if (io->ops->ahead && off < io->size)
		io->ops->ahead(io, off, mica_min(len, io->size - off));
}

const void *mica_io_map(struct mica_io *io, uint64_t off, uint64_t len)
{
	return io->ops->map && mica_range_in(off, len, io->size) ? io->ops->map(io, off, len)
								 : NULL;
}

void mica_io_free(struct mica_io *io)
{
	if (!io)
		return;
	if (io->ops->free)
		io->ops->free(io);
	free(io->name);
	free(io);
}
