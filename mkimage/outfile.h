/* SPDX-License-Identifier: MIT */
/*
 * The image file while it is being written: without a name (or under a
 * temporary one where the file system knows no nameless files) beside the
 * target, which it replaces in one step at the end. Nothing is left behind when
 * that does not come about. Also the spool: a nameless scratch file beside it
 * for what must wait until the data is out (inline tails, extent lists, xattr
 * values).
 */
#ifndef MICA_MKIMAGE_OUTFILE_H
#define MICA_MKIMAGE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../lib/err.h"
#include "../lib/io.h"
#include "outlet.h"

struct mica_outfile;

/* path: the target; an existing regular file is replaced by publish. */
int mica_outfile_new(const char *path, struct mica_outfile **out, struct mica_err *err);

/* Where the image will be: behind the symlinks of its path. Valid as long as out. */
const char *mica_outfile_path(const struct mica_outfile *out);

/* The file that is written, by fstat(2). */
int mica_outfile_stat(const struct mica_outfile *f, struct stat *st, struct mica_err *err);

/* Append at the current position, through a buffer. */
int mica_outfile_write(struct mica_outfile *f, const void *buf, size_t len, struct mica_err *err);
struct mica_outlet mica_outfile_outlet(struct mica_outfile *f);
int mica_outfile_zeros(struct mica_outfile *f, uint64_t len, struct mica_err *err);

/*
 * The image begins at the current position: that is where offsets count from now on.
 * What is before it counts for nothing but the file.
 */
void mica_outfile_start(struct mica_outfile *f);
/* Where that was in the file. */
uint64_t mica_outfile_started(const struct mica_outfile *f);

/* Bytes written so far. */
uint64_t mica_outfile_pos(const struct mica_outfile *f);

/* Remember the current position; rewind forgets everything since then. */
void mica_outfile_mark(struct mica_outfile *f);
void mica_outfile_rewind(struct mica_outfile *f);

/* XXH3-128, canonical, of all that was written from byte MICA_SEAL_HEAD on; patches do not count. */
void mica_outfile_sum(const struct mica_outfile *f, uint8_t sum[16]);

/* Overwrite a range that has been written, e.g. the superblock. */
int mica_outfile_patch(struct mica_outfile *f, const void *buf, size_t len, uint64_t off,
		       struct mica_err *err);

/*
 * All that was written is on the disk, and no longer in the page cache, so that
 * who reads it back reads what is there.
 */
int mica_outfile_sync(struct mica_outfile *f, struct mica_err *err);

/* The file as it is after mica_outfile_sync(), to be read; for mica_io_free(). */
int mica_outfile_io(const struct mica_outfile *f, struct mica_io **out, struct mica_err *err);
/* The same with what is before the image. */
int mica_outfile_whole_io(const struct mica_outfile *f, struct mica_io **out, struct mica_err *err);

/*
 * Append the first len bytes of another file, shared with it where both lie on one
 * file system that can do that, else copied, and zeros up to the next block. They do
 * not count for mica_outfile_sum(). name: of that file, for messages.
 */
int mica_outfile_append_file(struct mica_outfile *f, int fd, uint64_t len, const char *name,
			     struct mica_err *err);

/* All is written and patched: it is synced, and what memory it took is given back. */
int mica_outfile_rest(struct mica_outfile *f, struct mica_err *err);

/* Set the size, sync, give it the target's name and sync the directory. */
int mica_outfile_publish(struct mica_outfile *f, struct mica_err *err);

/* It has the target's name, though the directory's sync may have failed. */
bool mica_outfile_is_placed(const struct mica_outfile *f);

/* Drops the file when it was not published. */
void mica_outfile_free(struct mica_outfile *f);

/*
 * Remove the temporary name, if there is one: async-signal-safe, for handlers
 * of fatal signals.
 */
void mica_outfile_abandon(struct mica_outfile *f);

struct mica_spool;

/* Nameless scratch file in the directory of the target path. */
int mica_spool_new(const char *path, struct mica_spool **out, struct mica_err *err);
/* *off: where the bytes begin. Any thread. */
int mica_spool_write(struct mica_spool *s, const void *buf, size_t len, uint64_t *off,
		     struct mica_err *err);

struct mica_buf {
	const void *buf;
	size_t len;
};

/* Several pieces, one behind the other. */
int mica_spool_writev(struct mica_spool *s, const struct mica_buf *bufs, size_t count,
		      uint64_t *off, struct mica_err *err);
int mica_spool_read(struct mica_spool *s, void *buf, size_t len, uint64_t off,
		    struct mica_err *err);
void mica_spool_free(struct mica_spool *s);

#endif
