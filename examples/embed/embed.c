/* SPDX-License-Identifier: MIT */
/*
 * A host that embeds libmica:
 *
 *   embed [-c] [-d DEVICE]... IMAGE [PATH]...
 *
 * shows what is at the paths of an image that nobody mounted (without one: its root):
 * the names in a directory, the target of a symlink, the bytes of a file.
 * -c: the image is read through a function of this program's, as a host with a store of
 * its own would do it; without it, bytes that are stored as they are get written from
 * where they lie, without a copy.
 *
 * Build: cc -o embed embed.c $(pkg-config --cflags --libs mica)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mica.h>

#if MICA_VERSION_NUMBER < 0x000100
#error "libmica 0.1.0 or later is needed"
#endif

#define PIECE	    (1u << 20)
#define DEVICES_MAX 64

/* The host's store. Any thread may come here, also several at the same time. */
static int store_read(void *ctx, void *buf, size_t len, uint64_t off)
{
	const int *fd = ctx;
	char *p = buf;

	while (len) {
		ssize_t n = pread(*fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* fd: to be kept until mica_close(); -1: not needed */
static int storage_init(struct mica_storage *s, const char *path, int calls, int *fd)
{
	struct stat st;

	*s = (struct mica_storage){
		.struct_size = sizeof(*s), .kind = MICA_STORAGE_PATH, .name = path};
	*fd = -1;
	if (!calls)
		return 0;
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) < 0) {
		perror(path);
		return -1;
	}
	s->kind = MICA_STORAGE_CALLS;
	s->length = (uint64_t)st.st_size;
	s->read = store_read;
	s->ctx = fd;
	return 0;
}

static int show_directory(struct mica_image *image, uint64_t nid, struct mica_err *err)
{
	struct mica_dir *dir;
	struct mica_name name;
	struct mica_stat st;
	int ret = mica_opendir(image, nid, &dir, err);

	if (ret)
		return ret;
	while ((ret = mica_readdir(dir, &name, err)) > 0) {
		if (!strcmp(name.name, ".") || !strcmp(name.name, ".."))
			continue;
		ret = mica_stat(image, name.nid, &st, err);
		if (ret)
			break;
		printf("%06" PRIo32 " %" PRIu64 " %s\n", st.mode, st.size, name.name);
	}
	mica_closedir(dir);
	return ret;
}

static int show_link(struct mica_image *image, uint64_t nid, struct mica_err *err)
{
	char target[4096];
	long n = mica_readlink(image, nid, target, sizeof(target), err);

	if (n < 0)
		return (int)n;
	printf("-> %s\n", target);
	return 0;
}

static int show_file(struct mica_image *image, const struct mica_stat *st, struct mica_err *err)
{
	char *buf = malloc(PIECE);
	uint64_t copied = 0, mapped = 0;
	int ret = buf ? 0 : -1;

	while (!ret && copied + mapped < st->size) {
		uint64_t off = copied + mapped, got;
		const void *data;

		if (mica_map(image, st->nid, off, st->size - off, &data, &got, err) == 1) {
			fwrite(data, 1, (size_t)got, stdout);
			mapped += got;
			continue;
		}
		long n = mica_read(image, st->nid, buf, PIECE, off, err);

		if (n <= 0) {
			ret = (int)n;
			break;
		}
		fwrite(buf, 1, (size_t)n, stdout);
		copied += (uint64_t)n;
	}
	fprintf(stderr, "%" PRIu64 " bytes copied, %" PRIu64 " not\n", copied, mapped);
	free(buf);
	return ret;
}

static int show(struct mica_image *image, const char *path, struct mica_err *err)
{
	struct mica_stat st;
	int ret = mica_walk(image, path, &st, err);

	if (ret)
		return ret;
	if (S_ISDIR(st.mode))
		return show_directory(image, st.nid, err);
	if (S_ISLNK(st.mode))
		return show_link(image, st.nid, err);
	if (S_ISREG(st.mode))
		return show_file(image, &st, err);
	printf("%06" PRIo32 " %" PRIu32 ":%" PRIu32 "\n", st.mode, st.rdev_major, st.rdev_minor);
	return 0;
}

int main(int argc, char **argv)
{
	struct mica_storage image_storage, device_storage[DEVICES_MAX];
	const struct mica_storage *devices[DEVICES_MAX];
	struct mica_options options = {.struct_size = sizeof(options), .devices = devices};
	int fds[DEVICES_MAX + 1], calls = 0, opt, ret = 0;
	struct mica_image *image;
	struct mica_err err = {0};
	const char *names[DEVICES_MAX];

	while ((opt = getopt(argc, argv, "cd:")) != -1) {
		if (opt == 'c')
			calls = 1;
		else if (opt == 'd' && options.device_count < DEVICES_MAX)
			names[options.device_count++] = optarg;
		else
			return 2;
	}
	if (optind == argc) {
		fprintf(stderr, "usage: embed [-c] [-d DEVICE]... IMAGE [PATH]...\n");
		return 2;
	}
	for (uint32_t i = 0; i < options.device_count; i++) {
		if (storage_init(&device_storage[i], names[i], calls, &fds[i + 1]))
			return 1;
		devices[i] = &device_storage[i];
	}
	if (storage_init(&image_storage, argv[optind], calls, &fds[0]))
		return 1;
	if (mica_open_storage(&image_storage, &options, &image, &err)) {
		fprintf(stderr, "embed: %s\n", err.msg);
		return 1;
	}
	if (optind + 1 == argc)
		ret = show(image, "/", &err);
	for (int i = optind + 1; i < argc && !ret; i++)
		ret = show(image, argv[i], &err);
	if (ret)
		fprintf(stderr, "embed: %s: %s\n", argv[optind], err.msg);
	mica_close(image);
	for (uint32_t i = 0; i <= options.device_count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ret || fflush(stdout) ? 1 : 0;
}
