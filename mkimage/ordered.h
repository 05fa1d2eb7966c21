/* SPDX-License-Identifier: MIT */
/*
 * mkimage --order: names of files in the order in which they are read, from a text
 * (lib/trace.h). Many builds may ask at the same time.
 */
#ifndef MICA_MKIMAGE_ORDERED_H
#define MICA_MKIMAGE_ORDERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/tree.h"

struct mica_ordered;

/* A name that comes twice has its first place. */
int mica_ordered_load(const char *file, struct mica_ordered **out, struct mica_err *err);
void mica_ordered_free(struct mica_ordered *o);

/* The place of a path in the order; false: it has none. The name counts as found. */
bool mica_ordered_find(const struct mica_ordered *o, const char *path, uint32_t *place);

/* Names that a finished tree has count as found, whatever they are. */
void mica_ordered_settle(const struct mica_ordered *o, struct mica_tree *tree);

/* How many were never found; *total: of how many, *first: the first of them, borrowed. */
size_t mica_ordered_missing(const struct mica_ordered *o, size_t *total, const char **first);

#endif
