/* SPDX-License-Identifier: MIT */
/* The image file and the spool: what appears, what is left behind, what a full disk does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/outfile.h"

#define MB (1u << 20)

static char dir[] = "outfile.XXXXXX";
static char target[128];
static struct mica_outfile *out;
static struct mica_err err;

static int setup(void **state)
{
	(void)state;
	memcpy(dir, "outfile.XXXXXX", sizeof(dir));
	if (!mkdtemp(dir))
		return -1;
	snprintf(target, sizeof(target), "%s/image", dir);
	out = NULL;
	err = (struct mica_err){0};
	return 0;
}

static unsigned int names_in(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	if (!d)
		return 1000;
	for (struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static int teardown(void **state)
{
	(void)state;
	mica_outfile_free(out);
	unlink(target);
	return rmdir(dir); /* fails when anything is left behind */
}

static void make_new(void)
{
	if (mica_outfile_new(target, &out, &err))
		fail_msg("%s", err.msg);
}

static unsigned char pattern(uint64_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

static void write_pattern(uint64_t off, size_t len)
{
	unsigned char *buf = malloc(len);

	assert_non_null(buf);
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(off + i);
	assert_int_equal(mica_outfile_write(out, buf, len, &err), 0);
	free(buf);
}

/* The target holds len bytes of the pattern, counted from there. */
static void check_target(uint64_t len, uint64_t from)
{
	FILE *f = fopen(target, "r");
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_int_equal(st.st_size, len);
	for (uint64_t i = 0; i < len; i++)
		if (getc(f) != pattern(from + i))
			fail_msg("byte %llu is wrong", (unsigned long long)i);
	fclose(f);
}

static void a_published_file_is_whole(void **state)
{
	(void)state;
	make_new();
	assert_int_equal(mica_outfile_pos(out), 0);
	write_pattern(0, 1000);
	write_pattern(1000, 3 * MB);
	assert_int_equal(mica_outfile_pos(out), 3 * MB + 1000);
	assert_int_equal(names_in(dir), 0); /* nothing to be seen before it is published */
	assert_int_equal(mica_outfile_publish(out, &err), 0);
	assert_int_equal(names_in(dir), 1);
	check_target(3 * MB + 1000, 0);
	mica_outfile_abandon(out); /* too late to do harm */
	assert_int_equal(names_in(dir), 1);
}

static void an_abandoned_file_leaves_nothing(void **state)
{
	(void)state;
	make_new();
	write_pattern(0, 2 * MB);
	mica_outfile_free(out);
	out = NULL;
	assert_int_equal(names_in(dir), 0);
}

static void an_existing_file_is_replaced_at_the_end(void **state)
{
	FILE *f = fopen(target, "w");
	struct stat before, after;

	(void)state;
	assert_non_null(f);
	fputs("old", f);
	fclose(f);
	assert_int_equal(stat(target, &before), 0);
	make_new();
	write_pattern(0, 2 * MB);
	assert_int_equal(stat(target, &after), 0);
	assert_int_equal(after.st_size, 3);
	assert_int_equal(mica_outfile_publish(out, &err), 0);
	assert_int_equal(stat(target, &after), 0);
	assert_int_not_equal(after.st_ino, before.st_ino);
	check_target(2 * MB, 0);
}

static void the_mode_follows_the_umask(void **state)
{
	mode_t old = umask(027);
	struct stat st;

	(void)state;
	make_new();
	assert_int_equal(mica_outfile_publish(out, &err), 0);
	umask(old);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, 0);
}

/* Rewound inside the buffer, to its start, and to what is in the file already. */
static void rewinding_forgets(void **state)
{
	static const uint64_t to[] = {5 * MB, 4 * MB, 4 * MB - 1, MB + 5, 0};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		uint8_t straight[16], rewound[16];

		make_new();
		write_pattern(0, to[i]);
		mica_outfile_mark(out);
		write_pattern(to[i] + 1000, 5 * MB + 10 - to[i]); /* wrong bytes */
		assert_int_equal(mica_outfile_pos(out), 5 * MB + 10);
		mica_outfile_rewind(out);
		assert_int_equal(mica_outfile_pos(out), to[i]);
		write_pattern(to[i], MB / 2);
		mica_outfile_sum(out, rewound);
		assert_int_equal(mica_outfile_publish(out, &err), 0);
		check_target(to[i] + MB / 2, 0);
		mica_outfile_free(out);
		make_new();
		write_pattern(0, to[i] + MB / 2);
		mica_outfile_sum(out, straight);
		assert_memory_equal(rewound, straight, 16);
		mica_outfile_free(out);
		out = NULL;
	}
}

