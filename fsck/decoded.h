/* SPDX-License-Identifier: MIT */
/*
 * What reads of an image cost in decoding. A compressed cluster is decoded as a
 * whole, or up to the byte that is wanted; the larger clusters are, the smaller
 * is the image and the dearer a small read.
 */
#ifndef MICA_FSCK_DECODED_H
#define MICA_FSCK_DECODED_H

#include "../lib/image.h"
#include "../lib/nidmap.h"

struct mica_decoded_cluster {
	uint64_t decoded; /* bytes that it decodes to, as far as any file uses it */
	uint64_t wanted;  /* bytes of files that lie in it, shared ones as often as shared */
};

struct mica_decoded {
	struct mica_nidmap index; /* place in the image: index into clusters */
	struct mica_decoded_cluster *clusters;
	size_t cap;
	uint64_t plain; /* bytes of files that need no decoding */
};

/* Counts one extent of a file; a fragment counts for the cluster that holds its first byte. */
int mica_decoded_extent(struct mica_decoded *d, struct mica_image *img, const struct mica_extent *e,
			struct mica_err *err);

/* Counts the clusters of the packed inode, if the image has one. */
int mica_decoded_packed(struct mica_decoded *d, struct mica_image *img, struct mica_err *err);

/* Bytes that all clusters decode to, each counted once; their number is index.count. */
uint64_t mica_decoded_bytes(const struct mica_decoded *d);

/*
 * Mean bytes decoded for a read of at most one block at a place of which every
 * byte of every file is as likely; without holes. Plain data counts as one block.
 */
uint64_t mica_decoded_by_read(const struct mica_decoded *d, uint32_t block);

void mica_decoded_clear(struct mica_decoded *d);

#endif
