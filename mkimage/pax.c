/* SPDX-License-Identifier: MIT */
#include "pax.h"

#include <inttypes.h>
#include <string.h>

#include "../lib/util.h"
#include "quote.h"

#define NSEC_PER_SEC 1000000000

struct pax_record {
	struct mica_pax_text key, value;
};

static const char *const number_keys[MICA_PAX_NUMBERS] = {
	[MICA_PAX_SIZE] = "size",
	[MICA_PAX_UID] = "uid",
	[MICA_PAX_GID] = "gid",
	[MICA_PAX_DEVMAJOR] = "SCHILY.devmajor",
	[MICA_PAX_DEVMINOR] = "SCHILY.devminor",
	[MICA_PAX_SPARSE_MAJOR] = "GNU.sparse.major",
	[MICA_PAX_SPARSE_MINOR] = "GNU.sparse.minor",
	[MICA_PAX_REALSIZE] = "GNU.sparse.realsize",
};

static const char *const text_keys[MICA_PAX_TEXTS] = {
	[MICA_PAX_PATH] = "path",
	[MICA_PAX_LINKPATH] = "linkpath",
	[MICA_PAX_SPARSE_NAME] = "GNU.sparse.name",
	[MICA_PAX_SPARSE_MAP] = "GNU.sparse.map",
	[MICA_PAX_ACL_ACCESS] = "SCHILY.acl.access",
	[MICA_PAX_ACL_DEFAULT] = "SCHILY.acl.default",
	[MICA_PAX_ACL_NFS4] = "SCHILY.acl.ace",
	[MICA_PAX_FFLAGS] = "SCHILY.fflags",
};

/*
 * What is no property of a file in an image: names beside the numeric ids,
 * times that EROFS has no field for, the inode it once was, remarks. Holes of
 * SUN.holesdata lie in the archive as zeros.
 */
static const char *const moot_keys[] = {
	"atime",
	"charset",
	"comment",
	"ctime",
	"gname",
	"hdrcharset",
	"uname",
	"GNU.sparse.numblocks",
	"LIBARCHIVE.creationtime",
	"LIBARCHIVE.symlinktype",
	"SCHILY.dev",
	"SCHILY.dino",
	"SCHILY.filetype",
	"SCHILY.ino",
	"SCHILY.nlink",
	"SCHILY.tarfiletype",
	"SUN.holesdata",
};

static bool text_is(struct mica_pax_text text, const char *s)
{
	return text.len == strlen(s) && !memcmp(text.p, s, text.len);
}

/* What follows prefix in text; false: it does not start so. */
static bool text_after(struct mica_pax_text text, const char *prefix, struct mica_pax_text *rest)
{
	size_t len = strlen(prefix);

	if (text.len < len || memcmp(text.p, prefix, len))
		return false;
	*rest = (struct mica_pax_text){text.p + len, text.len - len};
	return true;
}

static int record_bad(const struct pax_record *r, struct mica_err *err)
{
	cleanup_free char *key = strndup(r->key.p, r->key.len);
	cleanup_free char *value = strndup(r->value.p, r->value.len);

	if (!key || !value)
		return mica_err_nomem(err);
	return mica_err_set(err, MICA_E_INPUT, "pax record %s: '%s' is no valid value",
			    mica_quote(key).text, mica_quote(value).text);
}

