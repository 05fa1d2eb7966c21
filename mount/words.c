/* SPDX-License-Identifier: MIT */
/* The words of -o, those of fuse-overlayfs among them. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX 1e9 /* as fuse-overlayfs' default; 30 years */

/* One word of -o. A word with a value has .value set; others only change flags. */
struct word {
	const char *name;
	unsigned int set, clear;
	int (*value)(void *ctx, const char *value, struct mica_err *err);
};

static int word_set_fsname(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->fsname = value;
	return 0;
}

static int word_set_subtype(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	if (!*value || strpbrk(value, ".,\\ "))
		return mica_err_set(err, MICA_E_USAGE, "'%s' is not a subtype", value);
	o->subtype = value;
	return 0;
}

static int word_set_lowerdir(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->lowerdir = (char *)value;
	return 0;
}

static int word_set_redirect(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	if (strcmp(value, "on") && strcmp(value, "off"))
		return mica_err_set(err, MICA_E_USAGE, "'%s' is neither on nor off", value);
	o->flags &= ~(unsigned int)(MICA_MOUNT_NO_REDIRECT | MICA_MOUNT_REDIRECT);
	o->flags |= strcmp(value, "on") ? MICA_MOUNT_NO_REDIRECT : MICA_MOUNT_REDIRECT;
	return 0;
}

/* fuse-overlayfs, which cannot read what that makes, ignores it. */
static int word_set_metacopy(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	if (strcmp(value, "on") && strcmp(value, "off"))
		return mica_err_set(err, MICA_E_USAGE, "'%s' is neither on nor off", value);
	o->flags &= ~(unsigned int)MICA_MOUNT_METACOPY;
	o->flags |= strcmp(value, "on") || o->stand_in ? 0 : MICA_MOUNT_METACOPY;
	return 0;
}

static int word_set_timeout(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;
	char *end;

	o->timeout = strtod(value, &end);
	if (end == value || *end || !(o->timeout >= 0 && o->timeout <= TIMEOUT_MAX))
		return mica_err_set(err, MICA_E_USAGE, "'%s' is not a number of seconds up to %g",
				    value, TIMEOUT_MAX);
	o->flags |= MICA_MOUNT_TIMEOUT;
	return 0;
}

static int word_set_threaded(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;
	uint64_t n;
	int ret = mica_opt_uint(value, 0, 1, &n, err);

	if (!ret && !n)
		o->threads = 1;
	return ret;
}

static int word_set_owners(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;
	uint64_t n;
	int ret = mica_opt_uint(value, 0, 2, &n, err);

	if (!ret)
		o->owners = (unsigned int)n;
	return ret;
}

static int word_set_noxattrs(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;
	uint64_t n;
	int ret = mica_opt_uint(value, 0, 1, &n, err);

	o->flags &= ~(unsigned int)MICA_MOUNT_NOXATTRS;
	o->flags |= !ret && n ? MICA_MOUNT_NOXATTRS : 0;
	return ret;
}

static int set_flag_unless(struct mica_mount_opts *o, const char *value, unsigned int flag,
			   struct mica_err *err)
{
	uint64_t n;
	int ret = mica_opt_uint(value, 0, 1, &n, err);

	o->flags &= ~flag;
	o->flags |= !ret && !n ? flag : 0;
	return ret;
}

static int word_set_fsync(void *ctx, const char *value, struct mica_err *err)
{
	return set_flag_unless(ctx, value, MICA_MOUNT_VOLATILE, err);
}

static int word_set_writeback(void *ctx, const char *value, struct mica_err *err)
{
	return set_flag_unless(ctx, value, MICA_MOUNT_NO_WRITEBACK, err);
}

static int word_set_uidmap(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_ids_parse(&o->ids.uids, value, err);
}

static int word_set_gidmap(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_ids_parse(&o->ids.gids, value, err);
}

static int squash(struct mica_idmap *map, const char *value, struct mica_err *err)
{
	uint64_t id;
	int ret = mica_opt_uint(value, 0, UINT32_MAX - 1, &id, err);

	map->squash = !ret;
	map->squash_to = ret ? 0 : (uint32_t)id;
	return ret;
}

static int word_set_squash_uid(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return squash(&o->ids.uids, value, err);
}

static int word_set_squash_gid(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return squash(&o->ids.gids, value, err);
}

