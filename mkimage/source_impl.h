/* SPDX-License-Identifier: MIT */
/* What tar and directory sources share: the object behind struct mica_source. */
#ifndef MICA_MKIMAGE_SOURCE_IMPL_H
#define MICA_MKIMAGE_SOURCE_IMPL_H

#include "pool.h"
#include "source.h"
#include "tar_stream.h"

struct mica_source_ops {
	/* Fill src->entry from an all-zero state, its pieces taken from src->pool. */
	int (*next)(struct mica_source *src, struct mica_err *err);
	int (*read)(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		    struct mica_err *err);
	void (*progress)(struct mica_source *src, uint64_t *done, uint64_t *total);
	/* As mica_source_start(); may be NULL. */
	int (*start)(struct mica_source *src, struct mica_ahead_pool *pool, struct mica_err *err);
	/* As mica_source_blame(); may be NULL. */
	void (*blame)(struct mica_source *src, struct mica_err *err);
	void (*free)(struct mica_source *src); /* all but the base and itself */
	struct mica_image *(*image)(const struct mica_source *src); /* NULL: it has none */
};

struct mica_source {
	const struct mica_source_ops *ops;
	struct mica_report *report;
	char *name; /* for messages; owned */
	struct mica_source_own own;
	struct mica_pool pool;
	struct mica_entry entry;
	size_t xattr_cap;
	/* ACLs that came as text, for entries that have none in binary; NULL: none */
	const char *acl_access, *acl_default;
	int fd; /* owned; -1: none */
};

/* fd stays the caller's; the source's when it is stored there. */
int mica_source_tar_new(const struct mica_tar_stream_spec *spec, struct mica_source **out,
			struct mica_err *err);
int mica_source_dir_new(int fd, struct mica_source **out, struct mica_err *err);

/* Errors name the path already. */
int mica_source_image_new(const char *path, struct mica_source **out, struct mica_err *err);

/* What fd reads from its start on is an EROFS image. */
bool mica_source_is_image(int fd);

/*
 * path as entries have it: without leading and trailing '/', empty and "."
 * components. Refuses ".." (nothing in an image lies outside of it) and NUL.
 * what: "path", "hard link target". *out lives in pool.
 */
int mica_path_normalise(struct mica_pool *pool, const char *path, size_t len, const char *what,
			char **out, struct mica_err *err);

/*
 * The last step for an entry: each xattr once, in order of names; ACLs made
 * canonical or, where they only repeat the mode, left out.
 */
int mica_source_settle_xattrs(struct mica_source *src, struct mica_err *err);

/* Add an xattr to the entry; a later one of the same name wins. The bytes are copied. */
int mica_source_xattr(struct mica_source *src, const char *name, size_t name_len, const void *value,
		      size_t len, struct mica_err *err);

/*
 * Runs of a sparse file as they come. Neighbours are joined, empty ones left
 * out; going back or over the end of int64_t is refused.
 */
struct mica_runs {
	struct mica_run *v;
	size_t count, cap;
	uint64_t end;	/* of the last run, empty ones included */
	uint64_t total; /* bytes in all runs */
};

int mica_runs_add(struct mica_runs *runs, uint64_t off, uint64_t len, struct mica_err *err);
void mica_runs_free(struct mica_runs *runs);

/*
 * Lend runs, which must not exceed its size, to the entry, unless they leave
 * no hole.
 */
int mica_runs_declare(const struct mica_runs *runs, struct mica_source *src, struct mica_err *err);

#endif
