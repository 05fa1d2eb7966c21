/* SPDX-License-Identifier: MIT */
/*
 * image_compare [-t] [-T THREADS] IMAGE DIR: does the reader see in IMAGE what
 * is in DIR? Names, types, modes, owners, sizes, link counts, devices, times
 * (not with -t), xattrs, contents by every way to read them. Prints each
 * difference; exit status 1 when there are any.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../lib/image.h"
#include "../../lib/util.h"

#define PIECE 131072u

static struct mica_image *image;
static bool skip_times;
static unsigned int differences;
static uint64_t entries;

static void differ(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void differ(const char *path, const char *fmt, ...)
{
	va_list ap;

	__atomic_add_fetch(&differences, 1, __ATOMIC_RELAXED);
	flockfile(stdout);
	printf("%s: ", *path ? path : "/");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	funlockfile(stdout);
}

static void compare_inode(const char *path, const struct stat *st, const struct mica_inode *inode)
{
	if (st->st_mode != inode->mode)
		differ(path, "mode 0%o, not 0%o", inode->mode, st->st_mode);
	if (st->st_uid != inode->uid || st->st_gid != inode->gid)
		differ(path, "owner %u:%u, not %u:%u", inode->uid, inode->gid, st->st_uid,
		       st->st_gid);
	if (st->st_nlink != inode->nlink && !(S_ISDIR(st->st_mode) && st->st_nlink == 1))
		differ(path, "%u links, not %ju", inode->nlink, (uintmax_t)st->st_nlink);
	if (!skip_times &&
	    (st->st_mtim.tv_sec != inode->mtime || st->st_mtim.tv_nsec != (long)inode->mtime_nsec))
		differ(path, "mtime %" PRId64 ".%09u, not %jd.%09ld", inode->mtime,
		       inode->mtime_nsec, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if ((S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)) && (uint64_t)st->st_size != inode->size)
		differ(path, "%" PRIu64 " bytes, not %jd", inode->size, (intmax_t)st->st_size);
	if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) &&
	    (mica_rdev_major(inode->rdev) != major(st->st_rdev) ||
	     mica_rdev_minor(inode->rdev) != minor(st->st_rdev)))
		differ(path, "device %u:%u, not %u:%u", mica_rdev_major(inode->rdev),
		       mica_rdev_minor(inode->rdev), major(st->st_rdev), minor(st->st_rdev));
}

static void compare_xattrs(const char *path, const char *real, const struct mica_inode *inode)
{
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	static const char absent[] = "user.image_compare.absent";
	char names[65536], value[65536], got[65536];
	ssize_t len = llistxattr(real, names, sizeof(names));
	struct mica_xattr attr;
	struct mica_err err;
	int count = 0, ret;

	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1) {
		ssize_t want = lgetxattr(real, names + i, value, sizeof(value));
		long have = mica_xattr_get(image, inode, names + i, got, sizeof(got), &err);

		count++;
		if (have < 0)
			differ(path, "%s", err.msg);
		else if (have != want || memcmp(value, got, (size_t)want))
			differ(path, "xattr %s differs", names + i);
		if (mica_xattr_get(image, inode, names + i, NULL, 0, &err) != want)
			differ(path, "xattr %s: wrong length", names + i);
	}
	if (mica_xattr_get(image, inode, absent, NULL, 0, &err) != MICA_E_NOENT)
		differ(path, "xattr %s is there", absent);
	ret = mica_xattr_iter_new(image, inode, &it, &err);
	while (!ret && (ret = mica_xattr_iter_next(it, &attr, &err)) > 0) {
		ssize_t want = lgetxattr(real, attr.name, value, sizeof(value));

		count--;
		if (want != (ssize_t)attr.value_len || memcmp(value, attr.value, (size_t)want))
			differ(path, "listed xattr %s differs", attr.name);
		ret = 0;
	}
	if (ret < 0)
		differ(path, "%s", err.msg);
	if (count)
		differ(path, "%d xattrs are missing from the list", count);
}

static void compare_symlink(const char *path, const char *real, const struct mica_inode *inode)
{
	char want[4096], got[4096];
	ssize_t len = readlink(real, want, sizeof(want));
	struct mica_err err;
	long n = mica_image_read(image, inode, got, sizeof(got), 0, &err);

	if (n < 0)
		differ(path, "%s", err.msg);
	else if (n != len || memcmp(want, got, (size_t)len))
		differ(path, "target '%.*s', not '%.*s'", (int)n, got, (int)len, want);
}

static void compare_piece(const char *path, int fd, const struct mica_inode *inode, uint64_t off,
			  size_t len)
{
	cleanup_free char *want = malloc(len), *got = malloc(len);
	ssize_t expected = pread(fd, want, len, (off_t)off);
	struct mica_err err;
	long n = mica_image_read(image, inode, got, len, off, &err);

	if (n < 0)
		differ(path, "read %zu at %" PRIu64 ": %s", len, off, err.msg);
	else if (n != expected || memcmp(want, got, (size_t)expected))
		differ(path, "contents differ within %zu bytes at %" PRIu64, len, off);
}

/* Extents must cover the file without gaps; holes and data must be what seek says. */
static void compare_map(const char *path, const struct mica_inode *inode)
{
	uint64_t off = 0, data_end;
	struct mica_extent e;
	struct mica_err err;

	while (off < inode->size) {
		bool hole;

		if (mica_image_map(image, inode, off, &e, &err)) {
			differ(path, "map %" PRIu64 ": %s", off, err.msg);
			return;
		}
		hole = e.kind == MICA_EXTENT_HOLE;
		if (e.la > off || !e.llen || e.la + e.llen <= off || e.la + e.llen > inode->size) {
			differ(path, "extent %" PRIu64 "+%" PRIu64 " for %" PRIu64, e.la, e.llen,
			       off);
			return;
		}
		if (mica_image_seek(image, inode, off, hole, &data_end, &err) || data_end != off)
			differ(path, "seek from %" PRIu64 " leads to %" PRIu64, off, data_end);
		off = e.la + e.llen;
	}
}

