/* SPDX-License-Identifier: MIT */
/* What a trace names is had at hand: which bytes of which image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mount/warm.h"
#include "disk.h"

#define FILE_BLOCKS 8u
#define NAME	    "warm_test.txt"

static struct disk disks[2];
static char hints[4096]; /* "image:offset+length;" in blocks */

static int disk_read(struct mica_io *io, void *buf, size_t len, uint64_t off, struct mica_err *err)
{
	const struct disk *disk = &disks[*io->name - '0'];

	(void)err;
	memcpy(buf, disk->data + off, len);
	return 0;
}

static void disk_ahead(struct mica_io *io, uint64_t off, uint64_t len)
{
	sprintf(hints + strlen(hints), "%s:%d+%d;", io->name, (int)(off / DISK_BLOCK),
		(int)(len / DISK_BLOCK));
}

static const struct mica_io_ops disk_ops = {.read_at = disk_read, .ahead = disk_ahead};

/* Its "file" is FILE_BLOCKS long. */
static struct mica_image *image_new(unsigned int number)
{
	struct mica_io *io = calloc(1, sizeof(*io));
	struct disk *disk = &disks[number];
	struct mica_image *img = NULL;
	struct mica_err err = {0};

	disk_init(disk);
	disk_inode(disk, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 0644,
		   FILE_BLOCKS * DISK_BLOCK, 20);
	*io = (struct mica_io){&disk_ops, sizeof(disk->data), strdup(number ? "1" : "0")};
	if (mica_image_open(io, &(struct mica_image_opts){.skip_checksum = true}, &img, &err))
		fail_msg("%s", err.msg);
	return img;
}

static void trace_write(const char *text)
{
	FILE *f = fopen(NAME, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* One thread: in the order of the trace. */
static void warm(struct mica_image *const *images, unsigned int count, const char *text)
{
	const struct mica_warm_opts opts = {NAME, images, count, 1 << 20, 1};
	struct mica_warm *w = NULL;
	struct mica_err err = {0};

	trace_write(text);
	hints[0] = '\0';
	if (mica_warm_new(&opts, &w, &err))
		fail_msg("%s", err.msg);
	mica_warm_start(w);
	mica_warm_wait(w);
	mica_warm_free(w);
	remove(NAME);
}

static void parts_come_in_the_order_of_the_trace(void **state)
{
	cleanup_image struct mica_image *img = image_new(0);

	(void)state;
	warm(&img, 1, "file\t8192+4096\nnowhere\nfile\t0+8192\n/\nfile/below\n./file\n");
	assert_string_equal(hints, "0:22+1;0:20+2;0:20+8;");
	/* over the end, and behind it */
	warm(&img, 1, "file\t28672+131072\nfile\t32768+4096\nfile\t4611686018427387904+1\n");
	assert_string_equal(hints, "0:27+1;");
	warm(&img, 1, "# mica trace 1\n");
	assert_string_equal(hints, "");
}

static void the_topmost_image_that_has_it_is_meant(void **state)
{
	struct mica_image *images[2] = {image_new(0), image_new(1)};

	(void)state;
	warm(images, 2, "file\t0+4096\n");
	assert_string_equal(hints, "0:20+1;");
	warm(images + 1, 1, "file\t0+4096\n");
	assert_string_equal(hints, "1:20+1;");
	warm(images, 0, "file\n");
	assert_string_equal(hints, "");
	mica_image_free(images[0]);
	mica_image_free(images[1]);
}

static void broken_traces_are_refused(void **state)
{
	const struct mica_warm_opts opts = {.file = NAME, .threads = 1};
	struct mica_warm *w = NULL;
	struct mica_err err;

	(void)state;
	trace_write("a\nb\t1\n");
	assert_int_equal(mica_warm_new(&opts, &w, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, NAME ": line 2: '1' is not OFFSET+LENGTH");
	remove(NAME);
	assert_int_equal(mica_warm_new(&opts, &w, &err), MICA_E_SYS);
	assert_null(w);
	mica_warm_start(NULL);
	mica_warm_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_come_in_the_order_of_the_trace),
		cmocka_unit_test(the_topmost_image_that_has_it_is_meant),
		cmocka_unit_test(broken_traces_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
