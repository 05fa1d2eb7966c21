/* SPDX-License-Identifier: MIT */
/* ACLs as archives write them: text with names of users and groups. */
#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "../lib/util.h"
#include "acl.h"
#include "quote.h"

/* A part of the text. */
struct slice {
	const char *p;
	size_t len;
};

static struct slice slice_trim(struct slice s)
{
	while (s.len && isspace((unsigned char)s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && isspace((unsigned char)s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Cut off what is before the next separator; false: nothing is left. */
static bool slice_next(struct slice *rest, const char *separators, struct slice *out)
{
	size_t n = 0;

	if (!rest->p)
		return false;
	while (n < rest->len && !strchr(separators, rest->p[n]))
		n++;
	*out = slice_trim((struct slice){rest->p, n});
	if (n < rest->len)
		*rest = (struct slice){rest->p + n + 1, rest->len - n - 1};
	else
		*rest = (struct slice){NULL, 0};
	return true;
}

static bool slice_is(struct slice s, const char *a, const char *b)
{
	return (s.len == strlen(a) && !memcmp(s.p, a, s.len)) ||
	       (s.len == strlen(b) && !memcmp(s.p, b, s.len));
}

static bool slice_number(struct slice s, uint32_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
		/* the last id means "none" */
		if (v >= UINT32_MAX)
			return false;
	}
	*out = (uint32_t)v;
	return s.len > 0;
}

static bool slice_perm(struct slice s, uint16_t *out)
{
	*out = 0;
	for (size_t i = 0; i < s.len; i++) {
		const char *bit = strchr("xwr", s.p[i]);

		if (s.p[i] == '-')
			continue;
		if (!bit || !*bit)
			return false;
		*out |= (uint16_t)(1u << (bit - "xwr"));
	}
	return s.len > 0;
}

/* 1: *id is the user's or group's; 0: unknown here */
static int name_resolve(bool user, const char *name, uint32_t *id, struct mica_err *err)
{
	size_t len = 4096;
	int ret = ERANGE;

	while (ret == ERANGE && len <= (size_t)1 << 24) {
		cleanup_free char *buf = malloc(len);
		struct passwd pw, *pwp = NULL;
		struct group gr, *grp = NULL;

		if (!buf)
			return mica_err_nomem(err);
		len *= 4;
		if (user)
			ret = getpwnam_r(name, &pw, buf, len / 4, &pwp);
		else
			ret = getgrnam_r(name, &gr, buf, len / 4, &grp);
		if (!pwp && !grp)
			continue;
		*id = user ? pwp->pw_uid : grp->gr_gid;
		return 1;
	}
	return 0;
}

struct acl_line {
	struct slice text, tag, name, perm, id;
};

static bool line_split(struct slice text, struct acl_line *line)
{
	struct slice rest = text;
	struct slice comment;

	*line = (struct acl_line){.text = text};
	if (!slice_next(&rest, ":", &line->tag))
		return false;
	if (slice_is(line->tag, "default", "d") && !slice_next(&rest, ":", &line->tag))
		return false;
	if (!slice_next(&rest, ":", &line->name))
		return false;
	/* "mask:rwx" and "other:rwx" of Solaris have no empty name */
	if (!rest.p) {
		line->perm = line->name;
		line->name.len = 0;
	} else if (!slice_next(&rest, ":", &line->perm)) {
		return false;
	}
	slice_next(&rest, ":", &line->id);
	/* "rwx #effective:r--" */
	slice_next(&line->perm, "#", &comment);
	line->perm = comment;
	return true;
}

static uint16_t line_tag(const struct acl_line *line)
{
	bool named = line->name.len || line->id.len;

	if (slice_is(line->tag, "user", "u"))
		return named ? MICA_ACL_USER : MICA_ACL_USER_OBJ;
	if (slice_is(line->tag, "group", "g"))
		return named ? MICA_ACL_GROUP : MICA_ACL_GROUP_OBJ;
	if (slice_is(line->tag, "mask", "m") && !line->name.len)
		return MICA_ACL_MASK;
	if (slice_is(line->tag, "other", "o") && !line->name.len)
		return MICA_ACL_OTHER;
	return 0;
}

/* 1: *id is known; 0: the entry has to be left out */
static int line_id(const struct acl_line *line, uint16_t tag, uint32_t *id, struct mica_err *err)
{
	cleanup_free char *name = NULL;

	*id = UINT32_MAX;
	if (tag != MICA_ACL_USER && tag != MICA_ACL_GROUP)
		return 1;
	if (slice_number(line->id, id) || slice_number(line->name, id))
		return 1;
	name = strndup(line->name.p, line->name.len);
	return name ? name_resolve(tag == MICA_ACL_USER, name, id, err) : mica_err_nomem(err);
}

static int line_parse(struct mica_acl *acl, struct slice text, struct mica_report *report,
		      const char *path, struct mica_err *err)
{
	cleanup_free char *shown = strndup(text.p, text.len);
	struct mica_acl_entry entry = {0};
	struct acl_line line;
	int ret;

	if (!shown)
		return mica_err_nomem(err);
	if (line_split(text, &line))
		entry.tag = line_tag(&line);
	if (!entry.tag || !slice_perm(line.perm, &entry.perm))
		return mica_err_set(err, MICA_E_INPUT, "ACL: '%s' is no valid entry",
				    mica_quote(shown).text);
	ret = line_id(&line, entry.tag, &entry.id, err);
	if (ret < 0)
		return ret;
	if (!ret) {
		mica_report_warn(report, "%s: ACL entry '%s' is left out: no such name here",
				 mica_quote(path).text, mica_quote(shown).text);
		return 0;
	}
	return mica_acl_add(acl, entry, err);
}

int mica_acl_parse_text(struct mica_acl *acl, const char *text, struct mica_report *report,
			const char *path, struct mica_err *err)
{
	struct slice rest = {text, strlen(text)};
	struct slice line;

	while (slice_next(&rest, ",\n", &line)) {
		int ret;

		if (!line.len || line.p[0] == '#')
			continue;
		ret = line_parse(acl, line, report, path, err);
		if (ret)
			return ret;
	}
	return 0;
}
