/* SPDX-License-Identifier: MIT */
/* The choice of an image in an index: by its tag, then by the platform. */
#include <ctype.h>
#include <string.h>

#include "../lib/util.h"
#include "oci_impl.h"
#include "quote.h"

#define TAG_KEY	      "org.opencontainers.image.ref.name"
#define FULL_NAME_KEY "io.containerd.image.name"  /* docker and containerd: with registry and tag */
#define ATTESTS_KEY   "vnd.docker.reference.type" /* BuildKit: not an image, but about one */

/* One descriptor of an index. */
struct entry {
	struct mica_oci_desc desc;
	const char *tag, *full_name; /* NULL: none */
	struct mica_platform platform;
	bool has_platform;
	bool skip; /* something else than an image */
};

static int entry_platform(struct entry *e, struct mica_err *err)
{
	const struct mica_json_value *platform;
	int ret = mica_json_get_object(e->desc.json, "platform", &platform, err);

	if (ret || !platform)
		return ret;
	ret = mica_oci_platform(platform, &e->platform, &e->has_platform, err);
	if (!ret && e->has_platform && !strcmp(e->platform.os, "unknown"))
		e->skip = true;
	return ret;
}

static int entry_parse(const struct mica_json_value *json, struct entry *e, struct mica_err *err)
{
	const struct mica_json_value *notes;
	const char *attests;
	int ret;

	memset(e, 0, sizeof(*e));
	ret = mica_oci_desc(json, &e->desc, err);
	if (!ret)
		ret = entry_platform(e, err);
	if (!ret)
		ret = mica_json_get_object(json, "annotations", &notes, err);
	if (ret || !notes)
		return ret;
	ret = mica_json_get_text(notes, TAG_KEY, &e->tag, err);
	if (!ret)
		ret = mica_json_get_text(notes, FULL_NAME_KEY, &e->full_name, err);
	if (!ret)
		ret = mica_json_get_text(notes, ATTESTS_KEY, &attests, err);
	if (!ret && attests)
		e->skip = true;
	return ret;
}

static void entries_cleanup(struct entry **entries)
{
	free(*entries);
}

/* All that an index has; *out is the caller's. */
static int entries_parse(const struct mica_json_value *list, struct entry **out,
			 struct mica_err *err)
{
	size_t count = mica_json_list_len(list);
	struct entry *v cleanup(entries_cleanup) = calloc(count + 1, sizeof(*v));

	if (!v)
		return mica_err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		int ret = entry_parse(mica_json_list_at(list, i), &v[i], err);

		if (ret)
			return mica_err_wrap(err, "manifests[%zu]", i);
	}
	*out = mica_steal_pointer(&v);
	return 0;
}

void mica_oci_names_add(struct mica_oci_names *names, const char *name)
{
	struct mica_quoted quoted = mica_quote(name);
	size_t room = sizeof(names->text) - names->len;

	if (names->full)
		return;
	/* with room for the dots that say that there are more */
	names->full = strlen(quoted.text) + sizeof(", , ...") > room;
	names->len += (size_t)snprintf(names->text + names->len, room, "%s%s",
				       names->len ? ", " : "", names->full ? "..." : quoted.text);
}

int mica_oci_place(const char *tag, size_t len, bool *is, size_t *out, struct mica_err *err)
{
	size_t n = 0;

	*is = tag && *tag == '@';
	if (!*is)
		return 0;
	for (const char *p = tag + 1; *p || p == tag + 1; p++) {
		if (!isdigit((unsigned char)*p))
			return mica_err_set(err, MICA_E_USAGE, "'%s' is not @ and a number",
					    mica_quote(tag).text);
		n = (size_t)mica_min(n * 10 + (size_t)(*p - '0'), len);
	}
	if (n >= len)
		return mica_err_set(err, MICA_E_USAGE, "'%s': the layout has %zu images",
				    mica_quote(tag).text, len);
	*out = n;
	return 0;
}

static const char *entry_name(const struct entry *e)
{
	return e->full_name ? e->full_name : e->tag;
}

static bool entry_is_called(const struct entry *e, const char *tag)
{
	return (e->tag && !strcmp(e->tag, tag)) || (e->full_name && !strcmp(e->full_name, tag));
}

