/* SPDX-License-Identifier: MIT */
/*
 * Copying up: what is about to change comes into the upper directory, with all that
 * belongs to it, and appears there whole or not at all.
 */
#ifndef MICA_OVERLAY_COPYUP_H
#define MICA_OVERLAY_COPYUP_H

#include "node.h"

/*
 * Has a node and the directories above it in the upper directory. size: so many bytes of
 * a file are enough, since it is about to be cut there; UINT64_MAX: all. The tree's lock is held.
 */
int mica_copy_up(struct mica_ovl *ovl, struct mica_node *node, uint64_t size);

/* The same, but a file's data may stay below, where it is read until mica_copy_up(). */
int mica_copy_up_meta(struct mica_ovl *ovl, struct mica_node *node);

/* Says in the upper directory that a directory holds what came from below. */
int mica_copy_up_impure(struct mica_ovl *ovl, struct mica_node *dir);

/* Part of it, for those who give a lower object another place: see copyup_data.c, _attr.c */
int mica_copy_data(const struct mica_place *from, int to, uint64_t size);
/* owners: of the upper directory's layer */
int mica_copy_attrs(const struct mica_place *from, const struct stat *st, int to,
		    const char *owners);

#endif
