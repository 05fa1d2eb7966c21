/* SPDX-License-Identifier: MIT */
/*
 * How an inode of the image looks from outside. The kernel's node number is
 * computed from the nid and back, so that nothing is remembered for a node and
 * a restarted server knows every node that the kernel still holds.
 */
#ifndef MICA_MOUNT_NODES_H
#define MICA_MOUNT_NODES_H

#include <stdint.h>
#include <sys/stat.h>

#include "../lib/image.h"

/*
 * 1 is the root in FUSE and 0 is no node, so nids are shifted by 2. Bit 63 (the
 * metabox) survives: offsets in an image stay far below it.
 */
#define MICA_NODE_ROOT	1
#define MICA_NODE_SHIFT 2

static inline uint64_t mica_node_from_nid(const struct mica_super *sb, uint64_t nid)
{
	return nid == sb->root_nid ? MICA_NODE_ROOT : nid + MICA_NODE_SHIFT;
}

static inline uint64_t mica_node_to_nid(const struct mica_super *sb, uint64_t node)
{
	return node == MICA_NODE_ROOT ? sb->root_nid : node - MICA_NODE_SHIFT;
}

void mica_node_stat(const struct mica_super *sb, const struct mica_inode *inode, struct stat *st);

#endif