/* "a, b, @2": all that could be behind the colon */
static struct mica_oci_names tags_of(const struct entry *v, size_t count)
{
	struct mica_oci_names names = {0};
	char place[32];

	for (size_t i = 0; i < count; i++) {
		if (v[i].skip)
			continue;
		snprintf(place, sizeof(place), "@%zu", i);
		mica_oci_names_add(&names, entry_name(&v[i]) ? entry_name(&v[i]) : place);
	}
	return names;
}

/* Take out all that is not called so; without a tag all must be called the same, or nothing. */
static int entries_by_tag(struct entry *v, size_t count, const char *tag, struct mica_err *err)
{
	struct mica_oci_names names = tags_of(v, count);
	const struct entry *first = NULL;
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		const char *a, *b;

		if (v[i].skip)
			continue;
		if (tag) {
			v[i].skip = !entry_is_called(&v[i], tag);
			found |= !v[i].skip;
			continue;
		}
		if (!first)
			first = &v[i];
		a = entry_name(first);
		b = entry_name(&v[i]);
		if (a != b && (!a || !b || strcmp(a, b) != 0))
			return mica_err_set(err, MICA_E_USAGE,
					    "has several images; say which, behind a colon: %s",
					    names.text);
	}
	if (tag && !found)
		return mica_err_set(err, MICA_E_USAGE, "has no image '%s'; it has: %s",
				    mica_quote(tag).text, names.len ? names.text : "none");
	return 0;
}

static int no_platform(const struct entry *v, size_t count, const struct mica_platform *want,
		       struct mica_err *err)
{
	char text[MICA_PLATFORM_TEXT];
	struct mica_oci_names names = {0};

	for (size_t i = 0; i < count; i++) {
		if (v[i].skip || !v[i].has_platform)
			continue;
		mica_platform_format(&v[i].platform, text);
		mica_oci_names_add(&names, text);
	}
	mica_platform_format(want, text);
	return mica_err_set(err, MICA_E_USAGE, "has no image for %s (see --platform); it has: %s",
			    text, names.len ? names.text : "none that says what it is for");
}

/* Of those that are left. lone: a single one is taken without a look at its platform. */
static int entries_by_platform(const struct entry *v, size_t count,
			       const struct mica_image_ref *image, bool lone,
			       struct mica_oci_desc *out, struct mica_err *err)
{
	const struct entry *best = NULL, *any = NULL;
	struct mica_platform want;
	unsigned int best_rank = 0;
	size_t left = 0, silent = 0;

	if (image->platform)
		want = *image->platform;
	else
		mica_platform_host(&want);
	for (size_t i = 0; i < count; i++) {
		unsigned int rank;

		if (v[i].skip)
			continue;
		any = &v[i];
		left++;
		silent += !v[i].has_platform;
		rank = v[i].has_platform ? mica_platform_rank(&want, &v[i].platform) : 0;
		if (rank <= best_rank)
			continue;
		best = &v[i];
		best_rank = rank;
	}
	if (!left)
		return mica_err_set(err, MICA_E_INPUT, "has no image");
	/* an explicit platform is compared with the config later */
	if (left == 1 && (lone || !any->has_platform))
		best = any;
	if (!best && silent == left)
		return mica_err_set(err, MICA_E_USAGE,
				    "has several images; say which, behind a colon: %s",
				    tags_of(v, count).text);
	if (!best)
		return no_platform(v, count, &want, err);
	*out = best->desc;
	return 0;
}

int mica_oci_choose(const struct mica_json_value *index, const struct mica_image_ref *image,
		    bool top, struct mica_oci_desc *out, struct mica_err *err)
{
	struct entry *v cleanup(entries_cleanup) = NULL;
	const struct mica_json_value *list;
	size_t count, place;
	bool by_place = false;
	int ret = mica_json_get_list(index, "manifests", &list, err);

	if (ret)
		return ret;
	count = mica_json_list_len(list);
	ret = entries_parse(list, &v, err);
	if (!ret && top)
		ret = mica_oci_place(image->tag, count, &by_place, &place, err);
	if (ret)
		return ret;
	if (by_place) {
		*out = v[place].desc;
		return 0;
	}
	if (top)
		ret = entries_by_tag(v, count, image->tag, err);
	return ret ? ret : entries_by_platform(v, count, image, top, out, err);
}
