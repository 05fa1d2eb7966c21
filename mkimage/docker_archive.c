/* SPDX-License-Identifier: MIT */
#include "docker_archive.h"

#include <string.h>

#include "../lib/util.h"
#include "oci_impl.h"
#include "pool.h"
#include "quote.h"
#include "source_impl.h"

/* "docker.io/library/busybox" as docker shows it: "busybox:latest" */
static char *ref_normalise(const char *ref)
{
	static const char *const usual[] = {"docker.io/", "library/"};
	const char *slash, *tag;
	char *out;

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!strncmp(ref, usual[i], strlen(usual[i])))
			ref += strlen(usual[i]);
	slash = strrchr(ref, '/');
	tag = strchr(slash ? slash : ref, ':');
	if (asprintf(&out, "%s%s", ref, tag ? "" : ":latest") < 0)
		return NULL;
	return out;
}

static int refs_equal(const char *a, const char *b, bool *equal, struct mica_err *err)
{
	cleanup_free char *x = ref_normalise(a);
	cleanup_free char *y = ref_normalise(b);

	if (!x || !y)
		return mica_err_nomem(err);
	*equal = !strcmp(x, y);
	return 0;
}

/* Whether one of an image's names is tag, and its names for a message. */
static int image_names(const struct mica_json_value *image, size_t place, const char *tag,
		       bool *called, struct mica_oci_names *names, struct mica_err *err)
{
	const struct mica_json_value *tags;
	char at[32];
	int ret = mica_json_get_list(image, "RepoTags", &tags, err);

	*called = false;
	for (size_t i = 0; !ret && i < mica_json_list_len(tags); i++) {
		const char *text = mica_json_text(mica_json_list_at(tags, i));
		bool equal = false;

		if (!text)
			return mica_err_set(err, MICA_E_INPUT, "RepoTags[%zu] is no text", i);
		mica_oci_names_add(names, text);
		if (tag)
			ret = refs_equal(text, tag, &equal, err);
		*called |= equal;
	}
	if (!ret && !mica_json_list_len(tags)) {
		snprintf(at, sizeof(at), "@%zu", place);
		mica_oci_names_add(names, at);
	}
	return ret;
}

static int image_choose(const struct mica_json_value *list, const char *tag,
			const struct mica_json_value **out, struct mica_err *err)
{
	size_t count = mica_json_list_len(list), place = count;
	struct mica_oci_names names = {0};
	bool by_place;
	int ret = mica_oci_place(tag, count, &by_place, &place, err);

	for (size_t i = 0; !ret && !by_place && i < count; i++) {
		bool called;

		ret = image_names(mica_json_list_at(list, i), i, tag, &called, &names, err);
		if (ret)
			return mica_err_wrap(err, "'manifest.json': image %zu", i);
		if (called)
			place = i;
	}
	if (ret)
		return ret;
	if (!count)
		return mica_err_set(err, MICA_E_INPUT, "'manifest.json' lists no image");
	if (!tag && count > 1)
		return mica_err_set(err, MICA_E_USAGE,
				    "has several images; say which, behind a colon: %s",
				    names.text);
	if (!tag)
		place = 0;
	if (place == count)
		return mica_err_set(err, MICA_E_USAGE, "has no image '%s'; it has: %s",
				    mica_quote(tag).text, names.text);
	*out = mica_json_list_at(list, place);
	return 0;
}

/*
 * Archives name a config, and some their layers, after the digest: HEX.json,
 * sha256:HEX, blobs/sha256/HEX.
 */
static bool name_is_digest(const char *path, struct mica_digest *digest)
{
	const char *name = strrchr(path, '/');
	char text[MICA_DIGEST_TEXT];
	size_t len;

	name = name ? name + 1 : path;
	if (!strncmp(name, "sha256:", strlen("sha256:")))
		name += strlen("sha256:");
	len = strcspn(name, ".");
	if (len != 64 || (name[len] && strcmp(name + len, ".json") != 0))
		return false;
	snprintf(text, sizeof(text), "sha256:%.64s", name);
	return !mica_digest_parse(text, digest, NULL);
}

