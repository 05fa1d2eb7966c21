/* SPDX-License-Identifier: MIT */
/* Writes everything behind the data, as the layout has planned it, and the superblock. */
#ifndef MICA_MKIMAGE_EMIT_H
#define MICA_MKIMAGE_EMIT_H

#include "layout.h"
#include "outfile.h"

/*
 * A window over the end of the metadata: inodes are written nearly in order, those
 * that fill gaps a little behind the others. What leaves the window is
 * written.
 */
struct mica_window {
	struct mica_outlet to;
	unsigned char *buf;
	uint64_t base; /* address of buf[0] */
};

struct mica_metabox;

struct mica_emit {
	struct mica_layout *layout;
	struct mica_outfile *out;
	struct mica_spool *spool;
	struct mica_window window;
	struct mica_metabox *metabox; /* NULL: the metadata is not compressed */
	uint64_t metabox_nid;
	uint32_t next_ino;
};

int mica_emit_new(struct mica_layout *layout, struct mica_outfile *out, struct mica_spool *spool,
		  struct mica_emit **result, struct mica_err *err);
void mica_emit_free(struct mica_emit *e);

/* Directories' blocks, shared xattrs, inodes; up to layout->end. */
int mica_emit_metadata(struct mica_emit *e, struct mica_err *err);

/*
 * The first block, last: the superblock, its UUID derived from all that is in
 * the image unless the options give one, and the seal. uuid: the one used.
 */
int mica_emit_super(struct mica_emit *e, const struct mica_packer_stats *stats, uint8_t uuid[16],
		    struct mica_err *err);

/* Begin at an address; what leaves the window goes to the outlet. */
void mica_window_start(struct mica_window *w, struct mica_outlet to, uint64_t base);
/* At address off, inside the window or ahead of it. */
int mica_window_write(struct mica_window *w, const void *buf, size_t len, uint64_t off,
		      struct mica_err *err);
int mica_window_flush(struct mica_window *w, uint64_t end, struct mica_err *err);

/* The device table in blocks of its own, at the outfile's position. */
int mica_emit_devices(struct mica_emit *e, struct mica_err *err);
/* One slot of it. */
void mica_emit_device(const struct mica_emit *e, unsigned int base, void *slot);

/* The index of a file: map header and entries, at address off. */
int mica_emit_index(struct mica_emit *e, const struct mica_tinode *inode,
		    const struct mica_shape *shape, uint64_t off, struct mica_err *err);

#endif
