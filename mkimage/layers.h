/* SPDX-License-Identifier: MIT */
/*
 * What the operands of mkimage name: a list of layers, bottom to top. A tar or
 * a directory is one; an image in a layout (prefixes "oci:", "oci-archive:" and
 * "docker-archive:", as skopeo names them) has several.
 */
#ifndef MICA_MKIMAGE_LAYERS_H
#define MICA_MKIMAGE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/digest.h"
#include "platform.h"
#include "source.h"
#include "store.h"

struct mica_layer {
	char *name;		  /* for messages; owned */
	char *path;		  /* in the store, or of a source by itself; owned */
	struct mica_store *store; /* the list's; NULL: none */
	bool image;		  /* an EROFS image, whatever else it might be as well */
	bool ignore_zeros;	  /* of a tar by itself: as mica_source_ignore_zeros() */
	bool has_digest, has_diff_id, has_size;
	struct mica_digest digest;  /* of the stored bytes */
	struct mica_digest diff_id; /* of the decompressed ones */
	uint64_t size;		    /* stored bytes */
};

/* All zeros: an empty list. */
struct mica_layers {
	struct mica_layer *v;
	size_t count, cap;
	struct mica_store **stores;
	size_t store_count;
};

/* Everything is borrowed. */
struct mica_layers_opts {
	const struct mica_platform *platform; /* NULL: that of this machine */
	const char *scratch;		      /* scratch files stand beside it */
	bool ignore_zeros;		      /* of tars that are operands */
	struct mica_report *report;
};

/* Append the layers of an operand. */
int mica_layers_add(struct mica_layers *layers, const char *operand,
		    const struct mica_layers_opts *opts, struct mica_err *err);

/* The operand is read from standard input. */
bool mica_layers_is_stdin(const char *operand);

/* Append one layer, a copy of which name and path are strings of its own. */
int mica_layers_push(struct mica_layers *layers, const struct mica_layer *layer,
		     struct mica_err *err);

void mica_layers_free(struct mica_layers *layers);

/* It can be opened again and at any time: no pipe. */
bool mica_layer_is_lasting(const struct mica_layer *layer);

int mica_layer_open(const struct mica_layer *layer, struct mica_report *report,
		    struct mica_source **out, struct mica_err *err);

#endif
