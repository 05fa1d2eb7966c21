/* SPDX-License-Identifier: MIT */
/* Files that have no name until they are whole, in a given file's directory. */
#ifndef MICA_MKIMAGE_TMPFILE_H
#define MICA_MKIMAGE_TMPFILE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/err.h"

struct mica_tmpfile {
	int fd;
	atomic_bool named;   /* it has, or may have, the temporary name */
	bool placed;	     /* it has the target's name */
	char name[PATH_MAX]; /* whole before .named is set: a signal handler reads it */
};

/*
 * target: the path that the file stands beside. keep: it will be published;
 * else it never gets a name. fd is -1 on failure.
 */
int mica_tmpfile_open(const char *target, bool keep, struct mica_tmpfile *out,
		      struct mica_err *err);

/* All of buf at off; shown names the file in messages. */
int mica_tmpfile_write(struct mica_tmpfile *t, const char *shown, const void *buf, size_t len,
		       uint64_t off, struct mica_err *err);

/* Sync, give it the name target, sync the directory. */
int mica_tmpfile_publish(struct mica_tmpfile *t, const char *target, struct mica_err *err);

/* Remove the temporary name, if there is one. Async-signal-safe. */
void mica_tmpfile_unname(struct mica_tmpfile *t);

void mica_tmpfile_close(struct mica_tmpfile *t);

#endif
