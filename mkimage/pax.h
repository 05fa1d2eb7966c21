/* SPDX-License-Identifier: MIT */
/*
 * The records of pax extended headers, "LEN KEY=VALUE\n" each: what they say
 * about the next entry. Nothing is copied: text points into the records.
 */
#ifndef MICA_MKIMAGE_PAX_H
#define MICA_MKIMAGE_PAX_H

#include <stdbool.h>

#include "source_impl.h"

/* A value of the records; p NULL: there was no such record. */
struct mica_pax_text {
	const char *p;
	size_t len;
};

struct mica_pax_number {
	bool set;
	int64_t v;
};

enum mica_pax_number_key {
	MICA_PAX_SIZE,
	MICA_PAX_UID,
	MICA_PAX_GID,
	MICA_PAX_DEVMAJOR,
	MICA_PAX_DEVMINOR,
	MICA_PAX_SPARSE_MAJOR,
	MICA_PAX_SPARSE_MINOR,
	MICA_PAX_REALSIZE,
	MICA_PAX_NUMBERS,
};

enum mica_pax_text_key {
	MICA_PAX_PATH,
	MICA_PAX_LINKPATH,
	MICA_PAX_SPARSE_NAME,
	MICA_PAX_SPARSE_MAP,
	MICA_PAX_ACL_ACCESS,
	MICA_PAX_ACL_DEFAULT,
	MICA_PAX_ACL_NFS4,
	MICA_PAX_FFLAGS,
	MICA_PAX_TEXTS,
};

struct mica_pax {
	struct mica_pax_number numbers[MICA_PAX_NUMBERS];
	struct mica_pax_text texts[MICA_PAX_TEXTS];
	bool has_mtime;
	int64_t mtime;
	uint32_t mtime_nsec;
	/* GNU.sparse.offset and .numbytes, in pairs */
	bool has_offset;
	uint64_t sparse_offset;
	struct mica_runs *runs;
	/* a key that says something that is not known here, NULL: none */
	struct mica_pax_text unknown;
};

/*
 * Take the records in, over what earlier ones said; xattrs go to src's entry,
 * runs to pax->runs. An empty value takes back what an earlier record set.
 */
int mica_pax_parse(struct mica_pax *pax, struct mica_source *src, const char *records, size_t len,
		   struct mica_err *err);

/* Add the xattr of a record: name and value as the writer encoded them. */
int mica_pax_xattr_schily(struct mica_source *src, struct mica_pax_text name,
			  struct mica_pax_text value, struct mica_err *err);
int mica_pax_xattr_libarchive(struct mica_source *src, struct mica_pax_text name,
			      struct mica_pax_text value, struct mica_err *err);

#endif
