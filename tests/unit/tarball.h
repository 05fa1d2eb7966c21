/* SPDX-License-Identifier: MIT */
/* Tar archives made byte by byte, right and wrong ones, for the tests. */
#ifndef MICA_TESTS_TARBALL_H
#define MICA_TESTS_TARBALL_H

#include <stddef.h>
#include <stdint.h>

#include "../../formats/tar.h"

enum tarball_magic { TARBALL_POSIX, TARBALL_GNU, TARBALL_OLD };

struct tarball {
	unsigned char *p;
	size_t len, cap;
};

/* What is 0 or NULL takes a plain value: type '0', mode 0644 (directories 0755). */
struct tarball_entry {
	const char *name, *link, *prefix;
	const char *data; /* len 0: a string */
	size_t len;
	uint64_t size; /* in the header, when it is not that of data */
	char type;
	unsigned mode;
	uint64_t uid, gid;
	int64_t mtime;
	unsigned major, minor;
	enum tarball_magic magic;
};

/* A header and its data. Returns where the header is, to break it. */
unsigned char *tarball_add(struct tarball *t, struct tarball_entry e);
#define TAR(t, ...) tarball_add(t, (struct tarball_entry){__VA_ARGS__})

/* A pax header of one record. */
void tarball_pax(struct tarball *t, char type, const char *key, const void *value, size_t len);
#define PAX(t, key, value) tarball_pax(t, 'x', key, value, strlen(value))

void tarball_raw(struct tarball *t, const void *p, size_t len);

/* len, and zeros up to the next block */
void tarball_body(struct tarball *t, const void *p, size_t len);

/* The checksum of a header that was changed. */
void tarball_sum(unsigned char *header);

/* The end mark. */
void tarball_end(struct tarball *t);

/* A file descriptor of a temporary file that holds it. */
int tarball_fd(const struct tarball *t);

void tarball_free(struct tarball *t);

#endif
