/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "apply_impl.h"
#include "quote.h"

#define NO_OVERLAY_MSG "it needs other layers of its overlay; copy the merged view instead"

enum overlay_use {
	OVERLAY_DROP,	/* books of overlayfs, without meaning in a merged image */
	OVERLAY_KEEP,	/* escaped: was meant for someone further up */
	OVERLAY_REPORT, /* says something that an image has no place for */
	OVERLAY_REFUSE, /* the content is somewhere else */
};

static const struct {
	const char *name; /* behind "trusted.overlay." or "user.overlay." */
	enum overlay_use use;
} overlay_names[] = {
	{"opaque", OVERLAY_DROP},     {"whiteout", OVERLAY_DROP}, {"whiteouts", OVERLAY_DROP},
	{"origin", OVERLAY_DROP},     {"impure", OVERLAY_DROP},	  {"nlink", OVERLAY_DROP},
	{"upper", OVERLAY_DROP},      {"uuid", OVERLAY_DROP},	  {"redirect", OVERLAY_REFUSE},
	{"metacopy", OVERLAY_REFUSE},
};

/* What follows the prefix of overlayfs, NULL: the xattr is not one of its own. */
static const char *overlay_suffix(const char *name)
{
	static const char *const prefixes[] = {"trusted.overlay.", "user.overlay."};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return name + strlen(prefixes[i]);
	return NULL;
}

static enum overlay_use overlay_use(const char *suffix)
{
	if (!strncmp(suffix, "overlay.", strlen("overlay.")))
		return OVERLAY_KEEP;
	for (size_t i = 0; i < sizeof(overlay_names) / sizeof(overlay_names[0]); i++)
		if (!strcmp(suffix, overlay_names[i].name))
			return overlay_names[i].use;
	return OVERLAY_REPORT;
}

void mica_apply_attributes(const struct mica_apply *a, struct mica_tinode *inode, uint16_t mode,
			   uint32_t uid, uint32_t gid, int64_t mtime, uint32_t nsec)
{
	const struct mica_apply_opts *o = &a->opts;
	bool later = mtime > o->time || (mtime == o->time && nsec);
	bool fixed = o->set_time || (o->clamp_time && later);

	inode->mode = mode;
	inode->uid = o->uid < 0 ? uid : (uint32_t)o->uid;
	inode->gid = o->gid < 0 ? gid : (uint32_t)o->gid;
	inode->mtime = fixed ? o->time : mtime;
	inode->mtime_nsec = fixed ? 0 : nsec;
}

/* "trusted.overlay.x" to "trusted.overlay.overlay.x", as overlayfs itself stacks them. */
static int xattr_escape(struct mica_pool *pool, struct mica_kv *kv, const char *suffix,
			struct mica_err *err)
{
	static const char more[] = "overlay.";
	size_t head = (size_t)(suffix - kv->name);
	char *name = mica_pool_alloc(pool, strlen(kv->name) + sizeof(more));

	if (!name)
		return mica_err_nomem(err);
	memcpy(name, kv->name, head);
	strcpy(stpcpy(name + head, more), suffix);
	kv->name = name;
	return 0;
}

/* 1: *kv goes into the image, maybe under another name; 0: it does not */
static int xattr_take(struct mica_apply *a, struct mica_pool *pool, const char *path,
		      struct mica_kv *kv, struct mica_err *err)
{
	const char *suffix = overlay_suffix(kv->name);
	const char *why;

	if (suffix && !a->opts.overlay_input) {
		int ret = xattr_escape(pool, kv, suffix, err);

		if (ret)
			return ret;
	} else if (suffix && overlay_use(suffix) != OVERLAY_KEEP) {
		if (overlay_use(suffix) == OVERLAY_REPORT)
			mica_report_warn(a->report, "%s: overlay attribute %s is left out",
					 mica_quote(path).text, mica_quote(kv->name).text);
		return 0;
	}
	why = mica_xattrs_refuse(kv);
	if (why)
		mica_report_warn(a->report, "%s: xattr %s is left out: %s", mica_quote(path).text,
				 mica_quote(kv->name).text, why);
	return !why;
}

static void pool_cleanup(struct mica_pool *pool)
{
	mica_pool_free(pool);
}

int mica_apply_xattrs(struct mica_apply *a, const char *path, const struct mica_kv *kvs,
		      size_t count, uint32_t *id, struct mica_err *err)
{
	cleanup(pool_cleanup) struct mica_pool pool = {0};
	cleanup_free struct mica_kv *taken = NULL;
	size_t n = 0;
	int ret;

	*id = 0;
	if (!count)
		return 0;
	taken = malloc(count * sizeof(*taken));
	if (!taken)
		return mica_err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		taken[n] = kvs[i];
		ret = xattr_take(a, &pool, path, &taken[n], err);
		if (ret < 0)
			return ret;
		n += (size_t)ret;
	}
	if (!n)
		return 0;
	ret = mica_xattrs_intern(a->xattrs, taken, n, id, err);
	if (ret == MICA_E_LIMIT) {
		mica_report_warn(a->report,
				 "%s: its %zu xattrs are left out: more than a file can have",
				 mica_quote(path).text, n);
		*id = 0;
		return 0;
	}
	return ret ? mica_err_wrap(err, "'%s'", mica_quote(path).text) : 0;
}

int mica_apply_overlay(const struct mica_apply *a, const struct mica_entry *e,
		       enum mica_overlay *what, struct mica_err *err)
{
	*what = MICA_OVERLAY_NONE;
	if (S_ISCHR(e->mode) && !e->rdev && !e->hardlink) {
		if (!a->opts.overlay_input)
			return mica_err_set(err, MICA_E_INPUT,
					    "'%s': a device 0:0 would hide files under overlayfs; "
					    "--overlay-input says that it is meant to",
					    mica_quote(e->path).text);
		*what = MICA_OVERLAY_WHITEOUT;
	}
	for (size_t i = 0; a->opts.overlay_input && i < e->xattr_count; i++) {
		const struct mica_kv *kv = &e->xattrs[i];
		const char *suffix = overlay_suffix(kv->name);

		if (!suffix)
			continue;
		if (overlay_use(suffix) == OVERLAY_REFUSE)
			return mica_err_set(err, MICA_E_UNSUPPORTED, "'%s': has %s: %s",
					    mica_quote(e->path).text, kv->name, NO_OVERLAY_MSG);
		if (S_ISDIR(e->mode) && !strcmp(suffix, "opaque") && kv->len == 1 &&
		    kv->value[0] == 'y')
			*what = MICA_OVERLAY_OPAQUE;
		if (S_ISREG(e->mode) && !e->size && !strcmp(suffix, "whiteout"))
			*what = MICA_OVERLAY_WHITEOUT;
	}
	return 0;
}