static void zeros_and_patches(void **state)
{
	unsigned char *buf = calloc(1, 3 * MB);
	FILE *f;

	(void)state;
	make_new();
	write_pattern(0, 10);
	assert_int_equal(mica_outfile_zeros(out, 0, &err), 0);
	assert_int_equal(mica_outfile_zeros(out, 3 * MB - 10, &err), 0);
	/* in the file, across file and buffer, in the buffer */
	assert_int_equal(mica_outfile_patch(out, "first", 5, 100, &err), 0);
	write_pattern(0, 10);
	assert_int_equal(mica_outfile_patch(out, "second", 6, 3 * MB - 3, &err), 0);
	assert_int_equal(mica_outfile_pos(out), 3 * MB + 10);
	assert_int_equal(mica_outfile_publish(out, &err), 0);
	f = fopen(target, "r");
	assert_non_null(f);
	assert_int_equal(fread(buf, 1, 3 * MB, f), 3 * MB);
	assert_memory_equal(buf + 100, "first", 5);
	for (size_t i = 10; i < 3 * MB - 3; i++)
		if (i < 100 || i >= 105)
			assert_int_equal(buf[i], 0);
	assert_memory_equal(buf + 3 * MB - 3, "sec", 3);
	assert_int_equal(fread(buf, 1, 100, f), 10);
	assert_memory_equal(buf, "ond", 3);
	assert_int_equal(buf[3], pattern(3));
	fclose(f);
	free(buf);
}

static void refused(const char *path, int code, const char *message)
{
	err = (struct mica_err){0};
	assert_int_equal(mica_outfile_new(path, &out, &err), code);
	assert_null(out);
	if (!strstr(err.msg, message))
		fail_msg("'%s' is not in '%s'", message, err.msg);
}

static void targets_that_are_refused(void **state)
{
	char path[5000];

	(void)state;
	refused("", MICA_E_USAGE, "an image needs a name");
	refused(dir, MICA_E_USAGE, "is not a regular file");
	refused("/dev/null", MICA_E_USAGE, "/dev/null: exists and is not a regular file");
	snprintf(path, sizeof(path), "%s/missing/image", dir);
	refused(path, MICA_E_SYS, "No such file or directory");
	snprintf(path, sizeof(path), "%s/%0300d", dir, 1);
	refused(path, MICA_E_SYS, "File name too long");
	/* the target's path is short enough, but not the temporary one beside it */
	memset(path, '/', 4084);
	memcpy(path, dir, strlen(dir));
	strcpy(path + 4084, "image");
	refused(path, MICA_E_SYS, "");
	assert_int_equal(err.sys, ENAMETOOLONG);
	assert_int_equal(mkfifo(target, 0600), 0);
	refused(target, MICA_E_USAGE, "is not a regular file");
	assert_int_equal(names_in(dir), 1);
}

/* Below: things that would harm this process. They run in a child and return 0 or their line. */
#define CHILD_CHECK(cond)                                                                          \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return __LINE__;                                                           \
	} while (0)

static void in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		FILE *why;
		int line = fn();

		why = line ? fopen("outfile.why", "w") : NULL;
		if (why) {
			fprintf(why, "line %d: %s (%s)", line, err.msg, strerror(errno));
			fclose(why);
		}
		_exit(line != 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status) {
		char text[2048] = "";
		FILE *why = fopen("outfile.why", "r");

		if (why && fgets(text, sizeof(text), why))
			fclose(why);
		unlink("outfile.why");
		fail_msg("%s", text);
	}
}

static void as_root_in_child(int (*fn)(void))
{
	if (geteuid() || unshare(CLONE_FS))
		skip();
	in_child(fn);
}