static bool digits_parse(struct mica_pax_text text, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9' || mica_mul_overflows(v, 10, &v) ||
		    mica_add_overflows(v, (uint64_t)(text.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return text.len > 0;
}

static bool number_parse(struct mica_pax_text text, int64_t *out)
{
	bool negative = text.len && text.p[0] == '-';
	uint64_t v;

	if (negative)
		text = (struct mica_pax_text){text.p + 1, text.len - 1};
	if (!digits_parse(text, &v) || v > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return true;
}

/* "[-]SECONDS[.FRACTION]", rounded down to nanoseconds */
static bool time_parse(struct mica_pax_text text, int64_t *sec, uint32_t *nsec)
{
	bool negative = text.len && text.p[0] == '-';
	const char *dot = memchr(text.p, '.', text.len);
	struct mica_pax_text whole = text;
	uint32_t frac = 0, scale = NSEC_PER_SEC / 10;
	bool more = false;

	if (dot)
		whole.len = (size_t)(dot - text.p);
	if (!number_parse(whole, sec))
		return false;
	for (const char *p = dot ? dot + 1 : text.p + text.len; p < text.p + text.len; p++) {
		if (*p < '0' || *p > '9')
			return false;
		frac += scale * (uint32_t)(*p - '0');
		more = more || (!scale && *p != '0');
		scale /= 10;
	}
	if (negative && more)
		frac++;
	if (negative && frac) {
		if (*sec == INT64_MIN + 1)
			return false;
		*sec -= 1;
		frac = NSEC_PER_SEC - frac;
	}
	*nsec = frac;
	return true;
}

/* The next record of *rest, which is not empty. */
static int record_next(struct mica_pax_text *rest, struct pax_record *r, struct mica_err *err)
{
	const char *space = memchr(rest->p, ' ', mica_min(rest->len, 21));
	struct mica_pax_text digits = {rest->p, space ? (size_t)(space - rest->p) : 0};
	const char *end, *eq;
	uint64_t len;

	if (!space || !digits_parse(digits, &len))
		return mica_err_set(err, MICA_E_INPUT, "pax header: record without a length");
	if (len > rest->len || len < digits.len + 2 || rest->p[len - 1] != '\n')
		return mica_err_set(err, MICA_E_INPUT,
				    "pax header: record of %" PRIu64
				    " bytes does not end in a newline within %zu bytes",
				    len, rest->len);
	end = rest->p + len - 1;
	eq = memchr(space + 1, '=', (size_t)(end - space - 1));
	if (!eq || eq == space + 1)
		return mica_err_set(err, MICA_E_INPUT, "pax header: record without a key");
	r->key = (struct mica_pax_text){space + 1, (size_t)(eq - space - 1)};
	r->value = (struct mica_pax_text){eq + 1, (size_t)(end - eq - 1)};
	rest->p += len;
	rest->len -= (size_t)len;
	return 0;
}

static int sparse_take(struct mica_pax *pax, const struct pax_record *r, bool is_offset,
		       struct mica_err *err)
{
	uint64_t v;

	if (!digits_parse(r->value, &v) || is_offset == pax->has_offset)
		return record_bad(r, err);
	pax->has_offset = is_offset;
	if (!is_offset)
		return mica_runs_add(pax->runs, pax->sparse_offset, v, err);
	pax->sparse_offset = v;
	return 0;
}

static bool key_is_moot(struct mica_pax_text key)
{
	for (size_t i = 0; i < sizeof(moot_keys) / sizeof(moot_keys[0]); i++)
		if (text_is(key, moot_keys[i]))
			return true;
	return false;
}

static int number_take(struct mica_pax_number *n, const struct pax_record *r, struct mica_err *err)
{
	n->set = r->value.len > 0;
	if (n->set && !number_parse(r->value, &n->v))
		return record_bad(r, err);
	return 0;
}

static int record_take(struct mica_pax *pax, struct mica_source *src, const struct pax_record *r,
		       struct mica_err *err)
{
	struct mica_pax_text name;

	for (size_t i = 0; i < MICA_PAX_NUMBERS; i++)
		if (text_is(r->key, number_keys[i]))
			return number_take(&pax->numbers[i], r, err);
	/* older names of the same thing */
	if (text_is(r->key, "GNU.sparse.size") || text_is(r->key, "SCHILY.realsize"))
		return number_take(&pax->numbers[MICA_PAX_REALSIZE], r, err);
	for (size_t i = 0; i < MICA_PAX_TEXTS; i++) {
		if (!text_is(r->key, text_keys[i]))
			continue;
		pax->texts[i] = r->value.len ? r->value : (struct mica_pax_text){0};
		return 0;
	}
	if (text_is(r->key, "mtime")) {
		pax->has_mtime = r->value.len > 0;
		if (pax->has_mtime && !time_parse(r->value, &pax->mtime, &pax->mtime_nsec))
			return record_bad(r, err);
		return 0;
	}
	if (text_is(r->key, "GNU.sparse.offset"))
		return sparse_take(pax, r, true, err);
	if (text_is(r->key, "GNU.sparse.numbytes"))
		return sparse_take(pax, r, false, err);
	if (text_after(r->key, "SCHILY.xattr.", &name))
		return mica_pax_xattr_schily(src, name, r->value, err);
	if (text_after(r->key, "LIBARCHIVE.xattr.", &name))
		return mica_pax_xattr_libarchive(src, name, r->value, err);
	if (text_is(r->key, "RHT.security.selinux"))
		return mica_source_xattr(src, "security.selinux", strlen("security.selinux"),
					 r->value.p, r->value.len, err);
	if (!key_is_moot(r->key))
		pax->unknown = r->key;
	return 0;
}

int mica_pax_parse(struct mica_pax *pax, struct mica_source *src, const char *records, size_t len,
		   struct mica_err *err)
{
	struct mica_pax_text rest = {records, len};

	while (rest.len) {
		struct pax_record r;
		int ret = record_next(&rest, &r, err);

		if (!ret)
			ret = record_take(pax, src, &r, err);
		if (ret)
			return ret;
	}
	return 0;
}
