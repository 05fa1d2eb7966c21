/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a tar archive, one after another: as they are in the file, or
 * decompressed. What is not simply there is read by a thread, ahead of need.
 */
#ifndef MICA_MKIMAGE_TAR_STREAM_H
#define MICA_MKIMAGE_TAR_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "ahead.h"

struct mica_tar_stream;

struct mica_tar_stream_spec {
	struct mica_blob_spec blob;
	const struct mica_digest *diff_id; /* of the archive, decompressed; NULL: not known */
	bool strict;			   /* no compression but gzip and zstd */
};

/*
 * Nothing is read yet but what it takes to tell a plain archive from a
 * compressed one, which is decompressed. What spec points to is copied.
 */
int mica_tar_stream_new(const struct mica_tar_stream_spec *spec, struct mica_tar_stream **out,
			struct mica_err *err);
/*
 * Start to read ahead, within what pool (borrowed) allows; without this, it
 * starts with the first byte that is asked for.
 */
int mica_tar_stream_start(struct mica_tar_stream *s, struct mica_ahead_pool *pool,
			  struct mica_err *err);

void mica_tar_stream_free(struct mica_tar_stream *s);

/* 1: *p holds *len bytes, at least one, valid until the next call; 0: the end */
int mica_tar_stream_peek(struct mica_tar_stream *s, const unsigned char **p, size_t *len,
			 struct mica_err *err);

/* Take n of the bytes that the last mica_tar_stream_peek() showed. */
void mica_tar_stream_take(struct mica_tar_stream *s, size_t n);

/* Pass over bytes, as if they had been read; *got: fewer only at the end of the archive. */
int mica_tar_stream_skip(struct mica_tar_stream *s, uint64_t len, uint64_t *got,
			 struct mica_err *err);

/* Copy len bytes; *got: fewer only at the end of the archive. */
int mica_tar_stream_read(struct mica_tar_stream *s, void *buf, size_t len, size_t *got,
			 struct mica_err *err);

/* The same, and the bytes are read again after; len is 512 at most. */
int mica_tar_stream_ahead(struct mica_tar_stream *s, void *buf, size_t len, size_t *got,
			  struct mica_err *err);

/* Bytes taken, after decompression. */
uint64_t mica_tar_stream_offset(const struct mica_tar_stream *s);

/* After an error in what was read: if the bytes are not those that were promised, say that. */
void mica_tar_stream_blame(struct mica_tar_stream *s, struct mica_err *err);

/* Stored bytes that were read, and how many there are in all (0: unknown). */
void mica_tar_stream_progress(const struct mica_tar_stream *s, uint64_t *done, uint64_t *total);

/* Plain bytes of a regular file: nothing stands between them and who reads them. */
bool mica_tar_stream_is_easy(const struct mica_tar_stream *s);

/* What it was compressed with ("gzip"), NULL: nothing that is known. */
const char *mica_tar_stream_filter(const struct mica_tar_stream *s);

#endif
