/* SPDX-License-Identifier: MIT */
/* What a file holds, from a lower layer: by reflink, by the kernel, or through memory. */
#include "copyup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK (1 << 20)

static int write_all(int to, const char *buf, size_t len, off_t off)
{
	while (len) {
		ssize_t n = pwrite(to, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
		off += n;
	}
	return 0;
}

static int through_memory(const struct mica_place *from, int fd, int to, uint64_t off, uint64_t end)
{
	cleanup_free char *buf = malloc(CHUNK);

	if (!buf)
		return -ENOMEM;
	while (off < end) {
		long n = mica_place_read(from, fd, buf, (size_t)mica_min(CHUNK, end - off), off);
		int ret;

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		ret = write_all(to, buf, (size_t)n, (off_t)off);
		if (ret)
			return ret;
		off += (uint64_t)n;
	}
	return 0;
}

static int range(const struct mica_place *from, int fd, int to, uint64_t off, uint64_t end)
{
	while (fd >= 0 && off < end) {
		off_t in = (off_t)off, out = (off_t)off;
		ssize_t n = copy_file_range(fd, &in, to, &out, end - off, 0);

		if (n <= 0)
			break;
		off += (uint64_t)n;
	}
	return through_memory(from, fd, to, off, end);
}

/* Holes stay holes. */
static int ranges(const struct mica_place *from, int fd, int to, uint64_t size)
{
	uint64_t off = 0;

	while (off < size) {
		off_t data = mica_place_seek(from, fd, off, false), hole;
		int ret;

		if (data == -ENXIO || (data >= 0 && (uint64_t)data >= size))
			return 0;
		if (data < 0)
			data = (off_t)off;
		hole = mica_place_seek(from, fd, (uint64_t)data, true);
		if (hole < 0)
			hole = (off_t)size;
		off = mica_min((uint64_t)hole, size);
		ret = range(from, fd, to, (uint64_t)data, off);
		if (ret)
			return ret;
	}
	return 0;
}

int mica_copy_data(const struct mica_place *from, int to, uint64_t size)
{
	cleanup_fd int fd = -1;
	int ret = mica_place_open(from, &fd);

	if (ret)
		return ret;
	if (fd < 0 || ioctl(to, FICLONE, fd) < 0)
		ret = ranges(from, fd, to, size);
	if (!ret && ftruncate(to, (off_t)size) < 0)
		ret = -errno;
	return ret;
}
