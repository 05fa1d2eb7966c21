/* SPDX-License-Identifier: MIT */
/* The text of traces, and what a mount needs to write one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../lib/trace.h"
#include "../../lib/util.h"
#include "../../mount/paths.h"
#include "../../mount/recorder.h"

static char seen[4096]; /* lines that were loaded, as "path off len;" */

static void expect_format(const char *path, uint64_t off, uint64_t len, const char *text)
{
	const struct mica_trace_line line = {path, off, len};
	char out[MICA_TRACE_LINE_MAX(256)];
	struct mica_trace_line back;
	size_t n = mica_trace_format(&line, out);

	assert_string_equal(out, text);
	assert_int_equal(n, strlen(text));
	out[n - 1] = '\0';
	assert_int_equal(mica_trace_parse(out, n - 1, &back, NULL), 1);
	assert_string_equal(back.path, path);
	assert_int_equal(back.off, off);
	assert_int_equal(back.len, len);
}

static void any_name_comes_back(void **state)
{
	char all[256];

	(void)state;
	expect_format("usr/bin/cc", 0, 0, "usr/bin/cc\n");
	expect_format("usr/bin/cc", 131072, 4096, "usr/bin/cc\t131072+4096\n");
	expect_format("a", UINT64_MAX - 1, 1, "a\t18446744073709551614+1\n");
	expect_format("", 0, 0, "/\n");
	expect_format("#a#", 0, 0, "\\x23a#\n");
	expect_format(" a\\x41\tb\nc\x7f", 0, 0, " a\\x5cx41\\x09b\\x0ac\\x7f\n");
	for (unsigned int c = 1; c < 256; c++) {
		const struct mica_trace_line line = {all, 0, 0};
		char out[MICA_TRACE_LINE_MAX(3)];
		struct mica_trace_line back;
		size_t n;

		snprintf(all, sizeof(all), "%ca", c == '/' ? '_' : (int)c);
		n = mica_trace_format(&line, out);
		assert_non_null(strchr(out, '\n'));
		assert_int_equal(strchr(out, '\n') - out, n - 1);
		out[n - 1] = '\0';
		assert_int_equal(mica_trace_parse(out, n - 1, &back, NULL), 1);
		assert_string_equal(back.path, all);
	}
}

static void parse(const char *text, const char *path)
{
	char copy[256];
	struct mica_trace_line line;
	int ret;

	strcpy(copy, text);
	ret = mica_trace_parse(copy, strlen(copy), &line, NULL);
	assert_int_equal(ret, path ? 1 : 0);
	if (path)
		assert_string_equal(line.path, path);
}

static void lists_of_other_programs_are_taken(void **state)
{
	(void)state;
	parse("/usr/bin/cc", "usr/bin/cc");
	parse("./usr//bin/./cc/", "usr/bin/cc");
	parse(".", "");
	parse(".hidden/..x", ".hidden/..x");
	parse("\\x2Fa\\x2fb", "a/b");
	parse("", NULL);
	parse("# a comment", NULL);
	parse("# mica trace 1", NULL);
}

static void refuse(const char *text, size_t len, int code, const char *why)
{
	char copy[256];
	struct mica_trace_line line;
	struct mica_err err;

	memcpy(copy, text, len + 1);
	assert_int_equal(mica_trace_parse(copy, len, &line, &err), code);
	assert_non_null(strstr(err.msg, why));
}

