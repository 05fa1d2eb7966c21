/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "util.h"

#define LINE_MAX_BYTES (1u << 20)
#define HEAD_WORD      "# mica trace "
#define HEX	       "0123456789abcdef"

static bool byte_is_plain(unsigned char c, bool first)
{
	return c >= ' ' && c != 0x7f && c != '\\' && !(first && c == '#');
}

size_t mica_trace_format(const struct mica_trace_line *line, char *out)
{
	char *to = out;

	for (const char *p = line->path; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (byte_is_plain(c, p == line->path)) {
			*to++ = *p;
			continue;
		}
		*to++ = '\\';
		*to++ = 'x';
		*to++ = HEX[c >> 4];
		*to++ = HEX[c & 15];
	}
	/* the root has no name of its own */
	if (to == out)
		*to++ = '/';
	if (line->len)
		to += sprintf(to, "\t%" PRIu64 "+%" PRIu64, line->off, line->len);
	*to++ = '\n';
	*to = '\0';
	return (size_t)(to - out);
}

/* The value of a hexadecimal digit, -1: it is none. */
static int hex_value(char c)
{
	const char *p = c ? strchr(HEX, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return p ? (int)(p - HEX) : -1;
}

/* In place. A path holds no NUL. */
static bool path_unescape(char *path)
{
	char *to = path;

	for (const char *p = path; *p; p++) {
		int high, low;

		if (*p != '\\') {
			*to++ = *p;
			continue;
		}
		high = p[1] == 'x' ? hex_value(p[2]) : -1;
		low = high < 0 ? -1 : hex_value(p[3]);
		if (low < 0 || !(high | low))
			return false;
		*to++ = (char)(high << 4 | low);
		p += 3;
	}
	*to = '\0';
	return true;
}

/* "/./a//b/" is "a/b". */
static void path_clean(char *path)
{
	char *to = path;

	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len && !(len == 1 && *p == '.')) {
			if (to != path)
				*to++ = '/';
			memmove(to, p, len);
			to += len;
		}
		p += len;
		p += *p == '/';
	}
	*to = '\0';
}

static bool number_parse(const char **text, uint64_t *out)
{
	const char *p = *text;

	*out = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (mica_mul_overflows(*out, 10, out) ||
		    mica_add_overflows(*out, (uint64_t)(*p - '0'), out))
			return false;
	if (p == *text)
		return false;
	*text = p;
	return true;
}

static bool range_parse(const char *text, struct mica_trace_line *out)
{
	uint64_t end;

	return number_parse(&text, &out->off) && *text++ == '+' && number_parse(&text, &out->len) &&
	       !*text && out->len && !mica_add_overflows(out->off, out->len, &end);
}

int mica_trace_parse(char *text, size_t len, struct mica_trace_line *out, struct mica_err *err)
{
	char *tab = strchr(text, '\t');

	*out = (struct mica_trace_line){.path = text};
	if (strlen(text) != len)
		return mica_err_set(err, MICA_E_INPUT, "byte %zu is a NUL", strlen(text));
	if (!strncmp(text, HEAD_WORD, strlen(HEAD_WORD)) &&
	    strncmp(text, MICA_TRACE_HEAD, strlen(MICA_TRACE_HEAD) - 1))
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "'%.40s' is another version of the format than 1", text);
	if (!*text || *text == '#')
		return 0;
	if (tab)
		*tab++ = '\0';
	if (tab && !range_parse(tab, out))
		return mica_err_set(err, MICA_E_INPUT, "'%.60s' is not OFFSET+LENGTH", tab);
	if (!path_unescape(text))
		return mica_err_set(err, MICA_E_INPUT,
				    "a backslash is not followed by x and two digits");
	path_clean(text);
	return 1;
}

static int line_take(char *text, ssize_t len, mica_trace_each *each, void *ctx,
		     struct mica_err *err)
{
	struct mica_trace_line line;
	int ret;

	if (len > LINE_MAX_BYTES)
		return mica_err_set(err, MICA_E_LIMIT, "%zd bytes exceed %u", len, LINE_MAX_BYTES);
	if (text[len - 1] == '\n')
		text[--len] = '\0';
	ret = mica_trace_parse(text, (size_t)len, &line, err);
	return ret > 0 ? each(ctx, &line, err) : ret;
}

int mica_trace_load(const char *file, mica_trace_each *each, void *ctx, struct mica_err *err)
{
	cleanup_file FILE *f = fopen(file, "re");
	cleanup_free char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	int ret = 0;

	if (!f)
		return mica_err_sys(err, errno, "%s: open", file);
	for (uint64_t n = 1; !ret; n++) {
		errno = 0;
		len = getline(&text, &cap, f);
		if (len < 0)
			break;
		ret = line_take(text, len, each, ctx, err);
		if (ret < 0)
			return mica_err_wrap(err, "%s: line %" PRIu64, file, n);
	}
	if (!ret && !feof(f))
		return mica_err_sys(err, errno ? errno : EIO, "%s: read", file);
	return ret;
}
