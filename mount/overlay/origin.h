/* SPDX-License-Identifier: MIT */
/*
 * Where a copied-up file came from: overlayfs' origin xattr (struct ovl_fh of the
 * kernel's fs/overlayfs/overlayfs.h, a file handle with the UUID of its file system).
 * It keeps st_ino the same over a copy-up, and the names of a hard-linked file together.
 */
#ifndef MICA_OVERLAY_ORIGIN_H
#define MICA_OVERLAY_ORIGIN_H

#include "overlay.h"

#define MICA_ORIGIN_MAX 152 /* header and the largest handle */

struct mica_origin {
	size_t len; /* bytes, 0: none */
	uint8_t bytes[MICA_ORIGIN_MAX];
};

/* The origin of what lies in a lower layer; len 0 where it has no handle. */
void mica_origin_make(const struct mica_place *at, struct mica_origin *out);

/* The number (see MICA_OVL_INO_BITS) of what an origin names; 0: nothing that is known here. */
uint64_t mica_origin_number(const struct mica_ovl *ovl, const struct mica_origin *origin);

/* The number of an inode of a layer. */
uint64_t mica_ovl_number(const struct mica_ovl_layer *layer, uint64_t ino);

#endif
