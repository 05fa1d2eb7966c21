/* SPDX-License-Identifier: MIT */
/* What the readers of OCI and docker documents share. */
#ifndef MICA_MKIMAGE_OCI_IMPL_H
#define MICA_MKIMAGE_OCI_IMPL_H

#include "../lib/json_in.h"
#include "oci.h"

/* A descriptor; what it points to lives as long as its document. */
struct mica_oci_desc {
	const char *type; /* media type, NULL: not said */
	struct mica_digest digest;
	uint64_t size;
	char path[sizeof("blobs/") + MICA_DIGEST_TEXT];
	const struct mica_json_value *json;
};

int mica_oci_desc(const struct mica_json_value *json, struct mica_oci_desc *out,
		  struct mica_err *err);

/* Read and prove the document that a descriptor names. */
int mica_oci_load(struct mica_store *store, const struct mica_oci_desc *desc,
		  struct mica_json_doc **out, struct mica_err *err);

/* A document by its name, which nothing proves. */
int mica_oci_load_name(struct mica_store *store, const char *name, struct mica_json_doc **out,
		       struct mica_err *err);

enum mica_oci_kind {
	MICA_OCI_INDEX,
	MICA_OCI_MANIFEST,
};

/* What a document is, by the type that its descriptor and it itself have (NULL: not said). */
int mica_oci_kind(const char *type, const struct mica_json_value *root, enum mica_oci_kind *out,
		  struct mica_err *err);

/* The member "platform" of a descriptor, or a config's own members; *known: there is one. */
int mica_oci_platform(const struct mica_json_value *json, struct mica_platform *out, bool *known,
		      struct mica_err *err);

/*
 * The descriptor in index that image means. top: index.json, which has tags;
 * else the platform alone chooses.
 */
int mica_oci_choose(const struct mica_json_value *index, const struct mica_image_ref *image,
		    bool top, struct mica_oci_desc *out, struct mica_err *err);

/* "@N" as the place in a list of len; what: "image"; *is false: tag is no such thing. */
int mica_oci_place(const char *tag, size_t len, bool *is, size_t *out, struct mica_err *err);

/* Names for an error's message, as many as fit. All zeros: none yet. */
struct mica_oci_names {
	char text[560];
	size_t len;
	bool full;
};

void mica_oci_names_add(struct mica_oci_names *names, const char *name);

/* The checked list of diff_ids of a config, for count layers; and that it fits the platform. */
int mica_oci_config(const struct mica_json_value *config, const struct mica_image_ref *image,
		    size_t count, const struct mica_json_value **diff_ids, struct mica_err *err);

int mica_oci_diff_id(const struct mica_json_value *diff_ids, size_t i, struct mica_layer *layer,
		     struct mica_err *err);

#endif
