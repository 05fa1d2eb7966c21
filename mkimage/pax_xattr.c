/* SPDX-License-Identifier: MIT */
/* How archives write the names and values of xattrs into pax records. */
#include <string.h>

#include "../lib/util.h"
#include "pax.h"
#include "quote.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undo "%XX", all of them or only those that GNU tar writes: of '%' and of '='. */
static size_t percent_decode(struct mica_pax_text in, bool all, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int hi = i + 2 < in.len && in.p[i] == '%' ? hex_digit(in.p[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(in.p[i + 2]) : -1;
		char c = (char)(hi * 16 + lo);

		if (lo >= 0 && (all || c == '%' || c == '=')) {
			out[n++] = c;
			i += 2;
		} else {
			out[n++] = in.p[i];
		}
	}
	return n;
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* False: a character that does not belong there. out takes 3 bytes for each 4 of in. */
static bool base64_decode(struct mica_pax_text in, unsigned char *out, size_t *len)
{
	uint32_t bits = 0;
	unsigned count = 0;

	*len = 0;
	for (size_t i = 0; i < in.len && in.p[i] != '='; i++) {
		int digit = base64_digit(in.p[i]);

		if (in.p[i] == '\n')
			continue;
		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[(*len)++] = (unsigned char)(bits >> count);
		}
	}
	return true;
}

static int name_decode(struct mica_pax_text name, bool all, char **out, size_t *len,
		       struct mica_err *err)
{
	cleanup_free char *buf = malloc(name.len + 1);

	if (!buf)
		return mica_err_nomem(err);
	*len = percent_decode(name, all, buf);
	buf[*len] = '\0';
	if (memchr(buf, '\0', *len))
		return mica_err_set(err, MICA_E_INPUT, "xattr '%s': NUL byte in its name",
				    mica_quote(buf).text);
	*out = mica_steal_pointer(&buf);
	return 0;
}

int mica_pax_xattr_schily(struct mica_source *src, struct mica_pax_text name,
			  struct mica_pax_text value, struct mica_err *err)
{
	cleanup_free char *decoded = NULL;
	size_t len;
	int ret;

	ret = name_decode(name, false, &decoded, &len, err);
	if (ret)
		return ret;
	return mica_source_xattr(src, decoded, len, value.p, value.len, err);
}

int mica_pax_xattr_libarchive(struct mica_source *src, struct mica_pax_text name,
			      struct mica_pax_text value, struct mica_err *err)
{
	cleanup_free unsigned char *bytes = malloc(value.len + 1);
	cleanup_free char *decoded = NULL;
	size_t name_len, len;
	int ret;

	if (!bytes)
		return mica_err_nomem(err);
	ret = name_decode(name, true, &decoded, &name_len, err);
	if (ret)
		return ret;
	if (!base64_decode(value, bytes, &len))
		return mica_err_set(err, MICA_E_INPUT, "xattr '%s': its value is no base64",
				    mica_quote(decoded).text);
	return mica_source_xattr(src, decoded, name_len, bytes, len, err);
}