static void compare_file(const char *path, const char *real, const struct mica_inode *inode)
{
	cleanup_fd int fd = open(real, O_RDONLY);
	unsigned int seed = (unsigned int)inode->nid;

	if (fd < 0) {
		differ(path, "cannot open it in the directory");
		return;
	}
	compare_map(path, inode);
	compare_piece(path, fd, inode, 0, (size_t)mica_min(inode->size + 1, 16u << 20));
	for (uint64_t off = 0; off < inode->size; off += PIECE)
		compare_piece(path, fd, inode, off, PIECE);
	for (int i = 0; i < 8 && inode->size; i++) {
		uint64_t off = (uint64_t)rand_r(&seed) % inode->size;

		compare_piece(path, fd, inode, off, (size_t)rand_r(&seed) % 20000 + 1);
	}
	compare_piece(path, fd, inode, inode->size, 10);
}

static void compare_tree(const char *path, const char *real, uint64_t nid);

static void compare_children(const char *path, const char *real, const struct mica_inode *inode)
{
	cleanup_dir struct mica_dir *dir = NULL;
	struct mica_dirent entry, again;
	uint64_t nid, cookie = 0;
	struct dirent *d;
	struct mica_err err;
	long count = 0;
	uint8_t type;
	DIR *want;
	int ret;

	ret = mica_dir_open(image, inode, &dir, &err);
	while (!ret && (ret = mica_dir_next(dir, &entry, &err)) > 0) {
		char *sub_path, *sub_real;

		count++;
		ret = mica_dir_lookup(image, inode, entry.name, entry.name_len, &nid, &type, &err);
		if (ret || nid != entry.nid || type != entry.type)
			differ(path, "lookup of %s fails", entry.name);
		mica_dir_seek(dir, cookie);
		if (mica_dir_next(dir, &again, &err) <= 0 || strcmp(again.name, entry.name))
			differ(path, "seek to %s fails", entry.name);
		cookie = entry.next;
		ret = 0;
		if (!strcmp(entry.name, ".") || !strcmp(entry.name, ".."))
			continue;
		if (asprintf(&sub_path, "%s/%s", path, entry.name) < 0 ||
		    asprintf(&sub_real, "%s/%s", real, entry.name) < 0)
			errx(2, "out of memory");
		compare_tree(sub_path, sub_real, entry.nid);
		free(sub_path);
		free(sub_real);
	}
	if (ret < 0)
		differ(path, "%s", err.msg);
	want = opendir(real);
	while (want && (d = readdir(want)))
		count--;
	if (want)
		closedir(want);
	if (count)
		differ(path, "%ld names too many", count);
	if (mica_dir_lookup(image, inode, "no such", 7, &nid, &type, &err) != MICA_E_NOENT)
		differ(path, "a name that is not there is found");
}

static void compare_tree(const char *path, const char *real, uint64_t nid)
{
	struct mica_inode inode, walked;
	struct mica_err err;
	struct stat st;

	__atomic_add_fetch(&entries, 1, __ATOMIC_RELAXED);
	if (lstat(real, &st)) {
		differ(path, "not in the directory");
		return;
	}
	if (mica_image_inode(image, nid, &inode, &err)) {
		differ(path, "%s", err.msg);
		return;
	}
	if (mica_image_walk(image, path, &walked, &err) || walked.nid != nid)
		differ(path, "the path does not lead to it");
	compare_inode(path, &st, &inode);
	compare_xattrs(path, real, &inode);
	if ((st.st_mode & S_IFMT) != (inode.mode & S_IFMT))
		return;
	if (S_ISDIR(st.st_mode))
		compare_children(path, real, &inode);
	else if (S_ISREG(st.st_mode))
		compare_file(path, real, &inode);
	else if (S_ISLNK(st.st_mode))
		compare_symlink(path, real, &inode);
}

static void *compare_thread(void *dir)
{
	compare_tree("", dir, mica_image_super(image)->root_nid);
	return NULL;
}

int main(int argc, char **argv)
{
	struct mica_image_opts opts = {0};
	struct mica_io *io;
	struct mica_err err;
	pthread_t threads[16];
	int opt, count = 1;

	while ((opt = getopt(argc, argv, "c:tT:")) != -1) {
		if (opt == 't')
			skip_times = true;
		else if (opt == 'T')
			count = atoi(optarg) % 16;
		else if (opt == 'c')
			opts.cache_bytes = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (argc - optind != 2)
		errx(2, "usage: image_compare [-t] [-T THREADS] [-c CACHE] IMAGE DIR");
	if (mica_io_open_file(argv[optind], 0, &io, &err) ||
	    mica_image_open(io, &opts, &image, &err))
		errx(2, "%s", err.msg);
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, compare_thread, argv[optind + 1]))
			errx(2, "no thread");
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	mica_image_free(image);
	printf("%ju entries, %u differences\n", (uintmax_t)entries, differences);
	return differences != 0;
}
