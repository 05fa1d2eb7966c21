/* SPDX-License-Identifier: MIT */
/* Inside emit_index.c and emit_lclusters.c: where the parts of a file's index are written to. */
#ifndef MICA_MKIMAGE_EMIT_INDEX_H
#define MICA_MKIMAGE_EMIT_INDEX_H

#include "emit.h"
#include "extlist.h"

/* Collects bytes for the window. */
struct mica_sink {
	struct mica_window *w;
	uint64_t off; /* of buf in the image */
	size_t len;
	unsigned char buf[4096];
};

int mica_sink_flush(struct mica_sink *s, struct mica_err *err);
/* At most sizeof(s->buf) bytes. */
int mica_sink_put(struct mica_sink *s, const void *buf, size_t len, struct mica_err *err);

/* The compact index or the full one, behind the map header. */
int mica_emit_lclusters(struct mica_extreader *l, struct mica_sink *s,
			const struct mica_tinode *inode, bool full, struct mica_err *err);

#endif
