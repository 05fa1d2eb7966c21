/* SPDX-License-Identifier: MIT */
/* What the parts of the checker share. */
#ifndef MICA_LIB_CHECK_PRIV_H
#define MICA_LIB_CHECK_PRIV_H

#include <pthread.h>

#include "check.h"
#include "image.h"
#include "nidmap.h"

#define CHECK_NO_ROW	UINT32_MAX
#define CHECK_NO_OFFSET UINT64_MAX

enum check_row_flags {
	CHECK_ROW_BAD = 1,     /* the inode cannot be read */
	CHECK_ROW_SPECIAL = 2, /* packed inode, metabox: has no name */
	CHECK_ROW_TORN = 4,    /* a directory that could not be read to its end */
};

/* One inode; in the order of discovery, so that directories wait in the table itself. */
struct check_row {
	uint64_t nid;
	uint64_t cookie; /* of its first name in its parent */
	uint32_t parent; /* row */
	uint32_t nlink;
	uint32_t names;
	uint32_t subdirs;
	uint8_t type; /* enum erofs_file_type, by its mode */
	uint8_t flags;
};

enum check_span_kind {
	CHECK_SPAN_META,    /* superblock, inodes, indexes, inline data, directories */
	CHECK_SPAN_XATTR,   /* one shared xattr */
	CHECK_SPAN_FLAT,    /* data as it is */
	CHECK_SPAN_CHUNK,   /* the same, of a chunk file */
	CHECK_SPAN_ENCODED, /* a pcluster */
};

/* A range of stored bytes. */
struct check_span {
	uint64_t start, len;
	uint64_t la;	 /* data: logical start in the owner */
	uint32_t llen;	 /* ENCODED: decoded length */
	uint32_t owner;	 /* row, CHECK_NO_ROW: the superblock */
	uint32_t device; /* CHECK_METABOX: start counts in the metabox */
	uint8_t kind;
	uint8_t alg; /* ENCODED: enum erofs_alg, EROFS_ALG_MAX: a plain pcluster */
	bool partial;
	bool todo; /* to be read or decoded, once */
};

#define CHECK_METABOX 0x10000u

struct check_spans {
	struct check_span *list;
	size_t count, cap;
};

struct check {
	const struct mica_check_opts *opts;
	struct mica_check_result *res;
	struct mica_image *img;
	const struct mica_super *sb;
	struct mica_inode metabox; /* when sb->metabox_nid */
	struct mica_nidmap map;	   /* nid -> row */
	struct check_row *rows;
	uint32_t row_count;
	size_t row_cap;
	struct check_spans spans;
	bool names_missing;   /* some directory is torn or bad */
	pthread_mutex_t lock; /* findings, result */
};

/*
 * check_report.c. structure: see struct mica_check_finding. row: whose, for the
 * path and nid. The format tells the value and the limit.
 */
void mica_check_fail(struct check *c, const char *structure, uint32_t row, uint64_t offset,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What the reader objected to. 0: go on; negative: err is fatal for the whole check. */
int mica_check_fail_err(struct check *c, const char *structure, uint32_t row, uint64_t offset,
			struct mica_err *err);

/* check_table.c. 1: a new row; 0: known; < 0: error */
int mica_check_row_add(struct check *c, uint64_t nid, uint32_t parent, uint64_t cookie,
		       uint32_t *row, struct mica_err *err);
/* malloc'd "/a/b", NULL when it is not known */
char *mica_check_row_path(struct check *c, uint32_t row);
void mica_check_links(struct check *c);

/* check_inode.c: everything about one inode but what is in a directory */
int mica_check_inode(struct check *c, uint32_t row, struct mica_err *err);
int mica_check_read_meta(struct check *c, bool in_metabox, void *buf, size_t len, uint64_t off,
			 struct mica_err *err);

/* check_extents.c: index and block map of one inode, into the spans */
int mica_check_extents(struct check *c, uint32_t row, const struct mica_inode *inode,
		       struct mica_err *err);

/* check_xattr.c */
int mica_check_xattrs(struct check *c, uint32_t row, const struct mica_inode *inode,
		      struct mica_err *err);

/* check_dir.c: entries of one directory; adds rows */
int mica_check_dir(struct check *c, uint32_t row, struct mica_err *err);

/* check_spans.c */
int mica_check_span_add(struct check *c, const struct check_span *span, struct mica_err *err);
/* Sorts the spans, reports overlaps, and marks what is to be read or decoded. */
void mica_check_overlaps(struct check *c);

/* check_data.c */
int mica_check_data(struct check *c, struct mica_err *err);

/* check_seal.c: the checksum of the whole image, when it has one */
int mica_check_seal(struct check *c, struct mica_err *err);

#endif
