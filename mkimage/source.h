/* SPDX-License-Identifier: MIT */
/*
 * A source of layer entries: a tar stream, a directory or an EROFS image. All deliver the
 * same stream of entries for the same tree: a directory that of its
 * "tar --sort=name --format=posix --xattrs --acls -S -C DIR .".
 */
#ifndef MICA_MKIMAGE_SOURCE_H
#define MICA_MKIMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../lib/err.h"
#include "../lib/image.h"
#include "report.h"

struct mica_kv {
	char *name; /* full name: "user.x" */
	unsigned char *value;
	size_t len;
};

/* A run of data in a sparse file; the rest is holes. Sorted, not overlapping. */
struct mica_run {
	uint64_t off, len; /* bytes */
};

/* Valid until the next call of mica_source_next(). */
struct mica_entry {
	char *path;	/* normalised: no leading or trailing '/', no "." or ".."; "": the root */
	char *hardlink; /* normalised path of the target, NULL: no hard link */
	char *symlink;	/* target, any bytes, NULL: none */
	uint16_t mode;	/* with the type bits */
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint64_t size; /* regular files: bytes, holes included */
	uint32_t rdev; /* new_encode_dev() form */
	bool single;   /* no hard link to it will come; false: unknown */
	struct mica_kv *xattrs;
	size_t xattr_count;
	struct mica_run *runs; /* data of a file declared sparse; NULL: no holes declared */
	size_t run_count;
	const struct mica_inode *stored; /* regular files of an image: the inode there */
};

struct mica_source;

/*
 * path: a directory, a tar file, an EROFS image, or "-" for a tar on standard input. report:
 * for what a source holds that an image cannot (borrowed).
 */
int mica_source_open(const char *path, struct mica_report *report, struct mica_source **out,
		     struct mica_err *err);

struct mica_tar_stream_spec;

/* A tar that somebody else found, called name in messages. spec->fd is taken over with success. */
int mica_source_open_tar(const char *name, const struct mica_tar_stream_spec *spec,
			 struct mica_report *report, struct mica_source **out,
			 struct mica_err *err);

/* path: an EROFS image, whatever else it might be as well. */
int mica_source_open_image(const char *path, struct mica_report *report, struct mica_source **out,
			   struct mica_err *err);

/*
 * Files that a directory source must not deliver: they belong to the image that
 * is made. named is its older self, left out with a report; the other one is
 * temporary, so that nobody needs to know.
 */
struct mica_source_own {
	bool has_named;
	dev_t named_dev, temp_dev;
	ino_t named_ino, temp_ino;
};

/* own is copied. Before the first mica_source_next(). A source that is the image is refused. */
int mica_source_leave_out(struct mica_source *src, const struct mica_source_own *own,
			  struct mica_err *err);

struct mica_ahead_pool;

/* Start to read ahead, as far as pool (borrowed) allows, where that is of use. */
int mica_source_start(struct mica_source *src, struct mica_ahead_pool *pool, struct mica_err *err);

/* What messages call it. */
const char *mica_source_name(const struct mica_source *src);

/* The image that it reads; NULL: it reads none. */
struct mica_image *mica_source_image(const struct mica_source *src);

bool mica_source_is_tar(const struct mica_source *src);

/* What a tar is compressed with ("gzip"); NULL: it is plain. */
const char *mica_source_tar_filter(const struct mica_source *src);

/* Of a plain tar: where the data of the entry begin that mica_source_next() gave last. */
uint64_t mica_source_tar_offset(const struct mica_source *src);

/* A tar is read on behind its end, where another one may follow. Before the first entry. */
void mica_source_ignore_zeros(struct mica_source *src);

/* 1: *entry is set; 0: the end; < 0: error, with the entry's path and archive offset */
int mica_source_next(struct mica_source *src, const struct mica_entry **entry,
		     struct mica_err *err);

/*
 * The data of the current regular file, in order, holes left out: 1 and a
 * piece of len bytes at logical offset off (valid until the next call); 0: the
 * end. An archive that ends early is MICA_E_INPUT. Unread data is skipped.
 */
int mica_source_read(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		     struct mica_err *err);

/*
 * After an error that has to do with the source: if its bytes are not those
 * that a digest promised, err says that instead.
 */
void mica_source_blame(struct mica_source *src, struct mica_err *err);

/* Bytes of the source consumed so far, and in all (0: unknown), for progress. */
void mica_source_progress(struct mica_source *src, uint64_t *done, uint64_t *total);

void mica_source_free(struct mica_source *src);

#endif
