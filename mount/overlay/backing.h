/* SPDX-License-Identifier: MIT */
/*
 * The passthrough profile: files that the kernel reads and writes by itself, without a
 * request, once it was given the host's file for them. It takes one way for all who have a
 * file open at a time: by its own file, always the same, or by requests.
 */
#ifndef MICA_OVERLAY_BACKING_H
#define MICA_OVERLAY_BACKING_H

#include <fuse_lowlevel.h>

#include "node.h"

/* Of a node that is open; guarded by the overlay's .backings. */
struct mica_backing {
	int id;		     /* the kernel's number of the host's file; 0: none */
	unsigned int backed; /* who has it open by that */
	unsigned int cached; /* and by requests */
};

/*
 * Somebody opens the node. fd: the host's file, which all of its data is in and stays in;
 * -1: there is none. The way is put into fi; req is the request, and is not answered.
 */
int mica_backing_open(fuse_req_t req, struct mica_node *node, int fd, struct fuse_file_info *fi);
/* And closes it, or did not get the answer. */
void mica_backing_close(fuse_req_t req, struct mica_node *node, const struct fuse_file_info *fi);

#endif
