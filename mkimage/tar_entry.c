/* SPDX-License-Identifier: MIT */
/* From a tar header, and the headers before it, to an entry. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "quote.h"
#include "source_tar.h"

#define DEV_MAJOR_MAX ((1 << 12) - 1)
#define DEV_MINOR_MAX ((1 << 20) - 1)

static struct mica_pax_text text_of_field(const char *field, size_t max)
{
	return (struct mica_pax_text){field, strnlen(field, max)};
}

/* The path as the archive has it. */
static int entry_raw_path(struct mica_source_tar *t, const struct mica_tar_header *h,
			  const struct mica_pax *pax, struct mica_pax_text *out,
			  struct mica_err *err)
{
	struct mica_pax_text name = text_of_field(h->name, sizeof(h->name));
	struct mica_pax_text prefix = text_of_field(h->prefix, sizeof(h->prefix));
	char *joined;

	if (pax->texts[MICA_PAX_SPARSE_NAME].p) {
		*out = pax->texts[MICA_PAX_SPARSE_NAME];
	} else if (pax->texts[MICA_PAX_PATH].p) {
		*out = pax->texts[MICA_PAX_PATH];
	} else if (t->name.len) {
		*out = text_of_field(t->name.p, t->name.len);
	} else if (!mica_tar_is_posix(h) || !prefix.len) {
		*out = name;
	} else {
		joined = mica_pool_alloc(&t->base.pool, prefix.len + 1 + name.len);
		if (!joined)
			return mica_err_nomem(err);
		memcpy(joined, prefix.p, prefix.len);
		joined[prefix.len] = '/';
		memcpy(joined + prefix.len + 1, name.p, name.len);
		*out = (struct mica_pax_text){joined, prefix.len + 1 + name.len};
	}
	return 0;
}

static struct mica_pax_text entry_raw_link(const struct mica_source_tar *t,
					   const struct mica_tar_header *h,
					   const struct mica_pax *pax)
{
	if (pax->texts[MICA_PAX_LINKPATH].p)
		return pax->texts[MICA_PAX_LINKPATH];
	if (t->link.len)
		return text_of_field(t->link.p, t->link.len);
	return text_of_field(h->linkname, sizeof(h->linkname));
}

/* The number that pax gives, else the header's field. */
static int entry_number(struct mica_source_tar *t, const struct mica_pax_number *n,
			const char *what, const char *field, size_t len, int64_t max, int64_t *out,
			struct mica_err *err)
{
	if (n->set) {
		*out = n->v;
	} else {
		int ret = mica_tar_field(t, what, field, len, out, err);

		if (ret)
			return ret;
	}
	if (*out < 0 || *out > max)
		return mica_err_set(err, MICA_E_INPUT,
				    "%s %" PRIi64 " is not between 0 and %" PRIi64, what, *out,
				    max);
	return 0;
}

static int entry_attributes(struct mica_source_tar *t, const struct mica_tar_header *h,
			    const struct mica_pax *pax, struct mica_err *err)
{
	struct mica_entry *entry = &t->base.entry;
	int64_t mode, uid, gid;
	int ret;

	ret = mica_tar_field(t, "mode", h->mode, sizeof(h->mode), &mode, err);
	if (!ret)
		ret = entry_number(t, &pax->numbers[MICA_PAX_UID], "uid", h->uid, sizeof(h->uid),
				   UINT32_MAX, &uid, err);
	if (!ret)
		ret = entry_number(t, &pax->numbers[MICA_PAX_GID], "gid", h->gid, sizeof(h->gid),
				   UINT32_MAX, &gid, err);
	if (pax->has_mtime) {
		entry->mtime = pax->mtime;
		entry->mtime_nsec = pax->mtime_nsec;
	} else if (!ret) {
		ret = mica_tar_field(t, "mtime", h->mtime, sizeof(h->mtime), &entry->mtime, err);
	}
	if (ret)
		return ret;
	entry->mode = (uint16_t)(mode & 07777);
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	return 0;
}

