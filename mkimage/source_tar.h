/* SPDX-License-Identifier: MIT */
/* The parts of the tar source: headers, sparse maps and the stream between them. */
#ifndef MICA_MKIMAGE_SOURCE_TAR_H
#define MICA_MKIMAGE_SOURCE_TAR_H

#include "../formats/tar.h"
#include "pax.h"
#include "source_impl.h"
#include "tar_stream.h"

#define MICA_TAR_KEYS_MAX 32

/* Bytes that are kept between headers; grows as they come. */
struct mica_tar_text {
	char *p;
	size_t len, cap;
};

struct mica_source_tar {
	struct mica_source base;
	struct mica_tar_stream *stream;
	struct mica_tar_text name, link;  /* of GNU headers, for the next entry; len 0: none */
	struct mica_tar_text pax, global; /* records */
	struct mica_tar_text path;	  /* of the entry whose data is read, for messages */
	struct mica_runs runs;		  /* of the entry, when it has a map */
	struct mica_run whole;		  /* of the entry, when it has none */
	const struct mica_run *run;	  /* whose data comes next */
	size_t runs_left;		  /* that one included */
	uint64_t run_done;		  /* bytes of it that were handed out */
	uint64_t stored_left; /* bytes of the entry's data that are still in the stream */
	uint64_t padding;     /* behind them */
	char *reported[MICA_TAR_KEYS_MAX]; /* unknown pax keys */
	uint64_t bytes;			   /* of the archive, when its own index follows it */
	bool any, ended, pax_seen;
	bool ignore_zeros, marked; /* marked: the last block was zeros, which are ignored */
};

int mica_tar_text_add(struct mica_tar_text *text, const void *p, size_t len, struct mica_err *err);

/* Append len bytes of the stream; MICA_E_INPUT when it ends before. */
int mica_tar_text_read(struct mica_source_tar *t, struct mica_tar_text *text, uint64_t len,
		       struct mica_err *err);

/* Take len bytes of the stream; MICA_E_INPUT when it ends before. */
int mica_tar_skip(struct mica_source_tar *t, uint64_t len, struct mica_err *err);

int mica_tar_truncated(struct mica_source_tar *t, struct mica_err *err);

/* A field of a header that ends where the stream stands. */
int mica_tar_field(struct mica_source_tar *t, const char *what, const char *field, size_t len,
		   int64_t *out, struct mica_err *err);

/*
 * Build the entry that the header and what came before it describe: 1; or 2,
 * when an image cannot hold it and it was reported.
 */
int mica_tar_entry(struct mica_source_tar *t, const struct mica_tar_header *h,
		   struct mica_err *err);

/*
 * Where in the archive the data of the current entry, a regular file, starts;
 * false: it does not lie there in one piece as it is.
 */
bool mica_source_tar_place(const struct mica_source *src, uint64_t *off);

/*
 * Size, runs and stored data of a regular file with stored bytes in the
 * stream, from whatever kind of map it has.
 */
int mica_tar_sparse(struct mica_source_tar *t, const struct mica_tar_header *h,
		    const struct mica_pax *pax, uint64_t stored, struct mica_err *err);

#endif