static void broken_lines_are_refused(void **state)
{
	(void)state;
	refuse("a\\", 2, MICA_E_INPUT, "backslash");
	refuse("a\\n", 3, MICA_E_INPUT, "backslash");
	refuse("a\\x4", 4, MICA_E_INPUT, "backslash");
	refuse("a\\xg1", 5, MICA_E_INPUT, "backslash");
	refuse("a\\x00", 5, MICA_E_INPUT, "backslash");
	refuse("a\0b", 3, MICA_E_INPUT, "byte 1 is a NUL");
	refuse("a\t", 2, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t1", 3, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t1+", 4, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t1+0", 5, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t1+2 ", 6, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t-1+2", 6, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t18446744073709551616+1", 24, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("a\t18446744073709551615+1", 24, MICA_E_INPUT, "OFFSET+LENGTH");
	refuse("# mica trace 2", 14, MICA_E_UNSUPPORTED, "another version");
}

/* text without its NUL */
static void write_file(const char *name, const char *text, size_t size)
{
	FILE *f = fopen(name, "w");
	size_t len = size - 1;

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static int note(void *ctx, const struct mica_trace_line *line, struct mica_err *err)
{
	(void)err;
	sprintf(seen + strlen(seen), "%s %d %d;", line->path, (int)line->off, (int)line->len);
	return *(int *)ctx && !--*(int *)ctx;
}

static void files_are_loaded(void **state)
{
	static const char lines[] = MICA_TRACE_HEAD "b\n\na\t5+6\nlast", bad[] = "b\na\0\n";
	struct mica_err err;
	int stop = 0;

	(void)state;
	seen[0] = '\0';
	write_file("trace_test.txt", lines, sizeof(lines));
	assert_int_equal(mica_trace_load("trace_test.txt", note, &stop, &err), 0);
	assert_string_equal(seen, "b 0 0;a 5 6;last 0 0;");
	seen[0] = '\0';
	stop = 2;
	assert_int_equal(mica_trace_load("trace_test.txt", note, &stop, &err), 1);
	assert_string_equal(seen, "b 0 0;a 5 6;");
	write_file("trace_test.txt", bad, sizeof(bad));
	assert_int_equal(mica_trace_load("trace_test.txt", note, &stop, &err), MICA_E_INPUT);
	assert_string_equal(err.msg, "trace_test.txt: line 2: byte 1 is a NUL");
	remove("trace_test.txt");
	assert_int_equal(mica_trace_load("trace_test.txt", note, &stop, &err), MICA_E_SYS);
	assert_non_null(strstr(err.msg, "trace_test.txt: open: "));
	assert_int_equal(mica_trace_load(".", note, &stop, &err), MICA_E_SYS);
}

static void paths_are_found(void **state)
{
	struct mica_paths *paths;
	char path[PATH_MAX], name[16];

	(void)state;
	assert_int_equal(mica_paths_new(36, &paths, NULL), 0);
	assert_true(mica_paths_get(paths, 36, path));
	assert_string_equal(path, "");
	/* known before the directory is */
	assert_int_equal(mica_paths_add(paths, 2, 1, "file", NULL), 0);
	assert_false(mica_paths_get(paths, 2, path));
	assert_int_equal(mica_paths_add(paths, 1, 36, "dir", NULL), 0);
	assert_int_equal(mica_paths_add(paths, 2, 36, "other", NULL), 0);
	assert_true(mica_paths_get(paths, 2, path));
	assert_string_equal(path, "dir/file");
	for (unsigned int i = 0; i < 10000; i++) {
		sprintf(name, "f%u", i);
		assert_int_equal(mica_paths_add(paths, 100 + 8 * i, 1, name, NULL), 0);
	}
	assert_true(mica_paths_get(paths, 100 + 8 * 9999, path));
	assert_string_equal(path, "dir/f9999");
	/* directories in each other have no path */
	assert_int_equal(mica_paths_add(paths, 7, 5, "x", NULL), 0);
	assert_int_equal(mica_paths_add(paths, 5, 7, "y", NULL), 0);
	assert_false(mica_paths_get(paths, 7, path));
	mica_paths_free(paths);
}

static void first_reads_are_recorded(void **state)
{
	struct mica_recorder *r;
	int stop = 0;

	(void)state;
	seen[0] = '\0';
	remove("record_test.txt");
	assert_int_equal(mica_recorder_new("record_test.txt", &r, NULL), 0);
	mica_recorder_read(r, "small", 0, 10, true);
	mica_recorder_read(r, "large", 4096, 8192, false);
	mica_recorder_read(r, "small", 0, 10, true);
	mica_recorder_read(r, "large", 0, 131072, false);
	/* the unit between these two is known */
	mica_recorder_read(r, "large", 524288, 1, false);
	mica_recorder_read(r, "large", 262144, 524288, false);
	mica_recorder_read(r, "empty", 0, 0, true);
	mica_recorder_free(r);
	/* another mount goes on */
	assert_int_equal(mica_recorder_new("record_test.txt", &r, NULL), 0);
	mica_recorder_read(r, "small", 0, 10, true);
	mica_recorder_free(r);
	assert_int_equal(mica_trace_load("record_test.txt", note, &stop, NULL), 0);
	assert_string_equal(seen, "small 0 0;large 0 131072;large 524288 131072;"
				  "large 262144 262144;large 655360 131072;small 0 0;");
}

static void many_reads_are_recorded(void **state)
{
	struct mica_recorder *r;
	struct mica_err err;
	char name[32], line[32];
	FILE *f;

	(void)state;
	remove("record_test.txt");
	assert_int_equal(mica_recorder_new("record_test.txt", &r, NULL), 0);
	for (unsigned int pass = 0; pass < 2; pass++)
		for (unsigned int i = 0; i < 20000; i++) {
			sprintf(name, "file-%u", i);
			mica_recorder_read(r, name, 0, 10, true);
		}
	mica_recorder_free(r);
	f = fopen("record_test.txt", "r");
	assert_non_null(f);
	assert_string_equal(fgets(line, sizeof(line), f), MICA_TRACE_HEAD);
	for (unsigned int i = 0; i < 20000; i++) {
		sprintf(name, "file-%u\n", i);
		assert_string_equal(fgets(line, sizeof(line), f), name);
	}
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
	remove("record_test.txt");
	assert_int_equal(mica_recorder_new("no/such/file", &r, &err), MICA_E_SYS);
	assert_non_null(strstr(err.msg, "--trace no/such/file: open: "));
	assert_int_equal(mica_recorder_new("/dev/null", &r, &err), MICA_E_USAGE);
	assert_string_equal(err.msg, "--trace /dev/null: not a regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_name_comes_back),
		cmocka_unit_test(lists_of_other_programs_are_taken),
		cmocka_unit_test(broken_lines_are_refused),
		cmocka_unit_test(files_are_loaded),
		cmocka_unit_test(paths_are_found),
		cmocka_unit_test(first_reads_are_recorded),
		cmocka_unit_test(many_reads_are_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
