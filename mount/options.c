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

int mica_mount_set_offset(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_opt_size(value, 0, INT64_MAX, &o->offset, err);
}

int mica_mount_set_device(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	return mica_opt_list_add(&o->devices, value, err);
}

int mica_mount_set_upper(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->upper = value;
	return 0;
}

int mica_mount_set_work(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->work = value;
	return 0;
}

int mica_mount_set_prefetch(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->prefetch = value;
	return 0;
}

int mica_mount_set_trace(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)err;
	o->trace = value;
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
	 "metacopy=on|off, dot_whiteouts, "
	 "userxattr, passthrough, io_uring, prefetch=FILE, trace=FILE, "
	 "uidmapping=MAP, gidmapping=MAP, "
	 "squash_to_root, "
	 "squash_to_uid=N, "
	 "squash_to_gid=N, writeback=0|1, timeout=SECONDS, threaded=0|1, noxattrs=0|1, "
	 "xattr_permissions=0|1|2, "
	 "static_nlink; words that are for fstab alone are ignored",
	 opt_set_words},
	{"offset", 0, "N", "the image starts at byte N of the file (K, M, G, T allowed)",
	 mica_mount_set_offset},
	{"device", 0, "PATH",
	 "the next file of the image's device table, may be repeated; without it they are expected "
	 "behind the image",
	 mica_mount_set_device},
	{"upper", 0, "DIR",
	 "changes go into DIR, in the format of the kernel's overlayfs; without it the mount is "
	 "read-only",
	 mica_mount_set_upper},
	{"work", 0, "DIR",
	 "changes are made ready in DIR, on the same file system (default: beside the upper "
	 "directory, with .work behind its name)",
	 mica_mount_set_work},
	{"cache", 0, "SIZE",
	 "keep at most SIZE bytes of decoded data (default: 64M, less where memory is short)",
	 opt_set_cache},
	{"threads", 'j', "N",
	 "serve at most N requests at the same time, and work ahead with N threads",
	 opt_set_threads},
	{"prefetch", 0, "FILE",
	 "in the background, have at hand what FILE says is read, as --trace wrote it",
	 mica_mount_set_prefetch},
	{"trace", 0, "FILE",
	 "write into FILE in which order files are read first, for 'mica mkimage --order'",
	 mica_mount_set_trace},
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

static int stand_in_version(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mount_opts *o = ctx;

	(void)value;
	(void)err;
	o->version = true;
	return 0;
}

/* What podman and buildah pass to fuse-overlayfs. */
static const struct mica_opt stand_in_opts[] = {
	{NULL, 'f', NULL, "stay in the foreground", opt_set_foreground},
	{"debug", 'd', NULL, "ignored", helper_ignore},
	{"version", 'V', NULL, "say the version", stand_in_version},
	{NULL, 'o', "WORDS", "mount options", opt_set_words},
	{0},
};

static bool called_as(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');

	return !strcmp(slash ? slash + 1 : program, name);
}

/* What fuse-overlayfs does unless it is told otherwise. */
static void take_its_place(struct mica_mount_opts *o)
{
	o->quiet = true;
	o->sloppy = true;
	o->flags |=
		MICA_MOUNT_DEFAULT_PERMISSIONS | MICA_MOUNT_NO_REDIRECT | MICA_MOUNT_DOT_WHITEOUTS;
	if (geteuid() == 0)
		o->flags |= MICA_MOUNT_SUID | MICA_MOUNT_NOATIME;
	o->fsname = o->subtype = "fuse-overlayfs";
}

/* SOURCE... MOUNTPOINT; with lowerdir= one source more, which mount(8) wants, means nothing. */
static int operands_apply(struct mica_mount_opts *o, int operands, char **argv,
			  struct mica_err *err)
{
	int ret = 0;

	if (o->stand_in && (operands != 1 || !o->lowerdir))
		return mica_err_set(err, MICA_E_USAGE,
				    "a mountpoint and -o lowerdir=DIR are needed");
	if (o->lowerdir ? operands < 1 || operands > 2 : operands < 2)
		return mica_err_set(err, MICA_E_USAGE,
				    "an image and a mountpoint are needed (see mica mount --help)");
	o->mountpoint = argv[operands];
	if (o->lowerdir)
		return mica_mount_lowerdir_split(o, err);
	for (int i = 1; !ret && i < operands; i++)
		ret = mica_opt_list_add(&o->layers, argv[i], err);
	return ret;
}

/* One image and no changes: served without a stack. */
static void choose_image(struct mica_mount_opts *o)
{
	struct stat st;

	if (o->layers.count == 1 && !o->upper && !o->ids.uids.count && !o->ids.gids.count &&
	    !o->ids.uids.squash && !o->ids.gids.squash &&
	    !(o->flags & (MICA_MOUNT_STATIC_NLINK | MICA_MOUNT_NOXATTRS | MICA_MOUNT_TIMEOUT)) &&
	    (stat(o->layers.v[0], &st) < 0 || !S_ISDIR(st.st_mode)))
		o->image = o->layers.v[0];
}

int mica_mount_opts_parse(struct mica_mount_opts *o, int argc, char **argv, struct mica_err *err)
{
	int operands, ret;
	bool help;

	*o = (struct mica_mount_opts){
		.helper = called_as(argv[0], "mount.mica"),
		.stand_in = called_as(argv[0], "fuse-overlayfs") ||
			    called_as(argv[0], "mica-fuse-overlayfs"),
		.subtype = "mica",
	};
	o->quiet = o->helper;
	/* what root mounts is for everybody; what a user mounts is for that user alone */
	if (geteuid() == 0)
		o->flags = MICA_MOUNT_ALLOW_OTHER | MICA_MOUNT_DEFAULT_PERMISSIONS;
	if (o->stand_in)
		take_its_place(o);
	ret = mica_opt_parse(o->helper	   ? helper_opts
			     : o->stand_in ? stand_in_opts
					   : mica_mount_opts_table,
			     o, argc, argv, &operands, &help, err);
	if (ret || o->version)
		return ret;
	ret = mica_mount_words_apply(o, err);
	if (!ret)
		ret = operands_apply(o, operands, argv, err);
	if (ret)
		return ret;
	/* mount(8) says rw whenever nobody said ro */
	if (o->wants_write && !o->upper && !o->helper)
		return mica_err_set(err, MICA_E_USAGE,
				    "mount option rw: without an upper directory (--upper) "
				    "everything is read-only");
	if (o->trace && o->flags & MICA_MOUNT_PASSTHROUGH)
		return mica_err_set(err, MICA_E_USAGE,
				    "--trace sees nothing of files that the kernel reads by itself "
				    "(-o passthrough)");
	if (o->work && !o->upper)
		return mica_err_set(err, MICA_E_USAGE,
				    "a work directory is of use with an upper directory only");
	if (o->flags & MICA_MOUNT_METACOPY && o->flags & MICA_MOUNT_NO_REDIRECT)
		return mica_err_set(err, MICA_E_USAGE,
				    "metacopy=on needs redirect_dir=on: a renamed file says with a "
				    "redirect where its data is");
	if (o->flags & MICA_MOUNT_SQUASH_ROOT)
		o->ids.uids.squash = o->ids.gids.squash = true;
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
	mica_ids_clear(&o->ids);
}
