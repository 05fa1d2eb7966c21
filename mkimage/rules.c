/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <stddef.h>
#include <string.h>

#include "../lib/opt.h"
#include "../lib/util.h"
#include "data.h"

#define CLUSTER_MIN MICA_BLOCK
#define CLUSTER_KEY ",cluster="

int mica_cluster_parse(const char *text, uint32_t *out, struct mica_err *err)
{
	uint64_t v;
	int ret = mica_opt_size(text, CLUSTER_MIN, MICA_CLUSTER_MAX, &v, err);

	if (!ret && v % MICA_BLOCK)
		return mica_err_set(err, MICA_E_USAGE, "%s is not a multiple of %u bytes", text,
				    MICA_BLOCK);
	if (!ret)
		*out = (uint32_t)v;
	return ret;
}

/* text is cut into pieces: a glob may hold any character, so they are found from behind. */
static int rule_parse(char *text, struct mica_compression *out, struct mica_err *err)
{
	char *equals = strrchr(text, '=');
	size_t key = strlen(CLUSTER_KEY);
	int ret;

	if (equals && (size_t)(equals + 1 - text) >= key &&
	    !strncmp(equals + 1 - key, CLUSTER_KEY, key)) {
		ret = mica_cluster_parse(equals + 1, &out->cluster, err);
		if (ret)
			return mica_err_wrap(err, "cluster");
		equals[1 - (ptrdiff_t)key] = '\0';
		equals = strrchr(text, '=');
	}
	if (!equals)
		return mica_err_set(err, MICA_E_USAGE,
				    "not of the form GLOB=ALG[:LEVEL][,cluster=SIZE]");
	*equals = '\0';
	return mica_codec_spec_parse(equals + 1, &out->codec, err);
}

int mica_rules_add(struct mica_rules *r, const char *text, struct mica_err *err)
{
	struct mica_rule rule = {.text = text}, *list;
	cleanup_free char *copy = strdup(text);
	int ret;

	if (!copy)
		return mica_err_nomem(err);
	ret = rule_parse(copy, &rule.how, err);
	if (ret)
		return mica_err_wrap(err, "'%s'", text);
	list = reallocarray(r->list, r->globs.count + 1, sizeof(*list));
	if (!list)
		return mica_err_nomem(err);
	r->list = list;
	list[r->globs.count] = rule;
	ret = mica_globs_add(&r->globs, copy, err);
	return ret ? mica_err_wrap(err, "'%s'", text) : 0;
}

static bool compression_equal(const struct mica_compression *a, const struct mica_compression *b)
{
	if (a->codec.none || b->codec.none)
		return a->codec.none == b->codec.none;
	return a->codec.alg == b->codec.alg && a->codec.lz4hc == b->codec.lz4hc &&
	       a->codec.level == b->codec.level && a->codec.extreme == b->codec.extreme &&
	       a->cluster == b->cluster;
}

static int setting_number(struct mica_rules *r, struct mica_rule *rule, struct mica_err *err)
{
	unsigned int i = 0;

	while (i < r->setting_count && !compression_equal(&r->settings[i], &rule->how))
		i++;
	if (i == MICA_COMPRESSIONS_MAX)
		return mica_err_set(err, MICA_E_USAGE, "more than %u different compressions",
				    MICA_COMPRESSIONS_MAX);
	if (i == r->setting_count)
		r->settings[r->setting_count++] = rule->how;
	rule->number = i;
	return 0;
}

int mica_rules_finish(struct mica_rules *r, const struct mica_compression *usual,
		      const struct mica_compat *compat, struct mica_err *err)
{
	r->settings[0] = *usual;
	r->setting_count = 1;
	for (size_t i = 0; i < r->globs.count; i++) {
		struct mica_rule *rule = &r->list[i];
		int ret = mica_compat_check_alg(compat, &rule->how.codec, err);

		if (!rule->how.cluster)
			rule->how.cluster = usual->cluster;
		if (!ret)
			ret = setting_number(r, rule, err);
		if (ret)
			return mica_err_wrap(err, "--compress-rule '%s'", rule->text);
	}
	return 0;
}

void mica_rules_free(struct mica_rules *r)
{
	mica_globs_free(&r->globs);
	free(r->list);
	*r = (struct mica_rules){0};
}

int mica_rules_find(const struct mica_rules *r, const char *path, unsigned int *number,
		    struct mica_err *err)
{
	size_t i;
	int ret;

	*number = 0;
	if (!r || !r->globs.count)
		return 0;
	ret = mica_globs_find(&r->globs, path, &i, err);
	if (!ret && i != MICA_GLOBS_NONE)
		*number = r->list[i].number;
	return ret;
}
