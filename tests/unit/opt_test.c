/* SPDX-License-Identifier: MIT */
#include "../../lib/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	int quiet, all;
	char size[32], mode[32];
};

static int set_quiet(void *ctx, const char *value, struct mica_err *err)
{
	(void)err;
	assert_null(value);
	((struct seen *)ctx)->quiet++;
	return 0;
}

static int set_all(void *ctx, const char *value, struct mica_err *err)
{
	(void)value;
	(void)err;
	((struct seen *)ctx)->all++;
	return 0;
}

static int set_size(void *ctx, const char *value, struct mica_err *err)
{
	if (!strcmp(value, "bad"))
		return mica_err_set(err, MICA_E_USAGE, "'bad' is bad");
	strcpy(((struct seen *)ctx)->size, value);
	return 0;
}

static int set_mode(void *ctx, const char *value, struct mica_err *err)
{
	(void)err;
	strcpy(((struct seen *)ctx)->mode, value ? value : "(none)");
	return 0;
}

static const struct mica_opt opts[] = {
	{"quiet", 'q', NULL, "say nothing", set_quiet},
	{NULL, 'a', NULL, "take all of it", set_all},
	{"size", 's', "SIZE", "how much of it; this help is longer than one line can be wide",
	 set_size},
	{"mode", 0, "[MODE]", "an optional value", set_mode},
	{0},
};

/* Parses a line of words; argv stays valid until the next call. */
static int parse(const char *line, struct seen *seen, char **argv, int *operands, bool *help,
		 struct mica_err *err)
{
	static char words[256];
	int argc = 1;

	memset(seen, 0, sizeof(*seen));
	argv[0] = (char *)"verb";
	strcpy(words, line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return mica_opt_parse(opts, seen, argc, argv, operands, help, err);
}

static void options_and_operands_mix(void **state)
{
	struct mica_err err = {0};
	struct seen seen;
	char *argv[32];
	int operands;
	bool help;

	(void)state;
	assert_int_equal(
		parse("one -q two --size 4K - --mode three", &seen, argv, &operands, &help, &err),
		0);
	assert_int_equal(seen.quiet, 1);
	assert_string_equal(seen.size, "4K");
	assert_string_equal(seen.mode, "(none)");
	assert_int_equal(operands, 4);
	assert_string_equal(argv[1], "one");
	assert_string_equal(argv[2], "two");
	assert_string_equal(argv[3], "-");
	assert_string_equal(argv[4], "three");
	assert_false(help);
}

static void values_have_all_their_forms(void **state)
{
	static const char *const lines[] = {"--size=7", "--size 7", "-s7",
					    "-s 7",	"-aqs7",    "-qas 7"};
	struct mica_err err = {0};
	struct seen seen;
	char *argv[32];
	int operands;
	bool help;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &seen, argv, &operands, &help, &err), 0);
		assert_string_equal(seen.size, "7");
		assert_int_equal(operands, 0);
		assert_int_equal(seen.quiet, i >= 4);
		assert_int_equal(seen.all, i >= 4);
	}
	assert_int_equal(parse("--mode=x --size=", &seen, argv, &operands, &help, &err), 0);
	assert_string_equal(seen.mode, "x");
	assert_string_equal(seen.size, "");
}

static void two_dashes_end_options(void **state)
{
	struct mica_err err = {0};
	struct seen seen;
	char *argv[32];
	int operands;
	bool help;

	(void)state;
	assert_int_equal(parse("a -- -q --size", &seen, argv, &operands, &help, &err), 0);
	assert_int_equal(operands, 3);
	assert_string_equal(argv[2], "-q");
	assert_string_equal(argv[3], "--size");
	assert_int_equal(seen.quiet, 0);
	assert_int_equal(parse("--help", &seen, argv, &operands, &help, &err), 0);
	assert_true(help);
}

static void mistakes_name_the_option(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{"--nothing", "unknown option '--nothing'"},
		{"-x", "unknown option '-x'"},
		{"-qx", "unknown option '-x'"},
		{"--quiet=1", "option --quiet takes no value"},
		{"--size", "option --size needs a value: SIZE"},
		{"-s", "needs a value: SIZE"},
		{"--size bad", "option --size: 'bad' is bad"},
		{"-sbad", "'bad' is bad"},
	};
	struct mica_err err = {0};
	struct seen seen;
	char *argv[32];
	int operands;
	bool help;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].line, &seen, argv, &operands, &help, &err),
				 MICA_E_USAGE);
		if (!strstr(err.msg, cases[i].want))
			fail_msg("'%s': '%s' is not in '%s'", cases[i].line, cases[i].want,
				 err.msg);
	}
}

