/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "per_layer.h"

#define DIGITS 12 /* of a digest in a name */

/* The text of one conversion, "" for one that there is not. */
static int name_part(char what, const struct mica_layer *layer, size_t index, char *out, size_t len,
		     struct mica_err *err)
{
	switch (what) {
	case 'n':
		snprintf(out, len, "%03zu", index);
		return 0;
	case '%':
		snprintf(out, len, "%%");
		return 0;
	case 'd':
		if (!layer->has_digest && !layer->has_diff_id)
			return mica_err_set(err, MICA_E_USAGE,
					    "%%d: %s has no digest, name it by its number, %%n",
					    layer->name);
		mica_digest_hex(layer->has_digest ? &layer->digest : &layer->diff_id, DIGITS, out);
		return 0;
	default:
		return mica_err_set(err, MICA_E_USAGE, "'%%%.*s' is none of %%n, %%d and %%%%",
				    what != '\0', &what);
	}
}

static int name_expand(const char *pattern, const struct mica_layer *layer, size_t index,
		       char **out, struct mica_err *err)
{
	size_t cap = strlen(pattern) * 32 + 1, used = 0;
	cleanup_free char *name = malloc(cap);

	if (!name)
		return mica_err_nomem(err);
	for (const char *p = pattern; *p; p++) {
		int ret = 0;

		if (*p != '%') {
			name[used++] = *p;
			continue;
		}
		ret = name_part(*++p, layer, index, name + used, cap - used, err);
		if (ret)
			return ret;
		used += strlen(name + used);
	}
	name[used] = '\0';
	*out = mica_steal_pointer(&name);
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_check(char *const *targets, size_t count, struct mica_err *err)
{
	cleanup_free char **sorted = calloc(count + 1, sizeof(char *));

	if (!sorted)
		return mica_err_nomem(err);
	memcpy(sorted, targets, count * sizeof(char *));
	qsort(sorted, count, sizeof(char *), name_compare);
	for (size_t i = 1; i < count; i++)
		if (!strcmp(sorted[i - 1], sorted[i]))
			return mica_err_set(
				err, MICA_E_USAGE,
				"%s would be the name of several images; %%n makes names "
				"differ",
				sorted[i]);
	return 0;
}

static int names_make(const char *out, bool dir, const struct mica_layers *layers, char **targets,
		      struct mica_err *err)
{
	for (size_t i = 0; i < layers->count; i++) {
		const struct mica_layer *layer = &layers->v[i];
		bool named = layer->has_digest || layer->has_diff_id;
		cleanup_free char *own = NULL;
		int ret = name_expand(dir ? named ? "%n-%d.erofs" : "%n.erofs" : out, layer, i,
				      dir ? &own : &targets[i], err);

		if (ret)
			return ret;
		if (dir && asprintf(&targets[i], "%s%s%s", out,
				    out[strlen(out) - 1] == '/' ? "" : "/", own) < 0) {
			targets[i] = NULL;
			return mica_err_nomem(err);
		}
	}
	return names_check(targets, layers->count, err);
}

void mica_per_layer_names_free(char **targets, size_t count)
{
	for (size_t i = 0; targets && i < count; i++)
		free(targets[i]);
	free(targets);
}

int mica_per_layer_names(const char *out, const struct mica_layers *layers, char ***targets,
			 bool *made, struct mica_err *err)
{
	bool dir = !strchr(out, '%');
	struct stat st;
	char **v;
	int ret;

	*made = false;
	if (!*out)
		return mica_err_set(err, MICA_E_USAGE, "a directory or a pattern needs a name");
	v = calloc(layers->count + 1, sizeof(char *));
	if (!v)
		return mica_err_nomem(err);
	ret = names_make(out, dir, layers, v, err);
	if (!ret && dir && !stat(out, &st) && !S_ISDIR(st.st_mode)) {
		ret = mica_err_set(err, MICA_E_USAGE,
				   "%s: neither a directory nor a pattern with %%n or %%d", out);
	} else if (!ret && dir) {
		*made = !mkdir(out, 0777);
		if (!*made && errno != EEXIST)
			ret = mica_err_sys(err, errno, "%s: make directory", out);
	}
	if (ret) {
		mica_per_layer_names_free(v, layers->count);
		return ret;
	}
	*targets = v;
	return 0;
}
