/* SPDX-License-Identifier: MIT */
/*
 * The text that says in which order files are read (docs/trace.md): "mica mount" writes it, mkimage
 * and mount take it. A line is a path from the root; behind a tab, OFFSET+LENGTH says that it
 * is about these bytes alone. Control bytes and backslashes of a path are written as \xHH.
 */
#ifndef MICA_LIB_TRACE_H
#define MICA_LIB_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MICA_TRACE_HEAD "# mica trace 1\n"

/* Bytes that a line takes at most, with its NUL; len: of the path. */
#define MICA_TRACE_LINE_MAX(len) (4 * (len) + 48)

struct mica_trace_line {
	const char *path;  /* "a/b", no slash before or behind it */
	uint64_t off, len; /* bytes of it; len 0: all */
};

/* The line and its newline into out, which has room for it; returns its length. */
size_t mica_trace_format(const struct mica_trace_line *line, char *out);

/*
 * text: len bytes and a NUL, without a newline; is changed. Slashes that say nothing, and "."
 * between them, are left out of the path. 1: *out, which points into text; 0: a comment, or empty.
 */
int mica_trace_parse(char *text, size_t len, struct mica_trace_line *out, struct mica_err *err);

/* All lines of a file, until each() returns other than 0. Errors name file and line. */
typedef int mica_trace_each(void *ctx, const struct mica_trace_line *line, struct mica_err *err);
int mica_trace_load(const char *file, mica_trace_each *each, void *ctx, struct mica_err *err);

#endif
