/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "utf8.h"

void mica_json_init(struct mica_json *j, FILE *f)
{
	memset(j, 0, sizeof(*j));
	j->f = f;
}

static void json_quote(struct mica_json *j, const unsigned char *s, size_t len)
{
	fputc('"', j->f);
	for (size_t i = 0; i < len;) {
		size_t n = mica_utf8_char(s + i, len - i);

		if (!n)
			fprintf(j->f, "\\udc%02x", s[i]);
		else if (s[i] == '"' || s[i] == '\\')
			fprintf(j->f, "\\%c", s[i]);
		else if (s[i] == '\n')
			fputs("\\n", j->f);
		else if (s[i] < 0x20 || s[i] == 0x7f)
			fprintf(j->f, "\\u%04x", s[i]);
		else
			fwrite(s + i, 1, n, j->f);
		i += n ? n : 1;
	}
	fputc('"', j->f);
}

static void json_lead(struct mica_json *j, const char *key)
{
	if (j->filled[j->depth])
		fputs(", ", j->f);
	j->filled[j->depth] = true;
	if (!key)
		return;
	json_quote(j, (const unsigned char *)key, strlen(key));
	fputs(": ", j->f);
}

static void json_open(struct mica_json *j, const char *key, char bracket)
{
	json_lead(j, key);
	fputc(bracket, j->f);
	assert(j->depth < MICA_JSON_DEPTH_MAX);
	j->filled[++j->depth] = false;
	j->close[j->depth] = bracket == '{' ? '}' : ']';
}

static void json_close(struct mica_json *j, char bracket)
{
	assert(j->depth > 0 && j->close[j->depth] == bracket);
	j->depth--;
	fputc(bracket, j->f);
}

void mica_json_close_all(struct mica_json *j)
{
	while (j->depth)
		json_close(j, j->close[j->depth]);
}

void mica_json_object(struct mica_json *j, const char *key)
{
	json_open(j, key, '{');
}

void mica_json_object_end(struct mica_json *j)
{
	json_close(j, '}');
}

void mica_json_array(struct mica_json *j, const char *key)
{
	json_open(j, key, '[');
}

void mica_json_array_end(struct mica_json *j)
{
	json_close(j, ']');
}

void mica_json_bytes(struct mica_json *j, const char *key, const void *bytes, size_t len)
{
	json_lead(j, key);
	json_quote(j, bytes, len);
}

void mica_json_str(struct mica_json *j, const char *key, const char *text)
{
	if (text) {
		mica_json_bytes(j, key, text, strlen(text));
		return;
	}
	json_lead(j, key);
	fputs("null", j->f);
}

void mica_json_hex(struct mica_json *j, const char *key, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	json_lead(j, key);
	fputc('"', j->f);
	for (size_t i = 0; i < len; i++)
		fprintf(j->f, "%02x", p[i]);
	fputc('"', j->f);
}

void mica_json_u64(struct mica_json *j, const char *key, uint64_t v)
{
	json_lead(j, key);
	fprintf(j->f, "%" PRIu64, v);
}

void mica_json_i64(struct mica_json *j, const char *key, int64_t v)
{
	json_lead(j, key);
	fprintf(j->f, "%" PRId64, v);
}

void mica_json_bool(struct mica_json *j, const char *key, bool v)
{
	json_lead(j, key);
	fputs(v ? "true" : "false", j->f);
}

void mica_json_double(struct mica_json *j, const char *key, double v)
{
	json_lead(j, key);
	if (isfinite(v))
		fprintf(j->f, "%.3f", v);
	else
		fputs("null", j->f);
}

int mica_json_finish(struct mica_json *j, struct mica_err *err)
{
	assert(j->depth == 0);
	fputc('\n', j->f);
	j->filled[0] = false;
	if (fflush(j->f) || ferror(j->f))
		return mica_err_sys(err, errno ? errno : EIO, "cannot write JSON");
	return 0;
}
