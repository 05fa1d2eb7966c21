/* SPDX-License-Identifier: MIT */
/*
 * The one I/O interface that images are read through: a range of bytes that
 * can be read at any offset by any number of threads. Files, memory, windows at
 * an offset and, later, decrypting, verifying and remote back ends implement it.
 */
#ifndef MICA_LIB_IO_H
#define MICA_LIB_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct mica_io;

struct mica_io_ops {
	/* Read exactly len bytes at off, or fail; the range is inside size(). */
	int (*read_at)(struct mica_io *io, void *buf, size_t len, uint64_t off,
		       struct mica_err *err);
	/* Hint that the range will be read soon; may be NULL. */
	void (*ahead)(struct mica_io *io, uint64_t off, uint64_t len);
	/* Where the range is in memory until free(), or NULL; may be NULL itself. */
	const void *(*map)(struct mica_io *io, uint64_t off, uint64_t len);
	void (*free)(struct mica_io *io);
};

struct mica_io {
	const struct mica_io_ops *ops;
	uint64_t size; /* bytes */
	char *name;    /* for messages; owned */
};

/*
 * Open a regular file or block device read-only. offset: first byte of the
 * image in it, which becomes byte 0 of the io. Refuses directories, FIFOs and
 * offsets behind the end. *out is owned by the caller, for mica_io_free().
 */
int mica_io_open_file(const char *path, uint64_t offset, struct mica_io **out,
		      struct mica_err *err);

/* The same for count files, from their start, into ios[]: all of them or none. */
int mica_io_open_files(const char *const *paths, unsigned int count, struct mica_io **ios,
		       struct mica_err *err);

/* The same of a file that is open already; fd is taken over on success. name: for messages */
int mica_io_open_fd(int fd, const char *name, uint64_t offset, struct mica_io **out,
		    struct mica_err *err);

/* Bytes in memory, borrowed until mica_io_free(). */
int mica_io_open_mem(const char *name, const void *data, size_t len, struct mica_io **out,
		     struct mica_err *err);

/*
 * What base has from offset on. owned: base goes with it on success; else it is borrowed
 * and may go first, if nothing is read any more.
 */
int mica_io_open_window(struct mica_io *base, bool owned, uint64_t offset, struct mica_io **out,
			struct mica_err *err);

/*
 * Read exactly len bytes at off. A range that reaches over the end is
 * MICA_E_CORRUPT and says "truncated"; I/O errors are MICA_E_SYS.
 */
int mica_io_read(struct mica_io *io, void *buf, size_t len, uint64_t off, struct mica_err *err);

void mica_io_ahead(struct mica_io *io, uint64_t off, uint64_t len);

/* The bytes where they are in memory until mica_io_free(), NULL: they are not. */
const void *mica_io_map(struct mica_io *io, uint64_t off, uint64_t len);

void mica_io_free(struct mica_io *io);

static inline void mica_cleanup_io(struct mica_io **io)
{
	mica_io_free(*io);
}
#define cleanup_io cleanup(mica_cleanup_io)

#endif
