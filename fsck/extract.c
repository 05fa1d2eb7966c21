/* SPDX-License-Identifier: MIT */
/* The verb "mica extract". */
#include "extract.h"

#include <string.h>
#include <unistd.h>

#include "../lib/opt.h"
#include "flag.h"
#include "show.h"
#include "verbs.h"

struct extract_args {
	const char *dest;
	uint64_t offset;
	struct mica_opt_list devices;
	bool tar, verbose;
};

static int set_dest(void *ctx, const char *value, struct mica_err *err)
{
	struct extract_args *args = ctx;

	(void)err;
	args->dest = value;
	return 0;
}

static int set_offset(void *ctx, const char *value, struct mica_err *err)
{
	struct extract_args *args = ctx;

	return mica_opt_size(value, 0, INT64_MAX, &args->offset, err);
}

static int set_device(void *ctx, const char *value, struct mica_err *err)
{
	return mica_opt_list_add(&((struct extract_args *)ctx)->devices, value, err);
}

FLAG_SETTER(set_tar, struct extract_args, tar)
FLAG_SETTER(set_verbose, struct extract_args, verbose)

static const struct mica_opt extract_opts[] = {
	{"directory", 'C', "DIR", "extract into DIR (default: .), which is made when missing",
	 set_dest},
	{"tar", 0, NULL, "write a pax tar to standard output instead", set_tar},
	{"verbose", 'v', NULL, "print each name", set_verbose},
	{"offset", 0, "N", "the image starts at byte N of the file", set_offset},
	MICA_SHOW_DEVICE_OPT(set_device),
	{0},
};

/* In place: no leading, trailing or double '/', no "."; ".." is refused. */
static int path_normalise(char *path, struct mica_err *err)
{
	char *out = path;

	for (char *p = path; *p;) {
		size_t len;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (len == 2 && !memcmp(p, "..", 2))
			return mica_err_set(err, MICA_E_USAGE, "a PATH must not have a '..'");
		if (len && !(len == 1 && *p == '.')) {
			if (out != path)
				*out++ = '/';
			memmove(out, p, len);
			out += len;
		}
		p += len;
	}
	*out = 0;
	return 0;
}

static int extract_image(const struct extract_args *args, const char *image, char **paths,
			 size_t count, struct mica_err *err)
{
	const struct mica_image_files files = {
		.path = image,
		.offset = args->offset,
		.devices = args->devices.v,
		.device_count = args->devices.count,
	};
	struct mica_image *img cleanup_image = NULL;
	struct mica_extract x = {.paths = paths, .path_count = count};
	int ret = mica_image_open_files(&files, NULL, &img, err);

	/* all of them are looked up before the first byte is written */
	for (size_t i = 0; !ret && i < count; i++) {
		struct mica_inode inode;

		ret = path_normalise(paths[i], err);
		if (!ret)
			ret = mica_image_walk(img, paths[i], &inode, err);
	}
	if (ret)
		return ret;
	x.img = img;
	if (args->verbose)
		x.names = args->tar ? stderr : stdout;
	if (args->tar)
		return mica_extract_tar(&x, STDOUT_FILENO, err);
	return mica_extract_dir(&x, args->dest, err);
}

static int extract_run(int argc, char **argv)
{
	struct extract_args args = {.dest = "."};
	struct mica_err err = {0};
	int operands;
	bool help;
	int ret = mica_opt_parse(extract_opts, &args, argc, argv, &operands, &help, &err);

	if (!ret && operands < 1)
		ret = mica_err_set(&err, MICA_E_USAGE, "needs an IMAGE");
	if (!ret && args.tar && isatty(STDOUT_FILENO))
		ret = mica_err_set(&err, MICA_E_USAGE, "a tar is not written to a terminal");
	if (ret) {
		mica_opt_list_free(&args.devices);
		mica_show_error("extract", NULL, &err);
		return EXIT_FAILURE;
	}
	ret = extract_image(&args, argv[1], argv + 2, (size_t)operands - 1, &err);
	mica_opt_list_free(&args.devices);
	if ((fflush(stdout) || ferror(stdout)) && !ret)
		ret = mica_err_sys(&err, errno, "cannot write the names");
	if (!ret)
		return EXIT_SUCCESS;
	mica_show_error("extract", argv[1], &err);
	return EXIT_FAILURE;
}

const struct mica_verb mica_verb_extract = {
	.name = "extract",
	.usage = "[OPTIONS] IMAGE [PATH...]",
	.summary = "extract an image into a directory or as a tar",
	.about = "Extracts everything, or the given paths, with contents, modes, owners, times, "
		 "extended attributes, hard links and special files. What stands in the way of a "
		 "name is replaced, existing directories are filled. No symlink in the destination "
		 "is followed.",
	.opts = extract_opts,
	.run = extract_run,
};
