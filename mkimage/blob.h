/* SPDX-License-Identifier: MIT */
/*
 * The stored bytes of a source, one after another: a file or pipe to its end,
 * or a window of a file. Bytes that were promised by a digest prove it when
 * they have all been read. One thread at a time.
 */
#ifndef MICA_MKIMAGE_BLOB_H
#define MICA_MKIMAGE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/digest.h"

#define MICA_BLOB_HEAD 4096u /* bytes that can be looked at in advance */

struct mica_blob;

struct mica_blob_spec {
	int fd;				  /* borrowed */
	bool window;			  /* off and len count; else all from where fd stands */
	uint64_t off, len;		  /* bytes, inside the file */
	const struct mica_digest *digest; /* of the window; NULL: none was promised */
};

int mica_blob_new(const struct mica_blob_spec *spec, struct mica_blob **out, struct mica_err *err);
void mica_blob_free(struct mica_blob *b);

/* The first bytes, which will be read all the same; *len is less than MICA_BLOB_HEAD if all are. */
int mica_blob_head(struct mica_blob *b, const unsigned char **p, size_t *len, struct mica_err *err);

/* *got: fewer than len, perhaps none, only at the end, and then digest and size are right. */
int mica_blob_read(struct mica_blob *b, void *buf, size_t len, size_t *got, struct mica_err *err);

/*
 * Pass over bytes without reading them, where that is possible: *skipped is
 * fewer than len, often 0, where it is not.
 */
void mica_blob_skip(struct mica_blob *b, uint64_t len, uint64_t *skipped);

/* After an error in what was read: if the bytes are not those that were promised, say that. */
void mica_blob_blame(struct mica_blob *b, struct mica_err *err);

/* A regular file, without a digest: reads are cheap and may be passed over. */
bool mica_blob_is_easy(const struct mica_blob *b);

/* From another thread: no read waits for bytes any more; those that did, fail. */
void mica_blob_interrupt(struct mica_blob *b);

/* Bytes read, and in all (0: unknown). From any thread. */
void mica_blob_progress(const struct mica_blob *b, uint64_t *done, uint64_t *total);

#endif
