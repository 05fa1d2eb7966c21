/* SPDX-License-Identifier: MIT */
#include "oci.h"

#include <string.h>

#include "../lib/util.h"
#include "oci_impl.h"
#include "quote.h"

#define NESTING_MAX 8 /* indexes in indexes */

static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.oci.image.layer.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
	"application/vnd.docker.image.rootfs.diff.tar.zstd",
};

static const char *const config_types[] = {
	"application/vnd.oci.image.config.v1+json",
	"application/vnd.docker.container.image.v1+json",
};

static bool type_is_among(const char *type, const char *const *types, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

static int layer_check_type(const char *type, struct mica_err *err)
{
	const char *why = "is no kind of tar layer that is read";

	if (type && type_is_among(type, layer_types, sizeof(layer_types) / sizeof(layer_types[0])))
		return 0;
	if (!type)
		return mica_err_set(err, MICA_E_INPUT, "'mediaType' is missing");
	if (strstr(type, "+encrypted"))
		why = "is an encrypted layer; decrypt the image first";
	else if (strstr(type, ".nondistributable.") || strstr(type, ".foreign."))
		why = "is a foreign layer, which is not kept in layouts";
	return mica_err_set(err, MICA_E_UNSUPPORTED, "media type '%s' %s", mica_quote(type).text,
			    why);
}

/* That the blob is there; what it holds is seen when it is read. */
static int layer_probe(struct mica_store *store, const struct mica_layer *layer,
		       struct mica_err *err)
{
	struct mica_store_file file;
	int ret = mica_store_find(store, layer->path, &file, err);

	if (!ret)
		close(file.fd);
	return ret;
}

static int manifest_layer(struct mica_store *store, const struct mica_json_value *json,
			  const struct mica_json_value *diff_ids, size_t i,
			  const struct mica_image_ref *image, struct mica_layers *layers,
			  struct mica_err *err)
{
	cleanup_free char *name = NULL;
	struct mica_oci_desc desc;
	struct mica_layer layer = {.store = store, .path = desc.path};
	char digest[MICA_DIGEST_TEXT];
	int ret = mica_oci_desc(json, &desc, err);

	if (!ret)
		ret = layer_check_type(desc.type, err);
	if (!ret)
		ret = mica_oci_diff_id(diff_ids, i, &layer, err);
	if (!ret)
		ret = layer_probe(store, &layer, err);
	if (ret)
		return mica_err_wrap(err, "layers[%zu]", i);
	mica_digest_format(&desc.digest, digest);
	if (asprintf(&name, "%s: layers[%zu] %s", image->operand, i, digest) < 0) {
		name = NULL;
		return mica_err_nomem(err);
	}
	layer.name = name;
	layer.digest = desc.digest;
	layer.size = desc.size;
	layer.has_digest = layer.has_size = true;
	return mica_layers_push(layers, &layer, err);
}

static int manifest_config(struct mica_store *store, const struct mica_json_value *manifest,
			   struct mica_json_doc **out, struct mica_err *err)
{
	const struct mica_json_value *json;
	struct mica_oci_desc desc;
	int ret = mica_json_get_object(manifest, "config", &json, err);

	if (!ret && !json)
		ret = mica_err_set(err, MICA_E_INPUT, "'config' is missing");
	if (ret)
		return ret;
	ret = mica_oci_desc(json, &desc, err);
	if (!ret && desc.type &&
	    !type_is_among(desc.type, config_types, sizeof(config_types) / sizeof(config_types[0])))
		ret = mica_err_set(err, MICA_E_UNSUPPORTED,
				   "media type '%s' is not that of an image",
				   mica_quote(desc.type).text);
	if (!ret)
		ret = mica_oci_load(store, &desc, out, err);
	return ret ? mica_err_wrap(err, "config") : 0;
}

static int manifest_read(struct mica_store *store, const struct mica_json_value *manifest,
			 const struct mica_image_ref *image, struct mica_layers *layers,
			 struct mica_err *err)
{
	struct mica_json_doc *config cleanup_json_doc = NULL;
	const struct mica_json_value *list, *diff_ids;
	int ret = mica_json_get_list(manifest, "layers", &list, err);

	if (!ret)
		ret = manifest_config(store, manifest, &config, err);
	if (!ret)
		ret = mica_oci_config(mica_json_doc_root(config), image, mica_json_list_len(list),
				      &diff_ids, err);
	for (size_t i = 0; !ret && i < mica_json_list_len(list); i++)
		ret = manifest_layer(store, mica_json_list_at(list, i), diff_ids, i, image, layers,
				     err);
	return ret;
}

static int layout_check(struct mica_store *store, struct mica_err *err)
{
	struct mica_json_doc *doc cleanup_json_doc = NULL;
	const char *version;
	int ret = mica_oci_load_name(store, "oci-layout", &doc, err);

	if (ret == MICA_E_NOENT)
		return mica_err_wrap(err, "is no OCI image layout");
	if (!ret)
		ret = mica_json_get_text(mica_json_doc_root(doc), "imageLayoutVersion", &version,
					 err);
	if (ret)
		return ret;
	if (!version || strncmp(version, "1.", 2) != 0)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "'oci-layout': version '%s', only 1.x is read",
				    mica_quote(version && *version ? version : "none").text);
	return 0;
}

int mica_oci_layers(struct mica_store *store, const struct mica_image_ref *image,
		    struct mica_layers *layers, struct mica_err *err)
{
	struct mica_json_doc *doc cleanup_json_doc = NULL;
	enum mica_oci_kind kind;
	int ret = layout_check(store, err);

	if (!ret)
		ret = mica_oci_load_name(store, "index.json", &doc, err);
	if (!ret)
		ret = mica_oci_kind(NULL, mica_json_doc_root(doc), &kind, err);
	if (!ret && kind != MICA_OCI_INDEX)
		ret = mica_err_set(err, MICA_E_INPUT, "'index.json' is no index");
	for (unsigned int depth = 0; !ret && kind == MICA_OCI_INDEX; depth++) {
		struct mica_json_doc *next = NULL;
		struct mica_oci_desc desc;

		if (depth == NESTING_MAX)
			return mica_err_set(err, MICA_E_LIMIT,
					    "indexes are nested more than %d deep", NESTING_MAX);
		ret = mica_oci_choose(mica_json_doc_root(doc), image, !depth, &desc, err);
		if (!ret)
			ret = mica_oci_load(store, &desc, &next, err);
		if (ret)
			break;
		ret = mica_oci_kind(desc.type, mica_json_doc_root(next), &kind, err);
		if (ret)
			mica_err_wrap(err, "'%s'", desc.path);
		/* desc points into the old one */
		mica_json_doc_free(doc);
		doc = next;
	}
	return ret ? ret : manifest_read(store, mica_json_doc_root(doc), image, layers, err);
}
