/* SPDX-License-Identifier: MIT */
/*
 * The checker of images, behind "mica fsck" and "mica mkimage --verify":
 * findings go to a callback, one at a time.
 */
#ifndef MICA_LIB_CHECK_H
#define MICA_LIB_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "image.h"

struct mica_check_finding {
	const char *
		structure; /* "superblock", "seal", "inode", "directory", "xattr", "extent", "data" */
	const char *path; /* "/a/b"; NULL: none is known */
	bool has_nid, has_offset;
	uint64_t nid;
	uint64_t offset;     /* byte offset in the image */
	const char *message; /* what was found and what is allowed */
};

struct mica_check_opts {
	bool data;	      /* decode every file */
	bool seal;	      /* compare the checksum of the whole image, when it has one */
	unsigned int threads; /* for decoding, at least 1 */
	void (*finding)(void *ctx, const struct mica_check_finding *f);
	void *ctx;
};

struct mica_check_result {
	uint64_t findings; /* errors of the image; more may have come than were shown */
	uint64_t troubles; /* I/O errors and the like: the check is not whole */
	bool checksum;	   /* the superblock has a checksum, and it is right */
	bool sealed;	   /* the image has a checksum over all of it, and it is right */
	bool seal_partial; /* but what layers hold, as devices or joined to it, has not */
	uint64_t image_bytes;
	uint64_t names, inodes, dirs, files, symlinks, others;
	uint64_t extents;	/* block map entries of all inodes */
	uint64_t pclusters;	/* decoded, each once */
	uint64_t bytes_logical; /* files and symlinks */
	uint64_t bytes_decoded;
	uint64_t bytes_plain; /* stored uncompressed, read */
};

/* At most this many findings of an image reach the callback; the rest is counted. */
#define MICA_CHECK_FINDINGS_MAX 100

/*
 * Checks one image, and closes its files in any case. Findings are no
 * failure: 0. A negative code means that nothing (more) could be checked: the
 * file cannot be read, memory ran out.
 */
int mica_check_image(struct mica_image_ios *ios, const struct mica_check_opts *opts,
		     struct mica_check_result *out, struct mica_err *err);

#endif