static void help_shows_each_option_within_80_columns(void **state)
{
	const struct mica_verb verb = {"verb", "[OPTIONS] FILE", "does it", NULL, opts, NULL};
	char *text = mica_opt_help(&verb);

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "Usage: mica verb [OPTIONS] FILE\n"));
	assert_non_null(strstr(text, "does it"));
	assert_non_null(strstr(text, "-q, --quiet"));
	assert_non_null(strstr(text, "-s, --size=SIZE"));
	assert_non_null(strstr(text, "--mode[=MODE]"));
	assert_non_null(strstr(text, "  -a "));
	assert_non_null(strstr(text, "--help"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 80);
	free(text);
}

static void numbers_have_limits(void **state)
{
	struct mica_err err = {0};
	uint64_t u = 5;
	int64_t i = 5;

	(void)state;
	assert_int_equal(mica_opt_uint("18446744073709551615", 0, UINT64_MAX, &u, &err), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(mica_opt_uint("7", 7, 7, &u, &err), 0);
	assert_int_equal(u, 7);
	assert_int_equal(mica_opt_uint("8", 0, 7, &u, &err), MICA_E_USAGE);
	assert_string_equal(err.msg, "8 is not within 0..7");
	assert_int_equal(u, 7);
	assert_int_equal(mica_opt_uint("18446744073709551616", 0, UINT64_MAX, &u, &err),
			 MICA_E_USAGE);
	assert_string_equal(err.msg, "18446744073709551616 is not within 0..18446744073709551615");
	assert_int_equal(mica_opt_uint("-1", 0, UINT64_MAX, &u, &err), MICA_E_USAGE);
	assert_int_equal(mica_opt_uint("", 0, 9, &u, &err), MICA_E_USAGE);
	assert_int_equal(mica_opt_uint("3x", 0, 9, &u, &err), MICA_E_USAGE);
	assert_int_equal(mica_opt_uint(" 3", 0, 9, &u, &err), MICA_E_USAGE);
	assert_int_equal(mica_opt_int("-9", -9, 9, &i, &err), 0);
	assert_int_equal(i, -9);
	assert_int_equal(mica_opt_int("-10", -9, 9, &i, &err), MICA_E_USAGE);
	assert_int_equal(mica_opt_int("9223372036854775808", 0, INT64_MAX, &i, &err), MICA_E_USAGE);
	assert_string_equal(err.msg, "9223372036854775808 is not within 0..9223372036854775807");
	assert_int_equal(mica_opt_int("1e9", 0, INT64_MAX, &i, &err), MICA_E_USAGE);
	assert_string_equal(err.msg, "'1e9' is not a number");
}

static void sizes_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
		{"0", 0},
		{"512", 512},
		{"4K", 4096},
		{"4k", 4096},
		{"1M", 1 << 20},
		{"3G", 3ULL << 30},
		{"2T", 2ULL << 40},
		{"16383P", 0},
		{"16777216T", 0},
		{"K", 0},
		{"-1K", 0},
		{"1KB", 0},
		{"99999999999999999999", 0},
	};
	struct mica_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t v = 1;
		int ret = mica_opt_size(cases[i].text, 0, UINT64_MAX, &v, &err);

		if (cases[i].want || !strcmp(cases[i].text, "0")) {
			assert_int_equal(ret, 0);
			assert_true(v == cases[i].want);
		} else {
			assert_int_equal(ret, MICA_E_USAGE);
			assert_int_equal(v, 1);
		}
	}
	assert_int_equal(mica_opt_size("1M", 0, 4096, &(uint64_t){0}, &err), MICA_E_USAGE);
	assert_string_equal(err.msg, "1M is not within 0..4096 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_mix),
		cmocka_unit_test(values_have_all_their_forms),
		cmocka_unit_test(two_dashes_end_options),
		cmocka_unit_test(mistakes_name_the_option),
		cmocka_unit_test(help_shows_each_option_within_80_columns),
		cmocka_unit_test(numbers_have_limits),
		cmocka_unit_test(sizes_have_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
