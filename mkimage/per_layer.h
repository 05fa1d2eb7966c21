/* SPDX-License-Identifier: MIT */
/* One image for each layer, several at once, to be stacked by overlayfs. */
#ifndef MICA_MKIMAGE_PER_LAYER_H
#define MICA_MKIMAGE_PER_LAYER_H

#include "build.h"

/* Called from any thread, one call at a time. */
struct mica_per_layer_events {
	void (*progress)(void *ctx, const struct mica_build_state *state); /* may be NULL */
	/* As in struct mica_build_events, for the image of the layer at index. May be NULL. */
	void (*outfile)(void *ctx, size_t index, struct mica_outfile *f);
	void *ctx;
};

/*
 * Where the images go: out is a directory, which is made if need be (*made), or
 * a path with %n, the layer's number from the bottom, or %d, the first digits of
 * its digest. *targets: one for each layer, for mica_per_layer_names_free().
 */
int mica_per_layer_names(const char *out, const struct mica_layers *layers, char ***targets,
			 bool *made, struct mica_err *err);
void mica_per_layer_names_free(char **targets, size_t count);

/*
 * opts->jobs is divided among them. user: overlayfs' attributes in "user.", not
 * "trusted.". stats: one for each layer. All images appear, or none.
 */
int mica_per_layer(char *const *targets, const struct mica_layers *layers,
		   const struct mica_build_opts *opts, bool user, struct mica_report *report,
		   const struct mica_per_layer_events *events, struct mica_build_stats *stats,
		   struct mica_err *err);

#endif
