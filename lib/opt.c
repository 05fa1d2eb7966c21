/* SPDX-License-Identifier: MIT */
#include "opt.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "util.h"

#define HELP_WIDTH  80
#define HELP_INDENT 26

static bool opt_arg_optional(const struct mica_opt *o)
{
	return o->arg && o->arg[0] == '[';
}

static const struct mica_opt *opt_find_long(const struct mica_opt *opts, const char *name,
					    size_t len)
{
	for (const struct mica_opt *o = opts; o->set; o++)
		if (o->name && strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static const struct mica_opt *opt_find_short(const struct mica_opt *opts, char letter)
{
	for (const struct mica_opt *o = opts; o->set; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static int opt_set(const struct mica_opt *o, void *ctx, const char *shown, const char *value,
		   struct mica_err *err)
{
	int ret = o->set(ctx, value, err);

	return ret ? mica_err_wrap(err, "option %s", shown) : 0;
}

/* "--name", "--name=value", "--name value" */
static int opt_parse_long(const struct mica_opt *opts, void *ctx, char *word, const char *next,
			  bool *used_next, struct mica_err *err)
{
	const char *name = word + 2;
	const char *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct mica_opt *o = opt_find_long(opts, name, len);
	const char *value = eq ? eq + 1 : NULL;
	char shown[64];

	if (!o)
		return mica_err_set(err, MICA_E_USAGE, "unknown option '--%.*s' (see --help)",
				    (int)len, name);
	snprintf(shown, sizeof(shown), "--%s", o->name);
	if (!o->arg && value)
		return mica_err_set(err, MICA_E_USAGE, "option %s takes no value", shown);
	if (o->arg && !value && !opt_arg_optional(o)) {
		if (!next)
			return mica_err_set(err, MICA_E_USAGE, "option %s needs a value: %s", shown,
					    o->arg);
		value = next;
		*used_next = true;
	}
	return opt_set(o, ctx, shown, value, err);
}

/* "-abc", "-Cvalue", "-C value" */
static int opt_parse_short(const struct mica_opt *opts, void *ctx, char *word, const char *next,
			   bool *used_next, struct mica_err *err)
{
	for (char *p = word + 1; *p; p++) {
		const struct mica_opt *o = opt_find_short(opts, *p);
		char shown[3] = {'-', *p, 0};
		const char *value = NULL;
		int ret;

		if (!o)
			return mica_err_set(err, MICA_E_USAGE, "unknown option '-%c' (see --help)",
					    *p);
		if (o->arg && !opt_arg_optional(o)) {
			value = p[1] ? p + 1 : next;
			if (!value)
				return mica_err_set(err, MICA_E_USAGE,
						    "option %s needs a value: %s", shown, o->arg);
			*used_next = !p[1];
		}
		ret = opt_set(o, ctx, shown, value, err);
		if (ret || value)
			return ret;
	}
	return 0;
}

int mica_opt_parse(const struct mica_opt *opts, void *ctx, int argc, char **argv, int *operands,
		   bool *help, struct mica_err *err)
{
	int count = 0;
	bool only_operands = false;

	*help = false;
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool used_next = false;
		int ret;

		if (only_operands || word[0] != '-' || !word[1]) {
			argv[++count] = word;
			continue;
		}
		if (!strcmp(word, "--")) {
			only_operands = true;
			continue;
		}
		if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
			*help = true;
			continue;
		}
		if (word[1] == '-')
			ret = opt_parse_long(opts, ctx, word, next, &used_next, err);
		else
			ret = opt_parse_short(opts, ctx, word, next, &used_next, err);
		if (ret)
			return ret;
		i += used_next;
	}
	*operands = count;
	return 0;
}

/* Words of text from column `indent` on; the cursor stands at column `col`. */
static void help_wrap(FILE *f, const char *text, int indent, int col)
{
	while (*text) {
		size_t len = strcspn(text, " \n");

		if (col > indent && col + 1 + (int)len > HELP_WIDTH) {
			fprintf(f, "\n%*s", indent, "");
			col = indent;
		} else if (col > indent) {
			fputc(' ', f);
			col++;
		}
		fprintf(f, "%.*s", (int)len, text);
		col += (int)len;
		text += len;
		if (*text == '\n') {
			fprintf(f, "\n%*s", indent, "");
			col = indent;
		}
		text += *text != 0;
	}
	fputc('\n', f);
}

static void help_row(FILE *f, const char *left, const char *help)
{
	int col = fprintf(f, "  %s", left);

	if (col > HELP_INDENT - 2)
		fprintf(f, "\n%*s", HELP_INDENT, "");
	else
		fprintf(f, "%*s", HELP_INDENT - col, "");
	help_wrap(f, help, HELP_INDENT, HELP_INDENT);
}

static void help_option(FILE *f, const struct mica_opt *o)
{
	char left[96];
	int n = 0;

	if (o->letter)
		n = snprintf(left, sizeof(left), "-%c%s", o->letter, o->name ? ", " : "");
	else
		n = snprintf(left, sizeof(left), "    ");
	if (o->name)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "--%s", o->name);
	if (o->arg && o->arg[0] == '[')
		snprintf(left + n, sizeof(left) - (size_t)n, "[=%s", o->arg + 1);
	else if (o->arg)
		snprintf(left + n, sizeof(left) - (size_t)n, "%s%s", o->name ? "=" : " ", o->arg);
	help_row(f, left, o->help);
}

char *mica_opt_help(const struct mica_verb *verb)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "Usage: mica %s %s\n\n", verb->name, verb->usage);
	help_wrap(f, verb->about ? verb->about : verb->summary, 0, 0);
	fputs("\nOptions:\n", f);
	for (const struct mica_opt *o = verb->opts; o->set; o++)
		help_option(f, o);
	help_row(f, "-h, --help", "show this text");
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int mica_opt_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct mica_err *err)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end)
		return mica_err_set(err, MICA_E_USAGE, "'%s' is not a number", text);
	if (errno || v < min || v > max)
		return mica_err_set(err, MICA_E_USAGE, "%s is not within %" PRIu64 "..%" PRIu64,
				    text, min, max);
	*out = v;
	return 0;
}

