/* SPDX-License-Identifier: MIT */
/*
 * Images of single layers, to be stacked by overlayfs. What a layer does to
 * those below has to be in its image: whiteouts as 0:0 devices, opaque
 * directories as an attribute. And what it leaves to those below has to be
 * there, too: overlayfs takes a directory's attributes from the topmost layer
 * that has it, whether the archive had an entry for it or not.
 *
 * So the layers are settled one after another, bottom first, each against the
 * names that show through from below. Many threads may build them meanwhile.
 */
#ifndef MICA_MKIMAGE_STACK_H
#define MICA_MKIMAGE_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include "../lib/tree.h"
#include "xattrs.h"

struct mica_stack;

/* path: scratch space lies beside it. user: attributes in "user.overlay.", not "trusted.overlay." */
int mica_stack_new(const char *path, bool user, struct mica_stack **out, struct mica_err *err);
void mica_stack_free(struct mica_stack *stack);

/*
 * tree holds all of the layer at index (0: the bottom) and nothing else; not
 * finished yet. Waits for the layers below; they must have been started.
 */
int mica_stack_settle(struct mica_stack *stack, size_t index, struct mica_tree *tree,
		      struct mica_xattrs *xattrs, struct mica_err *err);

/* A layer failed: those that wait for it fail as well, with errno ECANCELED. */
void mica_stack_cancel(struct mica_stack *stack);

#endif
