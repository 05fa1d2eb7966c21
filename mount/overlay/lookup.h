/* SPDX-License-Identifier: MIT */
/* Merging: what a name stands for once all layers have been asked, top to bottom. */
#ifndef MICA_OVERLAY_LOOKUP_H
#define MICA_OVERLAY_LOOKUP_H

#include "node.h"

/*
 * Looks a name up in a directory. 0: *out, with a use, and its attributes as they are
 * shown; -ENOENT. The tree's lock is held.
 */
int mica_ovl_lookup(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		    struct mica_node **out, struct stat *st);

/* The attributes of a node as they are shown. */
int mica_ovl_stat(struct mica_ovl *ovl, struct mica_node *node, struct stat *st);

/*
 * The node and the attributes of what was just made under a name, of which nothing is below. The
 * tree's lock is held for writing.
 */
int mica_ovl_made(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		  struct mica_node **out, struct stat *st);

/*
 * What the lower layers alone have under a name, as the upper directory's whiteouts and
 * opaque marks leave it to be seen. 0 or -ENOENT; *is_dir: a directory would be merged
 */
int mica_ovl_lower_has(struct mica_ovl *ovl, struct mica_node *dir, const char *name, bool *is_dir);

#endif