static int config_load(struct mica_store *store, const char *path, struct mica_json_doc **out,
		       struct mica_err *err)
{
	cleanup_free void *buf = NULL;
	struct mica_digest digest;
	size_t len;
	int ret = mica_store_read(store, path, MICA_JSON_IN_MAX, &buf, &len, err);

	if (ret)
		return ret;
	if (name_is_digest(path, &digest))
		ret = mica_digest_check(&digest, "config", buf, len, err);
	if (!ret)
		ret = mica_json_doc_parse(buf, len, out, err);
	return ret ? mica_err_wrap(err, "'%s'", mica_quote(path).text) : 0;
}

static int layer_add(struct mica_store *store, char *path, const struct mica_json_value *diff_ids,
		     size_t i, const struct mica_image_ref *image, struct mica_layers *layers,
		     struct mica_err *err)
{
	struct mica_layer layer = {.store = store, .path = path};
	struct mica_store_file file;
	cleanup_free char *name = NULL;
	char diff_id[MICA_DIGEST_TEXT];
	int ret = mica_oci_diff_id(diff_ids, i, &layer, err);

	if (!ret)
		ret = mica_store_find(store, path, &file, err);
	if (ret)
		return ret;
	close(file.fd);
	layer.has_digest = !strncmp(path, "blobs/", 6) && name_is_digest(path, &layer.digest);
	mica_digest_format(&layer.diff_id, diff_id);
	if (asprintf(&name, "%s: Layers[%zu] %s", image->operand, i, diff_id) < 0) {
		name = NULL;
		return mica_err_nomem(err);
	}
	layer.name = name;
	return mica_layers_push(layers, &layer, err);
}

static void pool_cleanup(struct mica_pool *pool)
{
	mica_pool_free(pool);
}

/* Member names in manifest.json, as the store has them. */
static int member_name(struct mica_pool *pool, const char *text, const char *what, char **out,
		       struct mica_err *err)
{
	if (!text)
		return mica_err_set(err, MICA_E_INPUT, "'manifest.json': %s is missing", what);
	return mica_path_normalise(pool, text, strlen(text), what, out, err);
}

static int image_read(struct mica_store *store, const struct mica_json_value *json,
		      const struct mica_image_ref *image, struct mica_layers *layers,
		      struct mica_err *err)
{
	struct mica_json_doc *config cleanup_json_doc = NULL;
	struct mica_pool pool cleanup(pool_cleanup) = {0};
	const struct mica_json_value *list, *diff_ids;
	const char *text;
	char *path;
	int ret = mica_json_get_text(json, "Config", &text, err);

	if (!ret)
		ret = member_name(&pool, text, "Config", &path, err);
	if (!ret)
		ret = config_load(store, path, &config, err);
	if (!ret)
		ret = mica_json_get_list(json, "Layers", &list, err);
	if (!ret)
		ret = mica_oci_config(mica_json_doc_root(config), image, mica_json_list_len(list),
				      &diff_ids, err);
	for (size_t i = 0; !ret && i < mica_json_list_len(list); i++) {
		ret = member_name(&pool, mica_json_text(mica_json_list_at(list, i)), "a layer",
				  &path, err);
		if (!ret)
			ret = layer_add(store, path, diff_ids, i, image, layers, err);
		if (ret)
			mica_err_wrap(err, "Layers[%zu]", i);
	}
	return ret;
}

int mica_docker_layers(struct mica_store *store, const struct mica_image_ref *image,
		       struct mica_layers *layers, struct mica_err *err)
{
	struct mica_json_doc *doc cleanup_json_doc = NULL;
	const struct mica_json_value *json;
	int ret = mica_oci_load_name(store, "manifest.json", &doc, err);

	if (ret == MICA_E_NOENT)
		return mica_err_wrap(err, "is no archive of docker save");
	if (!ret)
		ret = image_choose(mica_json_doc_root(doc), image->tag, &json, err);
	return ret ? ret : image_read(store, json, image, layers, err);
}
