/* SPDX-License-Identifier: MIT */
#include "quote.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Characters kept at each end of a path that is too long. */
#define QUOTE_KEEP 200

static bool byte_is_plain(unsigned char c)
{
	return c >= ' ' && c != 0x7f && c != '\\';
}

static size_t byte_width(unsigned char c)
{
	return byte_is_plain(c) ? 1 : 4;
}

static char *quote_bytes(char *out, const char *p, size_t len)
{
	for (; len; p++, len--) {
		unsigned char c = (unsigned char)*p;

		if (byte_is_plain(c))
			*out++ = *p;
		else
			out += sprintf(out, "\\%03o", c);
	}
	return out;
}

/* How many of the first bytes fit into width characters. */
static size_t head_len(const char *p, size_t len, size_t width)
{
	size_t n = 0;

	for (; n < len && byte_width((unsigned char)p[n]) <= width; n++)
		width -= byte_width((unsigned char)p[n]);
	return n;
}

static size_t tail_len(const char *p, size_t len, size_t width)
{
	size_t n = 0;

	for (; n < len && byte_width((unsigned char)p[len - n - 1]) <= width; n++)
		width -= byte_width((unsigned char)p[len - n - 1]);
	return n;
}

struct mica_quoted mica_quote(const char *path)
{
	struct mica_quoted q;
	size_t len = strlen(path);
	size_t head, tail;
	char *out = q.text;

	if (!len) {
		strcpy(q.text, ".");
		return q;
	}
	if (head_len(path, len, sizeof(q.text) - 1) == len) {
		*quote_bytes(out, path, len) = '\0';
		return q;
	}
	head = head_len(path, len, QUOTE_KEEP);
	tail = tail_len(path, len, QUOTE_KEEP);
	out = stpcpy(quote_bytes(out, path, head), "...");
	*quote_bytes(out, path + len - tail, tail) = '\0';
	return q;
}
