/* SPDX-License-Identifier: MIT */
/*
 * api_threads [-t THREADS] IMAGE...: many threads read all of these images through the
 * public interface, each image opened twice, in different orders and ways at the same
 * time; all must see what a single thread saw. tests/bats/api.bats runs it, and
 * tests/run.sh with ThreadSanitizer.
 */
#include <err.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "../../lib/mica.h"

#define PIECE	    70001u
#define THREADS_MAX 64
#define CACHE	    (1u << 20) /* small, so that clusters come and go */

struct file {
	unsigned int image; /* number */
	uint64_t nid;
	struct mica_stat st;
	uint64_t sum;
};

static struct mica_image *images[32];
static unsigned int image_count;
static struct file *files;
static size_t file_count, file_cap;

struct thread {
	pthread_t id;
	unsigned int number;
	unsigned int wrong;
	uint64_t mapped;
};

/* Pieces of a length that meets clusters in different places; by pointer where there is one. */
static uint64_t file_sum(struct mica_image *image, const struct file *f, size_t piece,
			 uint64_t *mapped)
{
	unsigned char *buf = malloc(piece);
	XXH64_state_t *x = XXH64_createState();
	uint64_t sum, off = 0, got;
	struct mica_err e = {0};
	const void *data;
	long n = 1;

	if (!buf || !x)
		errx(2, "out of memory");
	XXH64_reset(x, 0);
	while (off < f->st.size) {
		if (mapped &&
		    mica_map(image, f->nid, off, f->st.size - off, &data, &got, &e) == 1) {
			XXH64_update(x, data, got);
			off += got;
			*mapped += got;
			continue;
		}
		n = mica_read(image, f->nid, buf, piece, off, &e);
		if (n <= 0)
			break;
		XXH64_update(x, buf, (size_t)n);
		off += (uint64_t)n;
	}
	sum = n < 0 ? (uint64_t)n : XXH64_digest(x);
	if (n < 0)
		warnx("%s", e.msg);
	XXH64_freeState(x);
	free(buf);
	return sum;
}

/* All names and attributes of what is below a directory; only the first thread keeps files. */
static uint64_t walk(unsigned int number, uint64_t nid, int keep)
{
	struct mica_image *image = images[number];
	uint64_t sum = nid;
	struct mica_dir *dir;
	struct mica_name name;
	struct mica_stat st;
	struct mica_err e;
	char buf[4096];
	int ret = mica_opendir(image, nid, &dir, &e);

	while (!ret && (ret = mica_readdir(dir, &name, &e)) > 0) {
		ret = 0;
		if (!strcmp(name.name, ".") || !strcmp(name.name, ".."))
			continue;
		ret = mica_lookup(image, nid, name.name, &st, &e);
		if (ret)
			break;
		sum += XXH64(name.name, name.name_len, st.nid) ^ st.size ^ st.mode;
		if (mica_listxattr(image, st.nid, buf, sizeof(buf), &e) < 0)
			ret = e.code;
		if (S_ISLNK(st.mode)) {
			long n = mica_readlink(image, st.nid, buf, sizeof(buf), &e);

			sum += n < 0 ? 0 : XXH64(buf, (size_t)n, 1);
		}
		if (S_ISDIR(st.mode))
			sum += walk(number, st.nid, keep);
		if (!keep || !S_ISREG(st.mode))
			continue;
		if (file_count == file_cap) {
			file_cap = file_cap ? file_cap * 2 : 64;
			files = reallocarray(files, file_cap, sizeof(*files));
			if (!files)
				errx(2, "out of memory");
		}
		files[file_count++] = (struct file){number, st.nid, st, 0};
	}
	if (ret < 0)
		errx(1, "%s", e.msg);
	mica_closedir(dir);
	return sum;
}

static uint64_t roots_sum;

static uint64_t walk_all(int keep)
{
	struct mica_info info;
	uint64_t sum = 0;

	for (unsigned int i = 0; i < image_count; i++) {
		mica_info(images[i], &info);
		sum += walk(i, info.root, keep) * (i + 1);
	}
	return sum;
}

static void *thread_run(void *arg)
{
	static const size_t steps[] = {1, 7, 11, 13, 17, 19, 23};
	struct thread *t = arg;
	size_t step = steps[t->number % (sizeof(steps) / sizeof(steps[0]))];

	if (t->number % 3 == 1 && walk_all(0) != roots_sum)
		t->wrong++;
	for (size_t start = 0; start < step; start++) {
		for (size_t i = start; i < file_count; i += step) {
			const struct file *f = &files[i];

			if (t->number % 4 == 3)
				mica_ahead(images[f->image], f->nid, 0, f->st.size, NULL);
			if (file_sum(images[f->image], f, PIECE >> t->number % 3,
				     t->number % 2 ? &t->mapped : NULL) != f->sum)
				t->wrong++;
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct mica_options options = {.struct_size = sizeof(options), .cache_bytes = CACHE};
	static struct thread threads[THREADS_MAX];
	unsigned int count = 8, wrong = 0;
	uint64_t bytes = 0, mapped = 0;
	struct mica_err e;
	int opt;

	while ((opt = getopt(argc, argv, "t:")) != -1)
		count = opt == 't' ? (unsigned int)atoi(optarg) : 0;
	if (!count || count > THREADS_MAX || optind == argc)
		errx(2, "usage: api_threads [-t THREADS] IMAGE...");
	for (int i = 2 * optind; i < 2 * argc && image_count < 32; i++)
		if (mica_open(argv[i / 2], &options, &images[image_count++], &e))
			errx(1, "%s", e.msg);
	roots_sum = walk_all(1);
	for (size_t i = 0; i < file_count; i++) {
		files[i].sum = file_sum(images[files[i].image], &files[i], PIECE, NULL);
		bytes += files[i].st.size;
	}
	for (unsigned int i = 0; i < count; i++) {
		threads[i].number = i;
		if (pthread_create(&threads[i].id, NULL, thread_run, &threads[i]))
			errx(2, "no thread");
	}
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(threads[i].id, NULL);
		wrong += threads[i].wrong;
		mapped += threads[i].mapped;
	}
	for (unsigned int i = 0; i < image_count; i++)
		mica_close(images[i]);
	free(files);
	printf("%u threads, %u images, %zu files, %" PRIu64 " bytes, mapped %s: %u wrong\n", count,
	       image_count, file_count, bytes, mapped ? "some" : "none", wrong);
	return wrong ? 1 : 0;
}
