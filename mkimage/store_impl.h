/* SPDX-License-Identifier: MIT */
/* What both kinds of stores share. */
#ifndef MICA_MKIMAGE_STORE_IMPL_H
#define MICA_MKIMAGE_STORE_IMPL_H

#include "store.h"

/* A member of an archive. */
struct mica_store_member {
	char *name;
	char *link; /* the name of another member; NULL: a file of its own */
	uint64_t off, size;
	size_t order;
};

struct mica_store {
	int fd; /* the directory or the archive; owned */
	/* of an archive, by name */
	bool archive;
	struct mica_store_member *members;
	size_t count, cap;
};

/* path "-": standard input */
int mica_store_new(const char *path, int flags, struct mica_store **out, struct mica_err *err);

/* The file that name leads to. */
int mica_store_member_find(struct mica_store *store, const char *name, struct mica_store_file *out,
			   struct mica_err *err);

#endif
