/* SPDX-License-Identifier: MIT */
/*
 * Open descriptors of files that are read and written. The kernel sends no OPEN, so a
 * descriptor is opened when it is first needed, and the least used are closed when there
 * are too many.
 */
#ifndef MICA_OVERLAY_FILES_H
#define MICA_OVERLAY_FILES_H

#include "node.h"

struct mica_file {
	struct mica_node *node; /* NULL: dropped, closed with the last pin */
	int fd;			/* -1: of an image */
	bool writable;
	unsigned int pins;
	struct mica_file *newer, *older;
};

int mica_files_new(struct mica_files **out);
void mica_files_free(struct mica_files *files);

/* Pins an open descriptor of a regular file; the tree's lock is held. write: in the upper directory */
int mica_file_get(struct mica_ovl *ovl, struct mica_node *node, bool write, struct mica_file **out);
void mica_file_put(struct mica_ovl *ovl, struct mica_file *file);

/* The node's descriptor is not to be used any more: it was copied up, or is gone. */
void mica_file_drop(struct mica_ovl *ovl, struct mica_node *node);

#endif
