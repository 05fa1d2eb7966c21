/* SPDX-License-Identifier: MIT */
/* What the decompressors share: input from the blob, a piece at a time. */
#ifndef MICA_MKIMAGE_UNPACK_IMPL_H
#define MICA_MKIMAGE_UNPACK_IMPL_H

#include "unpack.h"

#define MICA_UNPACK_INPUT ((size_t)256 << 10)

struct mica_unpack_ops {
	/* As mica_unpack_read(), but may give less, only not nothing before the end. */
	int (*read)(struct mica_unpack *u, unsigned char *buf, size_t len, size_t *got,
		    struct mica_err *err);
	void (*free)(struct mica_unpack *u); /* all but the base and itself; may be NULL */
	const char *name;
};

struct mica_unpack {
	const struct mica_unpack_ops *ops;
	struct mica_blob *blob;
	struct mica_unpack_budget budget;
	unsigned char *in; /* owned; bytes [in_at, in_len) are to come */
	size_t in_at, in_len;
	bool in_end; /* the blob has no more */
	bool ended;
};

/* At least least bytes of input, up to MICA_UNPACK_INPUT, at in + in_at, unless the end is near. */
int mica_unpack_fill(struct mica_unpack *u, size_t least, struct mica_err *err);

/*
 * Between two members or frames: 1: there is another; 0: the end, up to which
 * there may be zeros, as tapes have them.
 */
int mica_unpack_between(struct mica_unpack *u, bool first, struct mica_err *err);

int mica_unpack_gzip_new(struct mica_unpack **out, struct mica_err *err);
int mica_unpack_zstd_new(struct mica_unpack **out, struct mica_err *err);
int mica_unpack_other_new(struct mica_blob *blob, struct mica_unpack **out, struct mica_err *err);

#endif
