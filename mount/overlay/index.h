/* SPDX-License-Identifier: MIT */
/*
 * The names of a lower file that has several stay together when it is copied up: the copy
 * lies in WORK/index under a name made of its origin, as overlayfs has it with index=on,
 * and in the upper directory only under those of its names that needed one.
 */
#ifndef MICA_OVERLAY_INDEX_H
#define MICA_OVERLAY_INDEX_H

#include "node.h"
#include "origin.h"

/* The name in the index; false: this origin cannot be one. */
bool mica_index_name(const struct mica_origin *origin, char name[NAME_MAX + 1]);

/* Opens the index below the work directory's fd, makes it when it is missing. -1: there is none */
void mica_index_open(struct mica_upper *u);

/* The copy of what lies at a place, as a node's descriptor; -ENOENT: there is none */
int mica_index_find(struct mica_ovl *ovl, const struct mica_place *lower, int *fd);

/* The node's copy has so many more names in the merged tree than links in the upper directory. */
int mica_index_set_extra(struct mica_ovl *ovl, struct mica_node *node, long extra);
long mica_index_extra(const struct mica_place *at);

/* The node lost a name that was in a lower layer only (extra), or in the upper directory. */
void mica_index_name_lost(struct mica_ovl *ovl, struct mica_node *node, bool extra);

#endif
