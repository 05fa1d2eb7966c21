/* SPDX-License-Identifier: MIT */
/*
 * The files of an image layout, by their names: in a directory, or in a tar
 * archive, where they are read in place. Whatever names and links say, nothing
 * outside of it is read.
 */
#ifndef MICA_MKIMAGE_STORE_H
#define MICA_MKIMAGE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "../lib/err.h"
#include "report.h"

struct mica_store;

/* A regular file: size bytes from off on. */
struct mica_store_file {
	int fd; /* the caller's, to close */
	uint64_t off, size;
};

int mica_store_open_dir(const char *path, struct mica_store **out, struct mica_err *err);

/*
 * Reads the headers of all members, of which the last one of a name counts.
 * path: "-" for standard input. What is compressed, or comes through a pipe, is
 * first unpacked to a nameless file beside scratch.
 */
int mica_store_open_archive(const char *path, const char *scratch, struct mica_report *report,
			    struct mica_store **out, struct mica_err *err);

/* MICA_E_NOENT: there is none. name: relative, without "..". */
int mica_store_find(struct mica_store *store, const char *name, struct mica_store_file *out,
		    struct mica_err *err);

/* A whole file of at most max bytes; *buf is the caller's. */
int mica_store_read(struct mica_store *store, const char *name, size_t max, void **buf, size_t *len,
		    struct mica_err *err);

void mica_store_free(struct mica_store *store);

#endif