static uint16_t entry_type(struct mica_source_tar *t, const struct mica_tar_header *h,
			   struct mica_pax_text path)
{
	switch (h->typeflag) {
	case MICA_TAR_REG_OLD:
	case MICA_TAR_REG:
		/* how archives older than the type wrote directories */
		return path.len && path.p[path.len - 1] == '/' ? S_IFDIR : S_IFREG;
	case MICA_TAR_HARDLINK:
	case MICA_TAR_CONTIGUOUS:
	case MICA_TAR_GNU_SPARSE:
		return S_IFREG;
	case MICA_TAR_SYMLINK:
		return S_IFLNK;
	case MICA_TAR_CHR:
		return S_IFCHR;
	case MICA_TAR_BLK:
		return S_IFBLK;
	case MICA_TAR_DIR:
	case MICA_TAR_GNU_DUMPDIR:
		return S_IFDIR;
	case MICA_TAR_FIFO:
		return S_IFIFO;
	default:
		mica_report_warn(t->base.report,
				 "%s: taken as a regular file: its type, 0x%02x, is not known",
				 mica_quote(t->base.entry.path).text, (unsigned char)h->typeflag);
		return S_IFREG;
	}
}

/* 1, or 2 when the numbers do not fit */
static int entry_device(struct mica_source_tar *t, const struct mica_tar_header *h,
			const struct mica_pax *pax, struct mica_err *err)
{
	int64_t major, minor;
	int ret;

	ret = entry_number(t, &pax->numbers[MICA_PAX_DEVMAJOR], "device major number", h->devmajor,
			   sizeof(h->devmajor), INT64_MAX, &major, err);
	if (!ret)
		ret = entry_number(t, &pax->numbers[MICA_PAX_DEVMINOR], "device minor number",
				   h->devminor, sizeof(h->devminor), INT64_MAX, &minor, err);
	if (ret)
		return ret;
	if (major > DEV_MAJOR_MAX || minor > DEV_MINOR_MAX) {
		mica_report_warn(t->base.report,
				 "%s: left out: device %" PRIi64 ":%" PRIi64 " exceeds %d:%d",
				 mica_quote(t->base.entry.path).text, major, minor, DEV_MAJOR_MAX,
				 DEV_MINOR_MAX);
		return 2;
	}
	t->base.entry.rdev = (uint32_t)((minor & 0xff) | major << 8 | (minor & ~0xff) << 12);
	return 1;
}

/*
 * Whether stored bytes follow a hard link's header. pax says so and means it; the
 * others repeat the size of the target and, mostly, no data.
 */
static int hardlink_has_body(struct mica_source_tar *t, const struct mica_tar_header *h,
			     bool *has_body, struct mica_err *err)
{
	struct mica_tar_header next;
	size_t got;
	int ret;

	*has_body = t->pax_seen;
	if (t->pax_seen || !mica_tar_is_posix(h))
		return 0;
	ret = mica_tar_stream_ahead(t->stream, &next, sizeof(next), &got, err);
	*has_body = !ret && got == sizeof(next) && !mica_tar_is_zero(&next) &&
		    !mica_tar_checksum_ok(&next);
	return ret;
}

static int entry_hardlink(struct mica_source_tar *t, const struct mica_tar_header *h,
			  struct mica_pax_text link, uint64_t stored, struct mica_err *err)
{
	bool has_body = false;
	int ret;

	ret = mica_path_normalise(&t->base.pool, link.p, link.len, "hard link target",
				  &t->base.entry.hardlink, err);
	if (!ret && stored)
		ret = hardlink_has_body(t, h, &has_body, err);
	if (ret)
		return ret;
	t->stored_left = has_body ? stored : 0;
	return 1;
}

/* What only some types have; 1, or 2 when the entry is left out. */
static int entry_content(struct mica_source_tar *t, const struct mica_tar_header *h,
			 const struct mica_pax *pax, struct mica_err *err)
{
	struct mica_entry *entry = &t->base.entry;
	struct mica_pax_text link = entry_raw_link(t, h, pax);
	int64_t stored;
	int ret;

	ret = entry_number(t, &pax->numbers[MICA_PAX_SIZE], "size", h->size, sizeof(h->size),
			   INT64_MAX - MICA_TAR_BLOCK, &stored, err);
	if (ret)
		return ret;
	if (h->typeflag == MICA_TAR_HARDLINK)
		return entry_hardlink(t, h, link, (uint64_t)stored, err);
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		t->stored_left = (uint64_t)stored;
		ret = mica_tar_sparse(t, h, pax, (uint64_t)stored, err);
		return ret ? ret : 1;
	case S_IFLNK:
		if (memchr(link.p, '\0', link.len))
			return mica_err_set(err, MICA_E_INPUT, "symlink target with a NUL byte");
		entry->symlink = mica_pool_copy(&t->base.pool, link.p, link.len);
		return entry->symlink ? 1 : mica_err_nomem(err);
	case S_IFCHR:
	case S_IFBLK:
		return entry_device(t, h, pax, err);
	default:
		if (h->typeflag == MICA_TAR_GNU_DUMPDIR)
			t->stored_left = (uint64_t)stored;
		return 1;
	}
}

