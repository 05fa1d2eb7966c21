/* SPDX-License-Identifier: MIT */
/*
 * A small writer of JSON to a stream that the caller owns. Commas, quotes and
 * escapes are its business. Names in images are bytes: what is not UTF-8 is
 * written as a lone surrogate U+DC80..U+DCFF for each byte, as Python's
 * "surrogateescape" does, so that nothing is lost.
 */
#ifndef MICA_LIB_JSON_H
#define MICA_LIB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

#define MICA_JSON_DEPTH_MAX 32

struct mica_json {
	FILE *f; /* borrowed */
	unsigned int depth;
	bool filled[MICA_JSON_DEPTH_MAX + 1]; /* something was written at this depth */
	char close[MICA_JSON_DEPTH_MAX + 1];  /* the bracket that ends this depth */
};

void mica_json_init(struct mica_json *j, FILE *f);

/* key: the member's name in an object; NULL in an array and at the top */
void mica_json_object(struct mica_json *j, const char *key);
void mica_json_object_end(struct mica_json *j);
void mica_json_array(struct mica_json *j, const char *key);
void mica_json_array_end(struct mica_json *j);

/* Closes what is open, after an error in the middle: the text stays well-formed. */
void mica_json_close_all(struct mica_json *j);

/* text NULL: null */
void mica_json_str(struct mica_json *j, const char *key, const char *text);
void mica_json_bytes(struct mica_json *j, const char *key, const void *bytes, size_t len);
void mica_json_hex(struct mica_json *j, const char *key, const void *bytes, size_t len);
void mica_json_u64(struct mica_json *j, const char *key, uint64_t v);
void mica_json_i64(struct mica_json *j, const char *key, int64_t v);
void mica_json_bool(struct mica_json *j, const char *key, bool v);
/* three digits behind the point; what is not finite becomes null */
void mica_json_double(struct mica_json *j, const char *key, double v);

/* Ends the line and flushes; fails when any write failed. All objects must be closed. */
int mica_json_finish(struct mica_json *j, struct mica_err *err);

#endif
