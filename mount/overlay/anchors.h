/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of directories in the upper directory, so that what is asked of a name in one
 * is one system call at that name: no walk down from the root, nothing opened and closed. As many as the
 * process can spare; the tree's lock keeps them open while they are used.
 */
#ifndef MICA_OVERLAY_ANCHORS_H
#define MICA_OVERLAY_ANCHORS_H

#include "node.h"

int mica_anchors_new(struct mica_anchors **out);
void mica_anchors_free(struct mica_anchors *anchors);

/*
 * Opens dir, which is at a place, for paths to begin at, unless there are too many already. must: even
 * then. The tree's lock is held. 0 also when it was not done.
 */
int mica_anchor_open(const struct mica_ovl *ovl, struct mica_node *dir, const struct mica_place *at,
		     bool must);

/* The node's descriptor is its own from now on, to be closed with it. */
void mica_anchor_keep(const struct mica_ovl *ovl, struct mica_node *node);

/* Makes room when there were too many. No lock is held. */
void mica_anchors_trim(struct mica_ovl *ovl);

#endif