/* Once for each key: writers put them into every entry. */
static int entry_report_key(struct mica_source_tar *t, struct mica_pax_text text,
			    struct mica_err *err)
{
	cleanup_free char *key = strndup(text.p, text.len);

	if (!key)
		return mica_err_nomem(err);
	for (size_t i = 0; i < MICA_TAR_KEYS_MAX; i++) {
		if (t->reported[i] && strcmp(t->reported[i], key))
			continue;
		if (t->reported[i])
			return 0;
		t->reported[i] = mica_steal_pointer(&key);
		mica_report_warn(t->base.report,
				 "%s: pax record '%s' is not known and left out, here and later",
				 mica_quote(t->base.entry.path).text,
				 mica_quote(t->reported[i]).text);
		return 0;
	}
	mica_report_warn(t->base.report, "%s: pax record '%s' is not known and left out",
			 mica_quote(t->base.entry.path).text, mica_quote(key).text);
	return 0;
}

static int entry_pax_rest(struct mica_source_tar *t, const struct mica_pax *pax,
			  struct mica_err *err)
{
	struct mica_source *src = &t->base;
	struct mica_pax_text access = pax->texts[MICA_PAX_ACL_ACCESS];
	struct mica_pax_text dflt = pax->texts[MICA_PAX_ACL_DEFAULT];

	if (pax->texts[MICA_PAX_ACL_NFS4].p)
		mica_report_warn(src->report, "%s: its NFSv4 ACL is left out",
				 mica_quote(src->entry.path).text);
	if (pax->texts[MICA_PAX_FFLAGS].p)
		mica_report_warn(src->report, "%s: its file flags are left out",
				 mica_quote(src->entry.path).text);
	if (access.p && !(src->acl_access = mica_pool_copy(&src->pool, access.p, access.len)))
		return mica_err_nomem(err);
	if (dflt.p && !(src->acl_default = mica_pool_copy(&src->pool, dflt.p, dflt.len)))
		return mica_err_nomem(err);
	return pax->unknown.p ? entry_report_key(t, pax->unknown, err) : 0;
}

static int entry_build(struct mica_source_tar *t, const struct mica_tar_header *h,
		       struct mica_err *err)
{
	struct mica_entry *entry = &t->base.entry;
	struct mica_pax pax = {.runs = &t->runs};
	struct mica_pax_text path = {0};
	int ret;

	t->runs.count = 0;
	t->runs.end = t->runs.total = 0;
	ret = mica_pax_parse(&pax, &t->base, t->global.p, t->global.len, err);
	if (!ret)
		ret = mica_pax_parse(&pax, &t->base, t->pax.p, t->pax.len, err);
	if (!ret)
		ret = entry_raw_path(t, h, &pax, &path, err);
	if (!ret)
		ret = mica_path_normalise(&t->base.pool, path.p, path.len, "path", &entry->path,
					  err);
	if (!ret)
		ret = entry_attributes(t, h, &pax, err);
	if (ret)
		return ret;
	if (h->typeflag == MICA_TAR_GNU_MULTI)
		return mica_err_set(err, MICA_E_INPUT, "continues a file of another volume");
	entry->mode |= entry_type(t, h, path);
	ret = entry_pax_rest(t, &pax, err);
	return ret ? ret : entry_content(t, h, &pax, err);
}

int mica_tar_entry(struct mica_source_tar *t, const struct mica_tar_header *h, struct mica_err *err)
{
	uint64_t at = mica_tar_stream_offset(t->stream) - sizeof(*h);
	const struct mica_entry *entry = &t->base.entry;
	struct mica_pax_text name = text_of_field(h->name, sizeof(h->name));
	int ret = entry_build(t, h, err);

	if (ret < 0) {
		cleanup_free char *shown =
			entry->path ? strdup(entry->path) : strndup(name.p, name.len);

		return mica_err_wrap(err, "'%s' at byte %" PRIu64,
				     mica_quote(shown ? shown : "").text, at);
	}
	t->padding = -t->stored_left % MICA_TAR_BLOCK;
	t->path.len = 0;
	if (mica_tar_text_add(&t->path, entry->path, strlen(entry->path), err))
		return MICA_E_NOMEM;
	return ret;
}
