/* SPDX-License-Identifier: MIT */
/* OCI image layouts: from a tag and a platform to the layers of an image. */
#ifndef MICA_MKIMAGE_OCI_H
#define MICA_MKIMAGE_OCI_H

#include "layers.h"

/* Which image of a layout is meant. */
struct mica_image_ref {
	const char *operand;		      /* as the user has it, for names of layers */
	const char *tag;		      /* NULL: none; "@N": the one at place N */
	const struct mica_platform *platform; /* NULL: that of this machine */
};

/* Appends the image's layers. Every document is proved by its digest. */
int mica_oci_layers(struct mica_store *store, const struct mica_image_ref *image,
		    struct mica_layers *layers, struct mica_err *err);

#endif