/* A temporary name takes over where a nameless file could not be named later. */
static int without_proc(void)
{
	char name[256] = "";
	struct dirent *e;
	DIR *d;

	CHILD_CHECK(!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHILD_CHECK(!mount("none", "/proc", "tmpfs", 0, NULL));
	for (int round = 0; round < 3; round++) {
		CHILD_CHECK(!mica_outfile_new(target, &out, &err));
		CHILD_CHECK(!mica_outfile_write(out, "text", 4, &err));
		CHILD_CHECK(names_in(dir) == 1);
		if (round == 0)
			mica_outfile_abandon(out);
		if (round == 2) {
			CHILD_CHECK(!mica_outfile_publish(out, &err));
			CHILD_CHECK(names_in(dir) == 1 && !access(target, F_OK));
			mica_outfile_abandon(out);
			CHILD_CHECK(!access(target, F_OK));
		}
		mica_outfile_free(out);
		CHILD_CHECK(names_in(dir) == (round == 2));
	}
	/* two at once do not meet */
	struct mica_outfile *other = NULL;

	CHILD_CHECK(!mica_outfile_new(target, &out, &err));
	CHILD_CHECK(!mica_outfile_new(target, &other, &err));
	CHILD_CHECK(names_in(dir) == 3);
	mica_outfile_free(out);
	CHILD_CHECK(names_in(dir) == 2);
	CHILD_CHECK((d = opendir(dir)));
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, ".mica-", 6))
			snprintf(name, sizeof(name), "%s", e->d_name);
	closedir(d);
	CHILD_CHECK(strlen(name) == 26 && !strcmp(name + 22, ".tmp"));
	mica_outfile_free(other);
	CHILD_CHECK(names_in(dir) == 1);
	return 0;
}

static void a_named_temporary_file(void **state)
{
	(void)state;
	as_root_in_child(without_proc);
}

/* Allowed to write into the directory, not to read it. */
static int unreadable_dir(void)
{
	CHILD_CHECK(!chmod(dir, 0733) && !setgid(65534) && !setuid(65534));
	CHILD_CHECK(!mica_outfile_new(target, &out, &err));
	CHILD_CHECK(!mica_outfile_write(out, "text", 4, &err));
	CHILD_CHECK(!mica_outfile_publish(out, &err));
	mica_outfile_free(out);
	CHILD_CHECK(!access(target, F_OK));
	return 0;
}

static void an_unreadable_directory(void **state)
{
	(void)state;
	as_root_in_child(unreadable_dir);
}

