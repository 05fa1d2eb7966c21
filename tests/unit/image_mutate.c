/* SPDX-License-Identifier: MIT */
/*
 * image_mutate [-s SEED] [-n ROUNDS] IMAGE...: breaks each image in memory in
 * random places and reads all of it through the reader, which may refuse, but
 * must not crash, hang or (with sanitizers) touch what is not its own. Prints
 * how many rounds were refused at once, refused in part, and read in whole.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/image.h"
#include "../../lib/util.h"

#define ENTRIES_MAX 2000u
#define PIECE	    300000u

struct walk {
	struct mica_image *img;
	unsigned int entries, refused;
	unsigned int depth;
	char *buf;
};

static uint64_t state;

static uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (state >> 11) % below : 0;
}

/* One change: a flipped bit, a boundary value, zeros, or bytes from elsewhere. */
static void mutate(uint8_t *data, size_t len, size_t off)
{
	static const uint32_t values[] = {0,	   1,	       0x7f,	   0x80,
					  0xff,	   0xfff,      0x7fff,	   0xffff,
					  0x10000, 0x7fffffff, 0x80000000, 0xffffffff};
	uint32_t v = values[rnd(sizeof(values) / sizeof(values[0]))];
	size_t n = mica_min(1 + rnd(4), len - off);

	switch (rnd(4)) {
	case 0:
		data[off] ^= (uint8_t)(1u << rnd(8));
		break;
	case 1:
		memcpy(data + off, &v, n);
		break;
	case 2:
		memset(data + off, 0, mica_min(1 + rnd(64), len - off));
		break;
	default:
		n = mica_min(1 + rnd(64), len - off);
		memmove(data + off, data + rnd(len - n + 1), n);
		break;
	}
}

static void walk_xattrs(struct walk *w, const struct mica_inode *inode)
{
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	struct mica_xattr attr;
	struct mica_err err;
	int ret = mica_xattr_iter_new(w->img, inode, &it, &err);

	while (!ret && (ret = mica_xattr_iter_next(it, &attr, &err)) > 0)
		ret = 0;
	if (ret < 0)
		w->refused++;
	if (mica_xattr_get(w->img, inode, "user.absent", w->buf, PIECE, &err) < 0 &&
	    err.code != MICA_E_NOENT)
		w->refused++;
}

static void walk_data(struct walk *w, const struct mica_inode *inode)
{
	uint64_t offs[] = {0, PIECE, inode->size / 2, inode->size - mica_min(inode->size, PIECE)};
	struct mica_err err;
	uint64_t out;

	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		struct mica_extent e;

		if (mica_image_read(w->img, inode, w->buf, 1 + rnd(PIECE), offs[i], &err) < 0)
			w->refused++;
		if (offs[i] < inode->size && mica_image_map(w->img, inode, offs[i], &e, &err))
			w->refused++;
	}
	if (mica_image_seek(w->img, inode, rnd(inode->size), rnd(2), &out, &err))
		w->refused++;
}

static void walk_inode(struct walk *w, uint64_t nid);

static void walk_dir(struct walk *w, const struct mica_inode *inode)
{
	cleanup_dir struct mica_dir *dir = NULL;
	struct mica_dirent d;
	struct mica_err err;
	uint64_t nid;
	uint8_t type;
	int ret = mica_dir_open(w->img, inode, &dir, &err);

	while (!ret && (ret = mica_dir_next(dir, &d, &err)) > 0) {
		ret = 0;
		if (++w->entries > ENTRIES_MAX)
			break;
		mica_dir_lookup(w->img, inode, d.name, d.name_len, &nid, &type, &err);
		if (strcmp(d.name, ".") && strcmp(d.name, ".."))
			walk_inode(w, d.nid);
	}
	if (ret < 0)
		w->refused++;
}

static void walk_inode(struct walk *w, uint64_t nid)
{
	struct mica_inode inode;
	struct mica_err err;

	if (w->depth > 32)
		return;
	if (mica_image_inode(w->img, nid, &inode, &err)) {
		w->refused++;
		return;
	}
	walk_xattrs(w, &inode);
	w->depth++;
	if (S_ISDIR(inode.mode))
		walk_dir(w, &inode);
	if (S_ISREG(inode.mode) || S_ISLNK(inode.mode) || S_ISDIR(inode.mode))
		walk_data(w, &inode);
	w->depth--;
}

/* -1: refused at once; else how many parts were refused */
static int round_run(uint8_t *data, size_t len, char *buf)
{
	const struct mica_image_opts opts = {.cache_bytes = 1 << 20, .skip_checksum = true};
	struct walk w = {.buf = buf};
	struct mica_io *io;
	struct mica_err err;

	if (mica_io_open_mem("image", data, len, &io, &err))
		errx(2, "%s", err.msg);
	if (mica_image_open(io, &opts, &w.img, &err)) {
		mica_io_free(io);
		return -1;
	}
	walk_inode(&w, mica_image_super(w.img)->root_nid);
	mica_image_free(w.img);
	return (int)w.refused;
}

/* Metadata is a small part of an image: half of the changes hit what is not random-looking. */
static size_t pick(const uint8_t *data, size_t len)
{
	size_t off = rnd(len);

	if (!rnd(8))
		return EROFS_SUPER_OFFSET + rnd(144);
	for (int tries = 0; tries < 50 && rnd(8); tries++) {
		unsigned int zeros = 0;

		off = rnd(len - 64);
		for (int i = 0; i < 64; i++)
			zeros += !data[off + i];
		if (zeros > 12 && zeros < 60)
			break;
	}
	return off;
}

static void image_run(const char *path, unsigned int rounds)
{
	cleanup_fd int fd = open(path, O_RDONLY);
	unsigned int refused = 0, partly = 0;
	cleanup_free char *buf = malloc(PIECE);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err(2, "%s", path);
	size_t len = (size_t)st.st_size;
	cleanup_free uint8_t *good = malloc(len), *bad = malloc(len);

	if (!buf || !good || !bad || read(fd, good, len) != (ssize_t)len)
		errx(2, "%s: cannot read it", path);
	if (round_run(good, len, buf))
		errx(1, "%s: refused as it is", path);
	for (unsigned int i = 0; i < rounds; i++) {
		size_t size = rnd(16) ? len : 1 + rnd(len);
		int ret;

		memcpy(bad, good, len);
		for (uint64_t n = 1 + rnd(20); n; n--)
			mutate(bad, len, pick(bad, len));
		ret = round_run(bad, size, buf);
		refused += ret < 0;
		partly += ret > 0;
	}
	printf("%s: %u rounds, %u refused, %u in part\n", path, rounds, refused, partly);
}

int main(int argc, char **argv)
{
	unsigned int rounds = 100;
	int opt;

	setvbuf(stdout, NULL, _IOLBF, 0);
	state = 1;
	while ((opt = getopt(argc, argv, "n:s:")) != -1) {
		if (opt == 'n')
			rounds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (opt == 's')
			state = strtoull(optarg, NULL, 10) * 2 + 1;
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		image_run(argv[i], rounds);
	return 0;
}
