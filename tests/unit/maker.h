/* SPDX-License-Identifier: MIT */
/*
 * Images made from a model in memory, through mica_build() with the part that
 * reads sources replaced, and compared with the model again: by the reader and,
 * where this process may mount, by the kernel.
 */
#ifndef MICA_TESTS_MAKER_H
#define MICA_TESTS_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../mkimage/build.h"
#include "../../mkimage/source.h"
#include "content.h"

struct entry {
	const char *path; /* "a/b"; parents come first; "" is the root */
	uint32_t mode;	  /* with the type */
	uint32_t uid, gid, rdev;
	int64_t mtime;
	uint32_t mtime_nsec;
	const char *target; /* symlinks; regular files: hard link to this path */
	const struct span *spans;
	size_t span_count;
	bool declared; /* tell the packer which parts are data, as of a sparse file */
	const struct mica_kv *xattrs;
	size_t xattr_count;
	uint32_t nlink; /* expected; 0: not compared */
};

struct model {
	const struct entry *v;
	size_t count;
};

/* Options as the command line would set them: "zstd:3", 256K, "6.12". */
struct mica_build_opts maker_opts(const char *codec, uint32_t cluster, const char *compat);

uint64_t maker_size(const struct entry *e);

/* The code of mica_build(); the image is at path when it is 0. */
int maker_build(const struct model *m, const struct mica_build_opts *opts, const char *path,
		struct mica_build_stats *stats, struct mica_err *err);

/* Asserts that the image holds the model, by the reader and by the kernel. */
void maker_check_reader(const struct model *m, const char *image);
void maker_check_kernel(const struct model *m, const char *image);

/* All of it; the image is removed. stats may be NULL. */
void maker_round_trip(const struct model *m, const struct mica_build_opts *opts,
		      struct mica_build_stats *stats);

/* A fresh path for an image; one at a time. */
const char *maker_path(void);

#endif
