/* SPDX-License-Identifier: MIT */
/*
 * Decompression of a blob as a stream: gzip by zlib, zstd by libzstd, the
 * other formats by libarchive. One thread at a time.
 */
#ifndef MICA_MKIMAGE_UNPACK_H
#define MICA_MKIMAGE_UNPACK_H

#include "blob.h"

struct mica_unpack;

/* Memory that a stream needs beyond the usual, such as the window of a zstd frame. */
struct mica_unpack_budget {
	/* Wait until bytes may be allocated, in place of what was given before. NULL: at once. */
	int (*take)(void *ctx, uint64_t bytes, struct mica_err *err);
	void *ctx;
};

enum mica_unpack_kind {
	MICA_UNPACK_NONE, /* bytes pass through as they are */
	MICA_UNPACK_GZIP,
	MICA_UNPACK_ZSTD,
	MICA_UNPACK_OTHER, /* what libarchive makes of it */
};

/* What the first bytes of something that is no tar begin. */
enum mica_unpack_kind mica_unpack_detect(const unsigned char *head, size_t len);

/* blob is borrowed. */
int mica_unpack_new(struct mica_blob *blob, enum mica_unpack_kind kind, struct mica_unpack **out,
		    struct mica_err *err);
void mica_unpack_free(struct mica_unpack *u);

/* Before the first read. */
void mica_unpack_limit(struct mica_unpack *u, const struct mica_unpack_budget *budget);

/*
 * *got: fewer than len only at the end, where the whole blob was read and is
 * as it should be.
 */
int mica_unpack_read(struct mica_unpack *u, void *buf, size_t len, size_t *got,
		     struct mica_err *err);

/* "gzip"; NULL: none, or none that is known (yet) */
const char *mica_unpack_name(const struct mica_unpack *u);

#endif
