/* SPDX-License-Identifier: MIT */
/*
 * What a directory of the stack holds, in an order that a reader can be sent on in
 * after any change: first the names of the lower layers, which never change, in their
 * own order; then those that only the upper directory has, by a hash of the name. A
 * position in it is a number that needs nothing to be remembered for its reader, since
 * the kernel says neither OPENDIR nor RELEASEDIR.
 */
#ifndef MICA_OVERLAY_LISTING_H
#define MICA_OVERLAY_LISTING_H

#include "node.h"

struct mica_listing;

/*
 * The names in a directory, to be looked up: some may be gone. rewind: read the upper
 * directory afresh, as for a reader that begins. For mica_listing_put(). The tree's lock is held.
 */
int mica_listing_get(struct mica_ovl *ovl, struct mica_node *dir, bool rewind,
		     struct mica_listing **out);
void mica_listing_put(struct mica_listing *listing);

/* The name at a position (0 is the first) or the next one; *next is behind it. NULL: the end */
const char *mica_listing_at(const struct mica_listing *listing, uint64_t position, uint64_t *next);

/* A reader came to the end: the names are not kept any longer. */
void mica_listing_done(struct mica_ovl *ovl, struct mica_node *dir);

/* The node is forgotten. */
void mica_listing_drop(struct mica_node *node);

#endif
