/* SPDX-License-Identifier: MIT */
/*
 * --compat: the oldest kernel that must mount the image decides which features
 * may be used. Asked for early, so that nothing fails late.
 */
#ifndef MICA_MKIMAGE_COMPAT_H
#define MICA_MKIMAGE_COMPAT_H

#include <stdbool.h>

#include "../lib/codec.h"
#include "../lib/err.h"

#define MICA_KERNEL(major, minor) ((major)*1000u + (minor))

struct mica_compat {
	unsigned int kernel; /* MICA_KERNEL() */
	bool tail_pclusters; /* inline compressed tails: 5.17 */
	bool fragments;	     /* packed inode, shared extents: 6.1 */
	bool extents;	     /* 48-bit layout with encoded extents: 6.15 */
	bool metabox;	     /* compressed metadata: 6.17 */
};

#define MICA_COMPAT_DEFAULT "6.12"

/* "MAJOR.MINOR", from 5.15 on; a newer one than mica knows is taken as the newest. */
int mica_compat_parse(const char *text, struct mica_compat *out, struct mica_err *err);

/* MICA_E_USAGE names algorithm and kernel when compat is too old for it. */
int mica_compat_check_alg(const struct mica_compat *compat, const struct mica_codec_spec *spec,
			  struct mica_err *err);

/* The same for MICA_KERNEL(), which is no older than images can be. */
void mica_compat_set(unsigned int kernel, struct mica_compat *out);

/* What is used without -z: zstd where the kernel reads it, else lz4hc. */
const char *mica_compat_default_alg(const struct mica_compat *compat);

#endif
