/* SPDX-License-Identifier: MIT */
#include "layers.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "docker_archive.h"
#include "oci.h"
#include "quote.h"
#include "tar_stream.h"

enum layout_kind {
	LAYOUT_OCI,
	LAYOUT_OCI_ARCHIVE,
	LAYOUT_DOCKER_ARCHIVE,
	LAYOUT_NONE,
};

static const char *const prefixes[] = {"oci:", "oci-archive:", "docker-archive:"};

static enum layout_kind layout_kind(const char *operand)
{
	unsigned int kind = LAYOUT_OCI;

	while (kind < LAYOUT_NONE && strncmp(operand, prefixes[kind], strlen(prefixes[kind])))
		kind++;
	return (enum layout_kind)kind;
}

int mica_layers_push(struct mica_layers *layers, const struct mica_layer *layer,
		     struct mica_err *err)
{
	struct mica_layer own = *layer;

	if (layers->count == layers->cap) {
		size_t cap = layers->cap ? 2 * layers->cap : 16;
		struct mica_layer *grown = reallocarray(layers->v, cap, sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		layers->v = grown;
		layers->cap = cap;
	}
	own.name = strdup(layer->name);
	own.path = strdup(layer->path);
	if (!own.name || !own.path) {
		free(own.name);
		free(own.path);
		return mica_err_nomem(err);
	}
	layers->v[layers->count++] = own;
	return 0;
}

/* The list frees the store. */
static int layers_own(struct mica_layers *layers, struct mica_store *store, struct mica_err *err)
{
	struct mica_store **grown =
		reallocarray(layers->stores, layers->store_count + 1, sizeof(struct mica_store *));

	if (!grown) {
		mica_store_free(store);
		return mica_err_nomem(err);
	}
	grown[layers->store_count++] = store;
	layers->stores = grown;
	return 0;
}

bool mica_layers_is_stdin(const char *operand)
{
	enum layout_kind kind = layout_kind(operand);

	if (kind == LAYOUT_OCI)
		return false;
	if (kind != LAYOUT_NONE)
		operand += strlen(prefixes[kind]);
	return operand[0] == '-' && (!operand[1] || (kind != LAYOUT_NONE && operand[1] == ':'));
}

static int layout_add(struct mica_layers *layers, enum layout_kind kind, const char *operand,
		      const struct mica_layers_opts *opts, struct mica_err *err)
{
	cleanup_free char *path = strdup(operand + strlen(prefixes[kind]));
	struct mica_image_ref image = {.operand = operand, .platform = opts->platform};
	struct mica_store *store;
	char *colon;
	int ret;

	if (!path)
		return mica_err_nomem(err);
	colon = strchr(path, ':');
	if (colon) {
		*colon = '\0';
		image.tag = colon + 1;
	}
	if (!*path || (image.tag && !*image.tag))
		return mica_err_set(err, MICA_E_USAGE, "no %s behind '%s'", *path ? "tag" : "path",
				    *path ? path : prefixes[kind]);
	if (kind == LAYOUT_OCI)
		ret = mica_store_open_dir(path, &store, err);
	else
		ret = mica_store_open_archive(path, opts->scratch, opts->report, &store, err);
	if (!ret)
		ret = layers_own(layers, store, err);
	if (ret)
		return ret;
	return kind == LAYOUT_DOCKER_ARCHIVE ? mica_docker_layers(store, &image, layers, err)
					     : mica_oci_layers(store, &image, layers, err);
}

int mica_layers_add(struct mica_layers *layers, const char *operand,
		    const struct mica_layers_opts *opts, struct mica_err *err)
{
	enum layout_kind kind = layout_kind(operand);
	struct mica_layer layer = {.name = (char *)operand,
				   .path = (char *)operand,
				   .ignore_zeros = opts->ignore_zeros};
	int ret;

	if (kind == LAYOUT_NONE)
		return mica_layers_push(layers, &layer, err);
	ret = layout_add(layers, kind, operand, opts, err);
	return ret ? mica_err_wrap(err, "%s", operand) : 0;
}

void mica_layers_free(struct mica_layers *layers)
{
	for (size_t i = 0; i < layers->count; i++) {
		free(layers->v[i].name);
		free(layers->v[i].path);
	}
	for (size_t i = 0; i < layers->store_count; i++)
		mica_store_free(layers->stores[i]);
	free(layers->v);
	free(layers->stores);
	*layers = (struct mica_layers){0};
}

bool mica_layer_is_lasting(const struct mica_layer *layer)
{
	struct stat st;

	return layer->store || (strcmp(layer->path, "-") != 0 && !stat(layer->path, &st) &&
				(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)));
}

int mica_layer_open(const struct mica_layer *layer, struct mica_report *report,
		    struct mica_source **out, struct mica_err *err)
{
	struct mica_tar_stream_spec spec = {
		.blob.window = true,
		.blob.digest = layer->has_digest ? &layer->digest : NULL,
		.diff_id = layer->has_diff_id ? &layer->diff_id : NULL,
		.strict = true,
	};
	struct mica_store_file file;
	int ret;

	if (!layer->store) {
		ret = layer->image ? mica_source_open_image(layer->path, report, out, err)
				   : mica_source_open(layer->path, report, out, err);
		if (!ret && layer->ignore_zeros)
			mica_source_ignore_zeros(*out);
		return ret;
	}
	ret = mica_store_find(layer->store, layer->path, &file, err);
	if (ret)
		return mica_err_wrap(err, "%s", layer->name);
	spec.blob.fd = file.fd;
	spec.blob.off = file.off;
	spec.blob.len = file.size;
	if (layer->has_size && file.size != layer->size)
		ret = mica_err_set(err, MICA_E_INPUT,
				   "%s: '%s' has %" PRIu64 " bytes, its descriptor says %" PRIu64,
				   layer->name, mica_quote(layer->path).text, file.size,
				   layer->size);
	if (!ret)
		ret = mica_source_open_tar(layer->name, &spec, report, out, err);
	if (ret)
		close(file.fd);
	return ret;
}
