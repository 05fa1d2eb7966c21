/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>

#include "../../mkimage/globs.h"

struct want {
	const char *path;
	size_t found;
};

static void holds(const char *const *globs, const struct want *wants)
{
	struct mica_globs g = {0};
	struct mica_err err = {0};

	for (; *globs; globs++)
		assert_int_equal(mica_globs_add(&g, *globs, &err), 0);
	for (; wants->path; wants++) {
		size_t found = 0;

		assert_int_equal(mica_globs_find(&g, wants->path, &found, &err), 0);
		if (found != wants->found)
			fail_msg("%s: %zd, not %zd", wants->path, (ssize_t)found,
				 (ssize_t)wants->found);
	}
	mica_globs_free(&g);
}

#define NO MICA_GLOBS_NONE

static void names_match_at_any_depth(void **state)
{
	static const char *const globs[] = {"*.o", "core", NULL};
	static const struct want wants[] = {
		{"a.o", 0},    {"x/y/a.o", 0}, {"x.o/y", 0},	 {"core", 1}, {"x/core/y", 1},
		{"cores", NO}, {"a.ob", NO},   {"x/core.c", NO}, {"", NO},    {NULL, 0}};

	(void)state;
	holds(globs, wants);
}

static void paths_match_from_the_root(void **state)
{
	static const char *const globs[] = {"/etc", "./usr/*/doc/", "var/*", NULL};
	static const struct want wants[] = {{"etc", 0},
					    {"etc/passwd", 0},
					    {"x/etc", NO},
					    {"usr/share/doc", 1},
					    {"usr/share/doc/x", 1},
					    {"usr/doc", NO},
					    {"usr/a/b/doc", NO},
					    {"var", NO},
					    {"var/log", 2},
					    {"var/log/x", 2},
					    {"x/var/log", NO},
					    {NULL, 0}};

	(void)state;
	holds(globs, wants);
}

static void two_stars_are_any_directories(void **state)
{
	static const char *const globs[] = {"a/**/z", "**/b/*.c", "d/**", NULL};
	static const struct want wants[] = {
		{"a/z", 0},	{"a/x/z", 0},	  {"a/x/y/z", 0},  {"z", NO}, {"b/x.c", 1},
		{"q/b/x.c", 1}, {"q/b/b/x.c", 1}, {"b/x/y.c", NO}, {"d", NO}, {"d/x", 2},
		{"d/x/y/z", 2}, {"x/d/y", NO},	  {NULL, 0}};

	(void)state;
	holds(globs, wants);
}

static void the_last_one_wins(void **state)
{
	static const char *const globs[] = {"*.so", "lib", "*.so", "lib/x.so", NULL};
	static const struct want wants[] = {{"lib/a", 1},  {"lib/a.so", 2}, {"lib/x.so", 3},
					    {"q/x.so", 2}, {"q/y", NO},	    {NULL, 0}};

	(void)state;
	holds(globs, wants);
}

static void empty_globs_are_refused(void **state)
{
	static const char *const globs[] = {"", "/", "./", "././/"};

	(void)state;
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
		struct mica_globs g = {0};
		struct mica_err err = {0};

		assert_int_equal(mica_globs_add(&g, globs[i], &err), MICA_E_USAGE);
		assert_int_equal(g.count, 0);
		mica_globs_free(&g);
	}
}

/* Many "**" over a long path: the work grows with the product of both, not with a power. */
static void many_stars_end_soon(void **state)
{
	char glob[256] = "", path[2048] = "";
	struct mica_globs g = {0};
	struct mica_err err = {0};
	size_t found;

	(void)state;
	for (int i = 0; i < 40; i++)
		strcat(glob, "**/a/");
	strcat(glob, "b");
	for (int i = 0; i < 900; i++)
		strcat(path, "a/");
	strcat(path, "c");
	assert_int_equal(mica_globs_add(&g, glob, &err), 0);
	assert_int_equal(mica_globs_find(&g, path, &found, &err), 0);
	assert_int_equal(found, NO);
	mica_globs_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_match_at_any_depth),
		cmocka_unit_test(paths_match_from_the_root),
		cmocka_unit_test(two_stars_are_any_directories),
		cmocka_unit_test(the_last_one_wins),
		cmocka_unit_test(empty_globs_are_refused),
		cmocka_unit_test(many_stars_end_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
