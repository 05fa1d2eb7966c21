/* SPDX-License-Identifier: MIT */
/* The parts of "mica dump". */
#ifndef MICA_FSCK_DUMP_H
#define MICA_FSCK_DUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/image.h"
#include "../lib/json.h"

/*
 * One field goes to one line of text ("Label:  value") or to one member of a
 * JSON object, so that both forms say the same.
 */
struct mica_dump {
	struct mica_image *img;
	bool json;
	struct mica_json j; /* to stdout */
};

void mica_dump_u64(struct mica_dump *d, const char *label, const char *key, uint64_t v);
void mica_dump_i64(struct mica_dump *d, const char *label, const char *key, int64_t v);
void mica_dump_str(struct mica_dump *d, const char *label, const char *key, const char *v);
/* v in hexadecimal; a number in JSON */
void mica_dump_hex(struct mica_dump *d, const char *label, const char *key, uint64_t v);
void mica_dump_ratio(struct mica_dump *d, const char *label, const char *key, double v);
/* A heading; a member object in JSON, to be closed with mica_dump_section_end(). */
void mica_dump_section(struct mica_dump *d, const char *label, const char *key);
void mica_dump_section_end(struct mica_dump *d);

/* Needs no image: for one whose inodes cannot be read the superblock is all there is. */
int mica_dump_super(struct mica_dump *d, struct mica_io *io, const struct mica_super *sb,
		    struct mica_err *err);
void mica_dump_devices(struct mica_dump *d);
int mica_dump_stats(struct mica_dump *d, struct mica_err *err);
int mica_dump_inode(struct mica_dump *d, const char *path, struct mica_err *err);
int mica_dump_extents(struct mica_dump *d, const char *path, struct mica_err *err);
int mica_dump_ls(struct mica_dump *d, const char *path, bool recursive, struct mica_err *err);

#endif
