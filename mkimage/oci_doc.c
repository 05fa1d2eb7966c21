/* SPDX-License-Identifier: MIT */
/* Documents of image layouts: descriptors, what they name, configs. */
#include <inttypes.h>
#include <string.h>

#include "../lib/util.h"
#include "oci_impl.h"
#include "quote.h"

static const struct {
	const char *type;
	enum mica_oci_kind kind;
} kinds[] = {
	{"application/vnd.oci.image.index.v1+json", MICA_OCI_INDEX},
	{"application/vnd.docker.distribution.manifest.list.v2+json", MICA_OCI_INDEX},
	{"application/vnd.oci.image.manifest.v1+json", MICA_OCI_MANIFEST},
	{"application/vnd.docker.distribution.manifest.v2+json", MICA_OCI_MANIFEST},
};

int mica_oci_desc(const struct mica_json_value *json, struct mica_oci_desc *out,
		  struct mica_err *err)
{
	struct mica_oci_desc d = {.json = json};
	char text[MICA_DIGEST_TEXT];
	const char *digest;
	int ret = mica_json_get_text(json, "digest", &digest, err);

	if (!ret && !digest)
		ret = mica_err_set(err, MICA_E_INPUT, "'digest' is missing");
	if (!ret)
		ret = mica_digest_parse(digest, &d.digest, err);
	if (!ret)
		ret = mica_json_get_text(json, "mediaType", &d.type, err);
	if (!ret)
		ret = mica_json_get_u64(json, "size", &d.size, err);
	if (ret)
		return ret;
	mica_digest_format(&d.digest, text);
	snprintf(d.path, sizeof(d.path), "blobs/%s", text);
	*strchr(d.path, ':') = '/';
	*out = d;
	return 0;
}

int mica_oci_load(struct mica_store *store, const struct mica_oci_desc *desc,
		  struct mica_json_doc **out, struct mica_err *err)
{
	cleanup_free void *buf = NULL;
	size_t len;
	int ret = mica_store_read(store, desc->path, MICA_JSON_IN_MAX, &buf, &len, err);

	if (ret)
		return ret;
	if (len != desc->size)
		return mica_err_set(err, MICA_E_INPUT,
				    "'%s' has %zu bytes, its descriptor says %" PRIu64, desc->path,
				    len, desc->size);
	ret = mica_digest_check(&desc->digest, "blob", buf, len, err);
	if (!ret)
		ret = mica_json_doc_parse(buf, len, out, err);
	return ret ? mica_err_wrap(err, "'%s'", desc->path) : 0;
}

int mica_oci_load_name(struct mica_store *store, const char *name, struct mica_json_doc **out,
		       struct mica_err *err)
{
	cleanup_free void *buf = NULL;
	size_t len;
	int ret = mica_store_read(store, name, MICA_JSON_IN_MAX, &buf, &len, err);

	if (ret)
		return ret;
	ret = mica_json_doc_parse(buf, len, out, err);
	return ret ? mica_err_wrap(err, "'%s'", mica_quote(name).text) : 0;
}

/* A type that is known sets *kind, *known; "": the same as none. */
static int kind_of_type(const char *type, bool *known, enum mica_oci_kind *kind,
			struct mica_err *err)
{
	*known = false;
	if (!type || !*type)
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(type, kinds[i].type) != 0)
			continue;
		*known = true;
		*kind = kinds[i].kind;
		return 0;
	}
	return mica_err_set(err, MICA_E_UNSUPPORTED,
			    "media type '%s' is neither an image manifest nor an index",
			    mica_quote(type).text);
}

/* A document that could be read as both would show different images to different programs. */
static int kind_of_members(const struct mica_json_value *root, enum mica_oci_kind *kind,
			   struct mica_err *err)
{
	const struct mica_json_value *layers, *manifests;
	int ret = mica_json_get_list(root, "layers", &layers, err);

