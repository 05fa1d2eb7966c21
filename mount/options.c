/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_MIN   (1ULL << 20)
#define CACHE_MAX   (1ULL << 40)
#define THREADS_MAX 256

static int opt_set_foreground(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)value;
	(void)err;
	o->foreground = true;
	return 0;
}

static int opt_set_words(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;
	char *words = NULL;

	if (asprintf(&words, "%s%s%s", o->words ? o->words : "", o->words ? "," : "", value) < 0)
		return mica_err_nomem(err);
	free(o->words);
	o->words = words;
	return 0;
}

static int opt_set_offset(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_opt_size(value, 0, INT64_MAX, &o->offset, err);
}

static int opt_set_device(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_opt_list_add(&o->devices, value, err);
}

static int opt_set_upper(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->upper = value;
	return 0;
}

static int opt_set_work(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->work = value;
	return 0;
}

static int opt_set_cache(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_opt_size(value, CACHE_MIN, CACHE_MAX, &o->cache_bytes, err);
}

static int opt_set_threads(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;
	uint64_t threads;
	int ret = mica_opt_uint(value, 1, THREADS_MAX, &threads, err);

	if (!ret)
		o->threads = (unsigned int)threads;
	return ret;
}

static int opt_set_quiet(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)value;
	(void)err;
	o->quiet = true;
	return 0;
}

const struct mica_opt mica_mount_opts_table[] = {
	{"foreground", 'f', NULL, "stay in the foreground and serve until unmounted or interrupted",
	 opt_set_foreground},
	{"options", 'o', "WORDS",
	 "mount options, separated by commas: offset=N, device=PATH, allow_other, "
	 "default_permissions, suid, "
	 "dev, noexec, noatime, noacl, auto_unmount, fsname=NAME, subtype=NAME, ro, "
	 "lowerdir=TOP:...:BOTTOM, upperdir=DIR, workdir=DIR, volatile, redirect_dir=on|off, "
	 "userxattr; words that are for fstab alone are ignored",
	 opt_set_words},
	{"offset", 0, "N", "the image starts at byte N of the file (K, M, G, T allowed)",
	 opt_set_offset},
	{"device", 0, "PATH",
	 "the next file of the image's device table, may be repeated; without it they are expected "
	 "behind the image",
	 opt_set_device},
	{"upper", 0, "DIR",
	 "changes go into DIR, in the format of the kernel's overlayfs; without it the mount is "
	 "read-only",
	 opt_set_upper},
	{"work", 0, "DIR",
	 "changes are made ready in DIR, on the same file system (default: beside the upper "
	 "directory, with .work behind its name)",
	 opt_set_work},
	{"cache", 0, "SIZE",
	 "keep at most SIZE bytes of decoded data (default: 64M, less where memory is short)",
	 opt_set_cache},
	{"threads", 'j', "N",
	 "serve at most N requests at the same time, and work ahead with N threads",
	 opt_set_threads},
	{"quiet", 0, NULL, "do not say on standard output that the mount is live", opt_set_quiet},
	{0},
};

/* What mount(8) passes to mount.mica; there -f means "fake". */
static int helper_set_fake(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)value;
	(void)err;
	o->fake = true;
	return 0;
}

static int helper_set_sloppy(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)value;
	(void)err;
	o->sloppy = true;
	return 0;
}

static int helper_set_verbose(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)value;
	(void)err;
	o->quiet = false;
	return 0;
}

static int helper_ignore(void *ctx, const char *value, struct mica_err *err)
{
	(void)ctx;
	(void)value;
	(void)err;
	return 0;
}

static const struct mica_opt helper_opts[] = {
	{NULL, 'f', NULL, "do everything but the mount", helper_set_fake},
	{NULL, 's', NULL, "ignore unknown mount options", helper_set_sloppy},
	{NULL, 'v', NULL, "say when the mount is live", helper_set_verbose},
	{NULL, 'n', NULL, "ignored", helper_ignore},
	{NULL, 't', "TYPE", "ignored", helper_ignore},
	{NULL, 'o', "WORDS", "mount options", opt_set_words},
	{0},
};

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
	o->flags &= ~(unsigned int)MICA_MOUNT_NO_REDIRECT;
	o->flags |= strcmp(value, "on") ? MICA_MOUNT_NO_REDIRECT : 0;
	return 0;
}

