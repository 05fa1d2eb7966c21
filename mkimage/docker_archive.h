/* SPDX-License-Identifier: MIT */
/* Archives of "docker save" and "podman save": manifest.json, configs, layers. */
#ifndef MICA_MKIMAGE_DOCKER_ARCHIVE_H
#define MICA_MKIMAGE_DOCKER_ARCHIVE_H

#include "oci.h"

/* Appends the image's layers; image->tag is NAME[:TAG] here, or "@N". */
int mica_docker_layers(struct mica_store *store, const struct mica_image_ref *image,
		       struct mica_layers *layers, struct mica_err *err);

#endif
