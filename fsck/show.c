/* SPDX-License-Identifier: MIT */
#include "show.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../lib/codec.h"
#include "../lib/filetype.h"
#include "../lib/utf8.h"
#include "../lib/util.h"

void mica_show_bytes(FILE *f, const void *bytes, size_t len)
{
	const unsigned char *s = bytes;

	for (size_t i = 0; i < len;) {
		size_t n = mica_utf8_char(s + i, len - i);

		if (n == 1 && s[i] == '\\')
			fputs("\\\\", f);
		else if (!n || s[i] < 0x20 || s[i] == 0x7f)
			fprintf(f, "\\x%02x", s[i]);
		else
			fwrite(s + i, 1, n, f);
		i += n ? n : 1;
	}
}

void mica_show_text(FILE *f, const char *text)
{
	mica_show_bytes(f, text, strlen(text));
}

const char *mica_show_layout(enum erofs_layout layout)
{
	switch (layout) {
	case EROFS_LAYOUT_FLAT_PLAIN:
		return "flat";
	case EROFS_LAYOUT_COMPRESSED_FULL:
		return "compressed, full index or extents";
	case EROFS_LAYOUT_FLAT_INLINE:
		return "flat, inline tail";
	case EROFS_LAYOUT_COMPRESSED_COMPACT:
		return "compressed, compact index";
	case EROFS_LAYOUT_CHUNK:
		return "chunks";
	}
	return "unknown";
}

const char *mica_show_kind(const struct mica_extent *e)
{
	switch (e->kind) {
	case MICA_EXTENT_HOLE:
		return "hole";
	case MICA_EXTENT_PLAIN:
		return "plain";
	case MICA_EXTENT_INLINE:
		return "inline";
	case MICA_EXTENT_ENCODED:
		return e->is_inline ? "inline-encoded" : "encoded";
	case MICA_EXTENT_FRAGMENT:
		return "fragment";
	}
	return "unknown";
}

const char *mica_show_alg(const struct mica_extent *e)
{
	if (e->kind != MICA_EXTENT_ENCODED || e->alg < 0)
		return NULL;
	return mica_codec_alg_name((enum erofs_alg)e->alg);
}

void mica_show_mode(uint16_t mode, char out[MICA_SHOW_MODE_LEN])
{
	static const char types[] = "?-dcbpsl";
	static const char bits[] = "rwxrwxrwx";

	out[0] = types[mica_filetype_of(mode)];
	for (int i = 0; i < 9; i++)
		out[1 + i] = mode & (0400 >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		out[3] = mode & S_IXUSR ? 's' : 'S';
	if (mode & S_ISGID)
		out[6] = mode & S_IXGRP ? 's' : 'S';
	if (mode & S_ISVTX)
		out[9] = mode & S_IXOTH ? 't' : 'T';
	out[10] = 0;
}

void mica_show_time(int64_t sec, uint32_t nsec, char out[MICA_SHOW_TIME_LEN])
{
	time_t t = sec;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		snprintf(out, MICA_SHOW_TIME_LEN, "%" PRId64 ".%09" PRIu32, sec, nsec);
	else
		snprintf(out, MICA_SHOW_TIME_LEN, "%04lld-%02d-%02d %02d:%02d:%02d.%09" PRIu32,
			 tm.tm_year + 1900LL, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			 tm.tm_sec, nsec);
}

const char *mica_show_message(const char *subject, const char *message)
{
	size_t len = strlen(subject);

	while (!strncmp(message, subject, len) && !strncmp(message + len, ": ", 2))
		message += len + 2;
	return message;
}

void mica_show_error(const char *verb, const char *subject, const struct mica_err *err)
{
	fprintf(stderr, "mica %s: ", verb);
	if (subject) {
		mica_show_text(stderr, subject);
		fputs(": ", stderr);
	}
	mica_show_text(stderr, subject ? mica_show_message(subject, err->msg) : err->msg);
	fputc('\n', stderr);
}