static int full_disk(void)
{
	static unsigned char buf[MB];
	struct mica_spool *spool = NULL;
	uint64_t off;
	int ret = 0;

	memset(buf, 1, sizeof(buf));
	CHILD_CHECK(!unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHILD_CHECK(!mount("none", dir, "tmpfs", 0, "size=4m"));
	CHILD_CHECK(!mica_outfile_new(target, &out, &err));
	for (int i = 0; !ret && i < 10; i++)
		ret = mica_outfile_write(out, buf, sizeof(buf), &err);
	CHILD_CHECK(ret == MICA_E_SYS && err.sys == ENOSPC);
	CHILD_CHECK(strstr(err.msg, "image: write ") && strstr(err.msg, "No space left"));
	/* asked again, it says so again */
	CHILD_CHECK(mica_outfile_write(out, buf, sizeof(buf), &err) == MICA_E_SYS);
	CHILD_CHECK(mica_outfile_publish(out, &err) == MICA_E_SYS);
	mica_outfile_free(out);
	CHILD_CHECK(names_in(dir) == 0);
	/* the space is free again */
	CHILD_CHECK(!mica_spool_new(target, &spool, &err));
	for (int i = 0; i < 3; i++)
		CHILD_CHECK(!mica_spool_write(spool, buf, sizeof(buf), &off, &err));
	ret = 0;
	for (int i = 0; !ret && i < 4; i++)
		ret = mica_spool_write(spool, buf, sizeof(buf), &off, &err);
	CHILD_CHECK(ret == MICA_E_SYS && err.sys == ENOSPC);
	CHILD_CHECK(mica_spool_write(spool, buf, sizeof(buf), &off, &err) == MICA_E_SYS);
	mica_spool_free(spool);
	CHILD_CHECK(names_in(dir) == 0);
	CHILD_CHECK(!umount2(dir, MNT_DETACH));
	return 0;
}

static void a_full_disk(void **state)
{
	(void)state;
	as_root_in_child(full_disk);
}

/* The first bytes of buf, and again the first ones. */
static int put_twice(struct mica_spool *spool, const void *buf, size_t a, size_t b, uint64_t *off,
		     struct mica_err *e)
{
	const struct mica_buf bufs[] = {{buf, a}, {buf, 0}, {buf, b}};

	return mica_spool_writev(spool, bufs, 3, off, e);
}

static void spool_gives_back_what_it_got(void **state)
{
	enum { COUNT = 4000 };
	static uint64_t offs[COUNT];
	static unsigned char buf[1000], got[1000];
	struct mica_spool *spool = NULL;
	uint64_t end = 0;

	(void)state;
	assert_int_equal(mica_spool_new(target, &spool, &err), 0);
	assert_int_equal(names_in(dir), 0);
	for (unsigned int i = 0; i < COUNT; i++) {
		size_t len = i % 1000;

		memset(buf, (int)(i % 251), len);
		assert_int_equal(put_twice(spool, buf, len / 3, len - len / 3, &offs[i], &err), 0);
		assert_int_equal(offs[i], end);
		end += len;
	}
	/* from the file, across file and buffer, from the buffer */
	for (unsigned int i = COUNT; i-- > 0;) {
		size_t len = i % 1000;

		memset(buf, (int)(i % 251), len);
		assert_int_equal(mica_spool_read(spool, got, len, offs[i], &err), 0);
		assert_memory_equal(got, buf, len);
	}
	mica_spool_free(spool);
	mica_spool_free(NULL);
}

static void spool_refuses_to_read_what_is_not_there(void **state)
{
	struct mica_spool *spool = NULL;
	unsigned char buf[100];
	uint64_t off;

	(void)state;
	assert_int_equal(mica_spool_new(target, &spool, &err), 0);
	assert_int_equal(mica_spool_write(spool, "abc", 3, &off, &err), 0);
	assert_int_equal(mica_spool_read(spool, buf, 3, 0, &err), 0);
	assert_int_equal(mica_spool_read(spool, buf, 4, 0, &err), MICA_E_SYS);
	assert_int_equal(mica_spool_read(spool, buf, 1, 3, &err), MICA_E_SYS);
	assert_int_equal(mica_spool_read(spool, buf, 1, UINT64_MAX, &err), MICA_E_SYS);
	mica_spool_free(spool);
}

struct writer {
	struct mica_spool *spool;
	unsigned char mark;
	bool failed;
};

static void *write_and_read(void *arg)
{
	struct writer *w = arg;
	unsigned char buf[3000], got[3000];
	struct mica_err own = {0};
	uint64_t off[300];

	memset(buf, w->mark, sizeof(buf));
	for (unsigned int i = 0; i < 300; i++)
		w->failed |= put_twice(w->spool, buf, 1000, 2000, &off[i], &own) != 0;
	for (unsigned int i = 0; i < 300; i++) {
		w->failed |= mica_spool_read(w->spool, got, sizeof(got), off[i], &own) != 0;
		w->failed |= memcmp(got, buf, sizeof(buf)) != 0;
	}
	return NULL;
}

static void spool_serves_many_threads(void **state)
{
	struct writer writers[4];
	pthread_t threads[4];
	struct mica_spool *spool = NULL;

	(void)state;
	assert_int_equal(mica_spool_new(target, &spool, &err), 0);
	for (unsigned char i = 0; i < 4; i++) {
		writers[i] = (struct writer){.spool = spool, .mark = (unsigned char)(i + 1)};
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &writers[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_false(writers[i].failed);
	}
	mica_spool_free(spool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_published_file_is_whole),
		TEST(an_abandoned_file_leaves_nothing),
		TEST(an_existing_file_is_replaced_at_the_end),
		TEST(the_mode_follows_the_umask),
		TEST(rewinding_forgets),
		TEST(zeros_and_patches),
		TEST(targets_that_are_refused),
		TEST(a_named_temporary_file),
		TEST(an_unreadable_directory),
		TEST(a_full_disk),
		TEST(spool_gives_back_what_it_got),
		TEST(spool_refuses_to_read_what_is_not_there),
		TEST(spool_serves_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
