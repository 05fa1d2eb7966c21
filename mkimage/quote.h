/* SPDX-License-Identifier: MIT */
/*
 * Names in messages. They come from an archive, so they must not be able to
 * break the line or to speak to the terminal.
 */
#ifndef MICA_MKIMAGE_QUOTE_H
#define MICA_MKIMAGE_QUOTE_H

struct mica_quoted {
	char text[420]; /* two of them and a reason fit in an error message */
};

/*
 * path with control bytes and backslashes as \ooo, the middle of a long one
 * left out, "." for the root. Use as mica_quote(path).text within a call.
 */
struct mica_quoted mica_quote(const char *path);

#endif
