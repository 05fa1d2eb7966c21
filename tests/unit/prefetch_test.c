/* SPDX-License-Identifier: MIT */
/* What threads do ahead of a reader: small files whole, the rest of large ones. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mount/prefetch.h"
#include "disk.h"

#define FILES	  40u
#define CACHE	  (8u << 20)
#define WAITS	  5000u /* milliseconds at most */
#define LARGE	  (3u << 20)
#define LARGE_NID 100u

static struct disk disk;
static unsigned int stored[FILES], hinted, wrong;
static uint64_t hinted_end;

static uint64_t nid_of(unsigned int i)
{
	return 10 + 2 * i;
}

static int disk_read(struct mica_io *io, void *buf, size_t len, uint64_t off, struct mica_err *err)
{
	(void)io;
	(void)err;
	memset(buf, 0, len);
	if (off < sizeof(disk.data))
		memcpy(buf, disk.data + off, mica_min(len, sizeof(disk.data) - off));
	return 0;
}

static void disk_ahead(struct mica_io *io, uint64_t off, uint64_t len)
{
	(void)io;
	__atomic_add_fetch(&hinted, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&hinted_end, off + len, __ATOMIC_RELAXED);
}

static const struct mica_io_ops disk_ops = {.read_at = disk_read, .ahead = disk_ahead};

static void file_stored(void *ctx, uint64_t nid, const void *data, size_t len)
{
	unsigned int i = (unsigned int)(nid - 10) / 2;

	(void)ctx;
	if (i >= FILES || len != 3000 + i || memcmp(data, disk_block(&disk, 10 + i), len))
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&stored[i], 1, __ATOMIC_RELAXED);
}

/* FILES files of one block each, and a large one in the space behind the image. */
static struct mica_image *image_new(void)
{
	struct mica_io *io = calloc(1, sizeof(*io));
	struct mica_image *img = NULL;
	struct mica_err err = {0};

	disk_init(&disk);
	for (unsigned int i = 0; i < FILES; i++) {
		disk_inode(&disk, nid_of(i), EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 0644, 3000 + i,
			   10 + i);
		memset(disk_block(&disk, 10 + i), (int)i + 1, DISK_BLOCK);
	}
	disk_inode(&disk, LARGE_NID, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 0644, LARGE, DISK_BLOCKS);
	*io = (struct mica_io){&disk_ops, sizeof(disk.data) + LARGE, strdup("disk")};
	if (mica_image_open(io, &(struct mica_image_opts){.skip_checksum = true}, &img, &err))
		fail_msg("%s", err.msg);
	memset(stored, 0, sizeof(stored));
	hinted = wrong = 0;
	return img;
}

static struct mica_prefetch *prefetch_new(struct mica_image *img)
{
	const struct mica_prefetch_ops ops = {.store = file_stored};
	struct mica_prefetch *p = NULL;

	assert_int_equal(mica_prefetch_new(img, CACHE, 3, &ops, &p, NULL), 0);
	return p;
}

static void read_file(struct mica_image *img, struct mica_prefetch *p, uint64_t nid, uint64_t off,
		      uint64_t len)
{
	struct mica_inode inode;

	assert_int_equal(mica_image_inode(img, nid, &inode, NULL), 0);
	mica_prefetch_read(p, &inode, off, len);
}

static void name_all(struct mica_image *img, struct mica_prefetch *p)
{
	struct mica_inode inode;

	for (unsigned int i = 0; i < FILES; i++) {
		assert_int_equal(mica_image_inode(img, nid_of(i), &inode, NULL), 0);
		mica_prefetch_named(p, &inode, true);
	}
}

static bool becomes(const unsigned int *value)
{
	for (unsigned int i = 0; i < WAITS; i++) {
		if (__atomic_load_n(value, __ATOMIC_RELAXED))
			return true;
		usleep(1000);
	}
	return false;
}

static void files_that_come_next_are_stored(void **state)
{
	cleanup_image struct mica_image *img = image_new();
	struct mica_prefetch *p = prefetch_new(img);

	(void)state;
	name_all(img, p);
	for (unsigned int i = 0; i < FILES; i++)
		if (!__atomic_load_n(&stored[i], __ATOMIC_RELAXED)) {
			read_file(img, p, nid_of(i), 0, 4096);
			usleep(2000);
		}
	assert_true(becomes(&stored[12]));
	mica_prefetch_free(p);
	assert_int_equal(stored[0], 0);
	assert_int_equal(wrong, 0);
	for (unsigned int i = 0; i < FILES; i++)
		assert_in_range(stored[i], 0, 1);
}

