/* SPDX-License-Identifier: MIT */
#include "globs.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "../lib/util.h"

/* Components are strings one behind the other: "a\0b\0". */
struct mica_glob {
	char *text;
	size_t parts;
	bool whole; /* for paths, else for names */
};

static size_t split(char *text)
{
	size_t n = 1;

	for (; *text; text++) {
		if (*text != '/')
			continue;
		*text = '\0';
		n++;
	}
	return n;
}

static const char *next(const char *part)
{
	return part + strlen(part) + 1;
}

int mica_globs_add(struct mica_globs *g, const char *glob, struct mica_err *err)
{
	struct mica_glob x = {0}, *list;
	size_t len;

	while (!strncmp(glob, "./", 2) || *glob == '/') {
		x.whole = true;
		glob += *glob == '/' ? 1 : 2;
	}
	len = strlen(glob);
	while (len && glob[len - 1] == '/')
		len--;
	if (!len)
		return mica_err_set(err, MICA_E_USAGE, "an empty pattern matches nothing");
	list = reallocarray(g->list, g->count + 1, sizeof(*list));
	if (list)
		g->list = list;
	x.text = list ? strndup(glob, len) : NULL;
	if (!x.text)
		return mica_err_nomem(err);
	x.parts = split(x.text);
	x.whole = x.whole || x.parts > 1;
	list[g->count++] = x;
	return 0;
}

void mica_globs_free(struct mica_globs *g)
{
	for (size_t i = 0; i < g->count; i++)
		free(g->list[i].text);
	free(g->list);
	*g = (struct mica_globs){0};
}

/*
 * Components of a path against those of a glob. Only the last "**" that was met is ever
 * tried with more directories: whatever stands before it has matched already.
 */
static bool parts_match(const char *glob, size_t globs, const char *path, size_t parts)
{
	const char *star_glob = NULL, *star_path = NULL;
	size_t star_globs = 0, star_parts = 0;

	while (parts) {
		if (globs && !strcmp(glob, "**")) {
			/* at the end it stands for at least one */
			if (globs == 1)
				return true;
			glob = next(glob);
			star_glob = glob;
			star_globs = --globs;
			star_path = path;
			star_parts = parts;
		} else if (globs && !fnmatch(glob, path, 0)) {
			glob = next(glob);
			path = next(path);
			globs--;
			parts--;
		} else if (star_glob && star_parts > 1) {
			path = star_path = next(star_path);
			parts = --star_parts;
			glob = star_glob;
			globs = star_globs;
		} else {
			return false;
		}
	}
	return !globs;
}

static bool glob_match(const struct mica_glob *x, const char *path, size_t parts, const char *last)
{
	return x->whole ? parts_match(x->text, x->parts, path, parts) : !fnmatch(x->text, last, 0);
}

int mica_globs_find(const struct mica_globs *g, const char *path, size_t *found,
		    struct mica_err *err)
{
	cleanup_free char *text = NULL;
	size_t parts, best = 0; /* 1 + number */
	const char *last;

	*found = MICA_GLOBS_NONE;
	if (!g->count || !*path)
		return 0;
	text = strdup(path);
	if (!text)
		return mica_err_nomem(err);
	parts = split(text);
	last = text;
	for (size_t upto = 1; upto <= parts; upto++, last = next(last))
		for (size_t i = g->count; i > best; i--)
			if (glob_match(&g->list[i - 1], text, upto, last))
				best = i;
	if (best)
		*found = best - 1;
	return 0;
}