int mica_opt_int(const char *text, int64_t min, int64_t max, int64_t *out, struct mica_err *err)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (!*text || isspace((unsigned char)text[0]) || *end)
		return mica_err_set(err, MICA_E_USAGE, "'%s' is not a number", text);
	if (errno || v < min || v > max)
		return mica_err_set(err, MICA_E_USAGE, "%s is not within %" PRId64 "..%" PRId64,
				    text, min, max);
	*out = v;
	return 0;
}

int mica_opt_size(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct mica_err *err)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	uint64_t v;
	bool huge;

	errno = 0;
	v = strtoull(text, &end, 10);
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (!isdigit((unsigned char)text[0]) || (*end && (!unit || end[1])))
		return mica_err_set(err, MICA_E_USAGE,
				    "'%s' is not a size (a number, with K, M, G or T)", text);
	huge = errno || (unit && mica_mul_overflows(v, 1ULL << (10 * (unit - units + 1)), &v));
	if (huge || v < min || v > max)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s is not within %" PRIu64 "..%" PRIu64 " bytes", text, min,
				    max);
	*out = v;
	return 0;
}

int mica_opt_list_add(struct mica_opt_list *list, const char *value, struct mica_err *err)
{
	const char **v = reallocarray(list->v, list->count + 1u, sizeof(*v));

	if (!v)
		return mica_err_nomem(err);
	v[list->count++] = value;
	list->v = v;
	return 0;
}

void mica_opt_list_free(struct mica_opt_list *list)
{
	free(list->v);
	*list = (struct mica_opt_list){0};
}
