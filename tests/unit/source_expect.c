/* SPDX-License-Identifier: MIT */
#include "source_expect.h"

struct tarball t;
struct source_dump d;

int source_teardown(void **state)
{
	(void)state;
	tarball_free(&t);
	source_dump_free(&d);
	return 0;
}

void source_dump_now(void)
{
	int fd = tarball_fd(&t);

	source_dump_fd(&d, fd);
	close(fd);
}

void expect(const char *entries)
{
	tarball_end(&t);
	source_dump_now();
	assert_string_equal(d.error, "");
	assert_string_equal(d.entries, entries);
	assert_string_equal(d.warnings, "");
}

void expect_warning(const char *entries, const char *warning)
{
	tarball_end(&t);
	source_dump_now();
	assert_string_equal(d.error, "");
	assert_string_equal(d.entries, entries);
	if (!strstr(d.warnings, warning))
		fail_msg("'%s' is not in '%s'", warning, d.warnings);
}

void expect_error(int code, const char *text)
{
	source_dump_now();
	if (!strstr(d.error, text))
		fail_msg("'%s' is not in '%s'", text, d.error);
	assert_int_equal(d.code, code);
}