static void a_large_file_is_fetched_ahead(void **state)
{
	cleanup_image struct mica_image *img = image_new();
	struct mica_prefetch *p = prefetch_new(img);

	(void)state;
	for (uint64_t off = 0; off < 1 << 20; off += 1 << 17) {
		read_file(img, p, LARGE_NID, off, 1 << 17);
		usleep(1000);
	}
	assert_true(becomes(&hinted));
	mica_prefetch_free(p);
	assert_true(hinted_end > sizeof(disk.data) + (1 << 20));
	assert_true(hinted_end <= sizeof(disk.data) + LARGE);
}

static void a_look_at_its_head_is_not(void **state)
{
	cleanup_image struct mica_image *img = image_new();
	struct mica_prefetch *p = prefetch_new(img);

	(void)state;
	read_file(img, p, LARGE_NID, 0, 32 << 10);
	read_file(img, p, LARGE_NID, LARGE - 4096, 4096);
	usleep(20000);
	assert_int_equal(__atomic_load_n(&hinted, __ATOMIC_RELAXED), 0);
	/* who begins like this wants it all */
	read_file(img, p, LARGE_NID, 0, 256 << 10);
	assert_true(becomes(&hinted));
	mica_prefetch_free(p);
}

static void random_reads_of_a_large_file_are_not(void **state)
{
	cleanup_image struct mica_image *img = image_new();
	struct mica_prefetch *p = prefetch_new(img);

	(void)state;
	for (unsigned int i = 1; i < 100; i++)
		read_file(img, p, LARGE_NID, (uint64_t)(i * 317 % 700) << 12 | 2048, 4096);
	usleep(20000);
	mica_prefetch_free(p);
	assert_int_equal(hinted, 0);
}

static void after_a_stop_nothing_begins(void **state)
{
	cleanup_image struct mica_image *img = image_new();
	struct mica_prefetch *p = prefetch_new(img);

	(void)state;
	name_all(img, p);
	while (!mica_prefetch_stop(p))
		;
	for (unsigned int i = 0; i < FILES; i++)
		read_file(img, p, nid_of(i), 0, 4096);
	usleep(5000);
	mica_prefetch_free(p);
	for (unsigned int i = 0; i < FILES; i++)
		assert_int_equal(stored[i], 0);
}

struct reader {
	struct mica_image *img;
	struct mica_prefetch *p;
	unsigned int number;
};

static void *reader_run(void *arg)
{
	const struct reader *r = arg;
	char buf[DISK_BLOCK];
	struct mica_inode inode;

	for (unsigned int n = 0; n < 50 * FILES; n++) {
		unsigned int i = (n + r->number * 7) % FILES;

		if (mica_image_inode(r->img, nid_of(i), &inode, NULL))
			return arg;
		mica_prefetch_named(r->p, &inode, n % 3);
		mica_prefetch_read(r->p, &inode, 0, sizeof(buf));
		if (mica_image_read(r->img, &inode, buf, sizeof(buf), 0, NULL) != 3000 + (long)i ||
		    memcmp(buf, disk_block(&disk, 10 + i), 3000 + i))
			return arg;
	}
	return NULL;
}

static void many_readers(void **state)
{
	cleanup_image struct mica_image *img = image_new();
	struct mica_prefetch *p = prefetch_new(img);
	struct reader readers[4];
	pthread_t threads[4];
	void *failed;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		readers[i] = (struct reader){img, p, i};
		assert_int_equal(pthread_create(&threads[i], NULL, reader_run, &readers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	mica_prefetch_free(p);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_come_next_are_stored),
		cmocka_unit_test(a_large_file_is_fetched_ahead),
		cmocka_unit_test(a_look_at_its_head_is_not),
		cmocka_unit_test(random_reads_of_a_large_file_are_not),
		cmocka_unit_test(after_a_stop_nothing_begins),
		cmocka_unit_test(many_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