	if (!ret)
		ret = mica_json_get_list(root, "manifests", &manifests, err);
	if (ret)
		return ret;
	if (layers && manifests)
		return mica_err_set(err, MICA_E_INPUT, "has both 'layers' and 'manifests'");
	if (!layers && !manifests)
		return mica_err_set(err, MICA_E_INPUT, "has neither 'layers' nor 'manifests'");
	*kind = layers ? MICA_OCI_MANIFEST : MICA_OCI_INDEX;
	return 0;
}

int mica_oci_kind(const char *type, const struct mica_json_value *root, enum mica_oci_kind *out,
		  struct mica_err *err)
{
	enum mica_oci_kind by_desc = 0, by_doc = 0, by_members = 0;
	bool desc_known = false, doc_known = false;
	const char *own;
	uint64_t version;
	int ret = kind_of_type(type, &desc_known, &by_desc, err);

	if (!ret)
		ret = mica_json_get_u64(root, "schemaVersion", &version, err);
	if (!ret && version != 2)
		ret = mica_err_set(err, MICA_E_UNSUPPORTED,
				   "schemaVersion %" PRIu64 ", only 2 is read", version);
	if (!ret)
		ret = mica_json_get_text(root, "mediaType", &own, err);
	if (!ret)
		ret = kind_of_type(own, &doc_known, &by_doc, err);
	if (!ret)
		ret = kind_of_members(root, &by_members, err);
	if (ret)
		return ret;
	if (desc_known && own && *own && strcmp(type, own) != 0)
		return mica_err_set(err, MICA_E_INPUT,
				    "mediaType is '%s', the descriptor says '%s'", own, type);
	if ((desc_known && by_desc != by_members) || (doc_known && by_doc != by_members))
		return mica_err_set(err, MICA_E_INPUT, "media type '%s' does not fit its members",
				    desc_known ? type : own);
	*out = by_members;
	return 0;
}

int mica_oci_platform(const struct mica_json_value *json, struct mica_platform *out, bool *known,
		      struct mica_err *err)
{
	const char *os, *arch, *variant;
	int ret = mica_json_get_text(json, "os", &os, err);

	if (!ret)
		ret = mica_json_get_text(json, "architecture", &arch, err);
	if (!ret)
		ret = mica_json_get_text(json, "variant", &variant, err);
	if (ret)
		return ret;
	*known = os && arch && mica_platform_set(out, os, arch, variant);
	return 0;
}

int mica_oci_config(const struct mica_json_value *config, const struct mica_image_ref *image,
		    size_t count, const struct mica_json_value **diff_ids, struct mica_err *err)
{
	char has[MICA_PLATFORM_TEXT], want[MICA_PLATFORM_TEXT];
	const struct mica_json_value *rootfs;
	struct mica_platform platform;
	bool known;
	int ret = mica_oci_platform(config, &platform, &known, err);

	if (!ret)
		ret = mica_json_get_object(config, "rootfs", &rootfs, err);
	if (!ret && !rootfs)
		ret = mica_err_set(err, MICA_E_INPUT, "'rootfs' is missing");
	if (!ret)
		ret = mica_json_get_list(rootfs, "diff_ids", diff_ids, err);
	if (ret)
		return mica_err_wrap(err, "config");
	if (mica_json_list_len(*diff_ids) != count)
		return mica_err_set(err, MICA_E_INPUT, "config: %zu diff_ids for %zu layers",
				    mica_json_list_len(*diff_ids), count);
	if (!image->platform || !known || mica_platform_rank(image->platform, &platform))
		return 0;
	mica_platform_format(image->platform, want);
	mica_platform_format(&platform, has);
	return mica_err_set(err, MICA_E_USAGE, "the image is for %s, not for %s", has, want);
}

int mica_oci_diff_id(const struct mica_json_value *diff_ids, size_t i, struct mica_layer *layer,
		     struct mica_err *err)
{
	const char *text = mica_json_text(mica_json_list_at(diff_ids, i));
	int ret = text ? mica_digest_parse(text, &layer->diff_id, err)
		       : mica_err_set(err, MICA_E_INPUT, "is no text");

	layer->has_diff_id = !ret;
	return ret ? mica_err_wrap(err, "config: diff_ids[%zu]", i) : 0;
}
