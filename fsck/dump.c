/* SPDX-License-Identifier: MIT */
/* The verb "mica dump". */
#include "dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/opt.h"
#include "../lib/util.h"
#include "flag.h"
#include "show.h"
#include "verbs.h"

struct dump_args {
	uint64_t offset;
	struct mica_opt_list devices;
	bool ls, recursive, extents, json;
};

static int set_offset(void *ctx, const char *value, struct mica_err *err)
{
	struct dump_args *args = ctx;

	return mica_opt_size(value, 0, INT64_MAX, &args->offset, err);
}

static int set_device(void *ctx, const char *value, struct mica_err *err)
{
	return mica_opt_list_add(&((struct dump_args *)ctx)->devices, value, err);
}

FLAG_SETTER(set_ls, struct dump_args, ls)
FLAG_SETTER(set_recursive, struct dump_args, recursive)
FLAG_SETTER(set_extents, struct dump_args, extents)
FLAG_SETTER(set_json, struct dump_args, json)

static const struct mica_opt dump_opts[] = {
	{"ls", 'l', NULL, "list the directory PATH (default: the root) as ls -lan does, in UTC",
	 set_ls},
	{"recursive", 'R', NULL, "with --ls: everything below PATH as well", set_recursive},
	{"extents", 'e', NULL, "show the block map of PATH", set_extents},
	{"json", 0, NULL, "print one JSON object", set_json},
	{"offset", 0, "N", "the image starts at byte N of the file", set_offset},
	MICA_SHOW_DEVICE_OPT(set_device),
	{0},
};

static int dump_show(struct mica_dump *d, const struct dump_args *args, const char *path,
		     struct mica_err *err)
{
	int ret;

	if (args->ls)
		return mica_dump_ls(d, path ? path : "/", args->recursive, err);
	if (args->extents)
		return mica_dump_extents(d, path, err);
	if (path)
		return mica_dump_inode(d, path, err);
	ret = mica_dump_super(d, mica_image_io(d->img), mica_image_super(d->img), err);
	if (ret)
		return ret;
	mica_dump_devices(d);
	return mica_dump_stats(d, err);
}

/* What is left of an image that cannot be opened; the error that was is shown in any case. */
static void dump_rest(struct mica_dump *d, const struct mica_image_files *files)
{
	cleanup(mica_image_ios_clear) struct mica_image_ios ios = {0};
	struct mica_err err = {0};
	struct mica_super sb;

	if (!mica_image_ios_open(files, &ios, &err) && !mica_super_read(ios.io, true, &sb, &err))
		mica_dump_super(d, ios.io, &sb, &err);
}

static int dump_image(const struct dump_args *args, const char *image, const char *path,
		      struct mica_err *err)
{
	const struct mica_image_files files = {
		.path = image,
		.offset = args->offset,
		.devices = args->devices.v,
		.device_count = args->devices.count,
	};
	struct mica_image *img cleanup_image = NULL;
	struct mica_dump d = {.json = args->json};
	struct mica_err write_err = {0};
	int ret = mica_image_open_files(&files, NULL, &img, err);

	if (ret == MICA_E_SYS || ret == MICA_E_USAGE)
		return ret;
	mica_json_init(&d.j, stdout);
	if (d.json)
		mica_json_object(&d.j, NULL);
	if (!ret) {
		d.img = img;
		ret = dump_show(&d, args, path, err);
	} else if (!path && !args->ls) {
		dump_rest(&d, &files);
	}
	if (d.json) {
		mica_json_close_all(&d.j);
		if (mica_json_finish(&d.j, &write_err) && !ret)
			*err = write_err;
	} else if ((fflush(stdout) || ferror(stdout)) && !ret) {
		mica_err_sys(err, errno, "cannot write");
	}
	return err->code;
}

static int dump_run(int argc, char **argv)
{
	struct dump_args args = {0};
	struct mica_err err = {0};
	int operands;
	bool help;
	int ret = mica_opt_parse(dump_opts, &args, argc, argv, &operands, &help, &err);

	if (!ret && (operands < 1 || operands > 2))
		ret = mica_err_set(&err, MICA_E_USAGE, "needs IMAGE and at most one PATH");
	if (!ret && args.ls && args.extents)
		ret = mica_err_set(&err, MICA_E_USAGE, "--ls and --extents exclude each other");
	if (!ret && args.recursive && !args.ls)
		ret = mica_err_set(&err, MICA_E_USAGE, "-R needs --ls");
	if (!ret && args.extents && operands < 2)
		ret = mica_err_set(&err, MICA_E_USAGE, "--extents needs a PATH");
	if (ret) {
		mica_opt_list_free(&args.devices);
		mica_show_error("dump", NULL, &err);
		return EXIT_FAILURE;
	}
	ret = dump_image(&args, argv[1], operands > 1 ? argv[2] : NULL, &err);
	mica_opt_list_free(&args.devices);
	if (!ret)
		return EXIT_SUCCESS;
	fflush(stdout);
	mica_show_error("dump", argv[1], &err);
	return EXIT_FAILURE;
}

const struct mica_verb mica_verb_dump = {
	.name = "dump",
	.usage = "[OPTIONS] IMAGE [PATH]",
	.summary = "show an image's superblock, inodes, listings and block maps",
	.about = "Shows what is in an EROFS image: without PATH the superblock, the oldest kernel "
		 "that mounts it and statistics over all inodes; with PATH that inode and its "
		 "extended attributes.",
	.opts = dump_opts,
	.run = dump_run,
};