static const struct word words[] = {
	{"ro", MICA_MOUNT_RO, 0, NULL},
	{"lowerdir", 0, 0, word_set_lowerdir},
	{"upperdir", 0, 0, mica_mount_set_upper},
	{"workdir", 0, 0, mica_mount_set_work},
	{"volatile", MICA_MOUNT_VOLATILE, 0, NULL},
	{"redirect_dir", 0, 0, word_set_redirect},
	{"metacopy", 0, 0, word_set_metacopy},
	{"passthrough", MICA_MOUNT_PASSTHROUGH, 0, NULL},
	{"io_uring", MICA_MOUNT_IO_URING, 0, NULL},
	{"dot_whiteouts", MICA_MOUNT_DOT_WHITEOUTS, 0, NULL},
	{"userxattr", MICA_MOUNT_USERXATTR, 0, NULL},
	{"suid", MICA_MOUNT_SUID, 0, NULL},
	{"nosuid", 0, MICA_MOUNT_SUID, NULL},
	{"dev", MICA_MOUNT_DEV, 0, NULL},
	{"nodev", 0, MICA_MOUNT_DEV, NULL},
	{"exec", 0, MICA_MOUNT_NOEXEC, NULL},
	{"noexec", MICA_MOUNT_NOEXEC, 0, NULL},
	{"atime", 0, MICA_MOUNT_NOATIME, NULL},
	{"noatime", MICA_MOUNT_NOATIME, 0, NULL},
	{"allow_other", MICA_MOUNT_ALLOW_OTHER, 0, NULL},
	{"default_permissions", MICA_MOUNT_DEFAULT_PERMISSIONS, 0, NULL},
	{"acl", 0, MICA_MOUNT_NOACL, NULL},
	{"noacl", MICA_MOUNT_NOACL, 0, NULL},
	{"auto_unmount", MICA_MOUNT_AUTO_UNMOUNT, 0, NULL},
	{"offset", 0, 0, mica_mount_set_offset},
	{"prefetch", 0, 0, mica_mount_set_prefetch},
	{"trace", 0, 0, mica_mount_set_trace},
	{"device", 0, 0, mica_mount_set_device},
	{"fsname", 0, 0, word_set_fsname},
	{"subtype", 0, 0, word_set_subtype},
	{"uidmapping", 0, 0, word_set_uidmap},
	{"gidmapping", 0, 0, word_set_gidmap},
	{"squash_to_uid", 0, 0, word_set_squash_uid},
	{"squash_to_gid", 0, 0, word_set_squash_gid},
	{"squash_to_root", MICA_MOUNT_SQUASH_ROOT, 0, NULL},
	{"fsync", 0, 0, word_set_fsync},
	{"writeback", 0, 0, word_set_writeback},
	{"timeout", 0, 0, word_set_timeout},
	{"threaded", 0, 0, word_set_threaded},
	{"xattr_permissions", 0, 0, word_set_owners},
	{"noxattrs", 0, 0, word_set_noxattrs},
	{"static_nlink", MICA_MOUNT_STATIC_NLINK, 0, NULL},
};

/* Words for mount(8) itself, and words that change nothing on a read-only FUSE mount. */
static const char *const ignored_words[] = {
	"defaults",   "auto",	       "noauto",     "user",	   "nouser",   "users",
	"owner",      "group",	       "nofail",     "_netdev",	   "comment",  "helper",
	"uhelper",    "loop",	       "async",	     "sync",	   "dirsync",  "relatime",
	"norelatime", "strictatime",   "diratime",   "nodiratime", "lazytime", "nolazytime",
	"iversion",   "nostrictatime", "user_xattr", "silent",	   "loud",     "noiversion",
	"private",    "rprivate",      "shared",     "slave",	   "index",    "xino",
	"nfs_export",
};

static bool word_is_ignored(const char *name)
{
	if (!strncmp(name, "x-", 2) || !strncmp(name, "X-", 2))
		return true;
	for (size_t i = 0; i < sizeof(ignored_words) / sizeof(ignored_words[0]); i++)
		if (!strcmp(name, ignored_words[i]))
			return true;
	return false;
}

static int word_apply(struct mica_mount_opts *o, char *text, struct mica_err *err)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct word *w = &words[i];

		if (strcmp(text, w->name))
			continue;
		if (!w->value != !value)
			return mica_err_set(err, MICA_E_USAGE, "mount option %s %s", text,
					    value ? "takes no value" : "needs a value");
		if (w->value && w->value(o, value, err))
			return mica_err_wrap(err, "mount option %s", text);
		o->flags = (o->flags & ~w->clear) | w->set;
		return 0;
	}
	if (!strcmp(text, "rw")) {
		o->wants_write = true;
		return 0;
	}
	if (o->stand_in && !word_is_ignored(text))
		fprintf(stderr, "mica: mount option %s is not known, and ignored\n", text);
	if (word_is_ignored(text) || o->sloppy)
		return 0;
	return mica_err_set(err, MICA_E_USAGE, "unknown mount option '%s' (see mica mount --help)",
			    text);
}

/* Commas end a word; a backslash takes a comma or a backslash as it is. Splits o->words in place. */
int mica_mount_words_apply(struct mica_mount_opts *o, struct mica_err *err)
{
	char *in = o->words;

	while (in && *in) {
		char *word = in, *out = in;

		for (; *in && *in != ','; in++) {
			/* "\\:" is for lowerdir= */
			if (*in == '\\' && (in[1] == ',' || in[1] == '\\'))
				in++;
			*out++ = *in;
		}
		in += *in == ',';
		*out = 0;
		if (*word && word_apply(o, word, err))
			return err->code;
	}
	return 0;
}

/* Overlayfs names the topmost first. A backslash takes a colon into a name. */
int mica_mount_lowerdir_split(struct mica_mount_opts *o, struct mica_err *err)
{
	struct mica_opt_list top_first = {0};
	char *in = o->lowerdir;
	int ret = 0;

	while (!ret && in) {
		char *name = in, *out = in;

		for (; *in && *in != ':'; in++) {
			if (*in == '\\' && in[1])
				in++;
			*out++ = *in;
		}
		in = *in ? in + 1 : NULL;
		*out = 0;
		if (*name)
			ret = mica_opt_list_add(&top_first, name, err);
	}
	for (unsigned int i = top_first.count; !ret && i-- > 0;)
		ret = mica_opt_list_add(&o->layers, top_first.v[i], err);
	mica_opt_list_free(&top_first);
	return ret;
}