static const struct word words[] = {
	{"ro", MICA_MOUNT_RO, 0, NULL},
	{"lowerdir", 0, 0, word_set_lowerdir},
	{"upperdir", 0, 0, opt_set_upper},
	{"workdir", 0, 0, opt_set_work},
	{"volatile", MICA_MOUNT_VOLATILE, 0, NULL},
	{"redirect_dir", 0, 0, word_set_redirect},
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
	{"offset", 0, 0, opt_set_offset},
	{"device", 0, 0, opt_set_device},
	{"fsname", 0, 0, word_set_fsname},
	{"subtype", 0, 0, word_set_subtype},
};

/* Words for mount(8) itself, and words that change nothing on a read-only FUSE mount. */
static const char *const ignored_words[] = {
	"defaults",   "auto",	       "noauto",     "user",	   "nouser",   "users",
	"owner",      "group",	       "nofail",     "_netdev",	   "comment",  "helper",
	"uhelper",    "loop",	       "async",	     "sync",	   "dirsync",  "relatime",
	"norelatime", "strictatime",   "diratime",   "nodiratime", "lazytime", "nolazytime",
	"iversion",   "nostrictatime", "user_xattr", "silent",	   "loud",     "noiversion",
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
	if (word_is_ignored(text) || o->sloppy)
		return 0;
	return mica_err_set(err, MICA_E_USAGE, "unknown mount option '%s' (see mica mount --help)",
			    text);
}

/* Commas end a word; a backslash takes the next byte as it is. Splits o->words in place. */
static int words_apply(struct mica_mount_opts *o, struct mica_err *err)
{
	char *in = o->words;

	while (in && *in) {
		char *word = in, *out = in;

		for (; *in && *in != ','; in++) {
			if (*in == '\\' && in[1])
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

static bool called_by_mount(const char *program)
{
	const char *slash = strrchr(program, '/');

	return !strcmp(slash ? slash + 1 : program, "mount.mica");
}

/* Overlayfs names the topmost first. A backslash takes a colon into a name. */
static int lowerdir_split(struct mica_mount_opts *o, struct mica_err *err)
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

/* SOURCE... MOUNTPOINT; with lowerdir= one source more, which mount(8) wants, means nothing. */
static int operands_apply(struct mica_mount_opts *o, int operands, char **argv,
			  struct mica_err *err)
{
	int ret = 0;

	if (o->lowerdir ? operands < 1 || operands > 2 : operands < 2)
		return mica_err_set(err, MICA_E_USAGE,
				    "an image and a mountpoint are needed (see mica mount --help)");
	o->mountpoint = argv[operands];
	if (o->lowerdir)
		return lowerdir_split(o, err);
	for (int i = 1; !ret && i < operands; i++)
		ret = mica_opt_list_add(&o->layers, argv[i], err);
	return ret;
}

/* One image and no changes: served without a stack. */
static void choose_image(struct mica_mount_opts *o)
{
	struct stat st;

	if (o->layers.count == 1 && !o->upper &&
	    (stat(o->layers.v[0], &st) < 0 || !S_ISDIR(st.st_mode)))
		o->image = o->layers.v[0];
}

int mica_mount_opts_parse(struct mica_mount_opts *o, int argc, char **argv, struct mica_err *err)
{
	int operands, ret;
	bool help;

	*o = (struct mica_mount_opts){.helper = called_by_mount(argv[0]), .subtype = "mica"};
	o->quiet = o->helper;
	/* what root mounts is for everybody; what a user mounts is for that user alone */
	if (geteuid() == 0)
		o->flags = MICA_MOUNT_ALLOW_OTHER | MICA_MOUNT_DEFAULT_PERMISSIONS;
	ret = mica_opt_parse(o->helper ? helper_opts : mica_mount_opts_table, o, argc, argv,
			     &operands, &help, err);
	if (ret)
		return ret;
	ret = words_apply(o, err);
	if (!ret)
		ret = operands_apply(o, operands, argv, err);
	if (ret)
		return ret;
	/* mount(8) says rw whenever nobody said ro */
	if (o->wants_write && !o->upper && !o->helper)
		return mica_err_set(err, MICA_E_USAGE,
				    "mount option rw: without an upper directory (--upper) "
				    "everything is read-only");
	if (o->work && !o->upper)
		return mica_err_set(err, MICA_E_USAGE,
				    "a work directory is of use with an upper directory only");
	choose_image(o);
	if (!o->image && (o->offset || o->devices.count))
		return mica_err_set(err, MICA_E_USAGE,
				    "--offset and --device are for one image alone");
	return 0;
}

void mica_mount_opts_clear(struct mica_mount_opts *o)
{
	free(o->words);
	o->words = NULL;
	mica_opt_list_free(&o->devices);
	mica_opt_list_free(&o->layers);
}
