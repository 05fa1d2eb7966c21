/* SPDX-License-Identifier: MIT */
/* The verb "mica fsck". */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../lib/check.h"
#include "../lib/json.h"
#include "../lib/opt.h"
#include "flag.h"
#include "show.h"
#include "verbs.h"

/* Exit status, as fsck(8) has it; of several images the bitwise or. */
enum {
	FSCK_CLEAN = 0,
	FSCK_ERRORS = 4,
	FSCK_TROUBLE = 8,
	FSCK_USAGE = 16,
};

#define THREADS_MAX 64

struct fsck_args {
	uint64_t offset;
	struct mica_opt_list devices;
	uint64_t threads;
	bool json, quiet, no_data;
	bool ignored; /* what fsck(8) passes on to every checker */
};

static int set_offset(void *ctx, const char *value, struct mica_err *err)
{
	struct fsck_args *args = ctx;

	return mica_opt_size(value, 0, INT64_MAX, &args->offset, err);
}

static int set_device(void *ctx, const char *value, struct mica_err *err)
{
	return mica_opt_list_add(&((struct fsck_args *)ctx)->devices, value, err);
}

static int set_threads(void *ctx, const char *value, struct mica_err *err)
{
	struct fsck_args *args = ctx;

	return mica_opt_uint(value, 1, THREADS_MAX, &args->threads, err);
}

FLAG_SETTER(set_json, struct fsck_args, json)
FLAG_SETTER(set_quiet, struct fsck_args, quiet)
FLAG_SETTER(set_no_data, struct fsck_args, no_data)
FLAG_SETTER(set_ignored, struct fsck_args, ignored)

static const struct mica_opt fsck_opts[] = {
	{"no-data", 0, NULL, "check metadata only, do not read and decode files", set_no_data},
	{"offset", 0, "N", "the image starts at byte N of the file", set_offset},
	MICA_SHOW_DEVICE_OPT(set_device),
	{"jobs", 'j', "N", "decode with N threads (default: one for each processor)", set_threads},
	{"json", 0, NULL, "print one JSON object for each image", set_json},
	{"quiet", 'q', NULL, "print errors only", set_quiet},
	{NULL, 'a', NULL, "for fsck(8); has no effect, an image is never changed", set_ignored},
	{NULL, 'n', NULL, "the same", set_ignored},
	{NULL, 'p', NULL, "the same", set_ignored},
	{NULL, 'y', NULL, "the same", set_ignored},
	{0},
};

struct fsck_out {
	const struct fsck_args *args;
	const char *image;
	struct mica_json j;
};

static void finding_json(struct mica_json *j, const char *image, const struct mica_check_finding *f)
{
	mica_json_object(j, NULL);
	mica_json_str(j, "structure", f->structure);
	if (f->path)
		mica_json_str(j, "path", f->path);
	if (f->has_nid)
		mica_json_u64(j, "nid", f->nid);
	if (f->has_offset)
		mica_json_u64(j, "offset", f->offset);
	mica_json_str(j, "message", mica_show_message(image, f->message));
	mica_json_object_end(j);
}

static void finding_text(const char *image, const struct mica_check_finding *f)
{
	fputs("mica fsck: ", stderr);
	mica_show_text(stderr, image);
	fprintf(stderr, ": %s", f->structure);
	if (f->path) {
		fputc(' ', stderr);
		mica_show_text(stderr, f->path);
	}
	if (f->has_nid)
		fprintf(stderr, " (nid %" PRIu64 ")", f->nid);
	if (f->has_offset)
		fprintf(stderr, " at 0x%" PRIx64, f->offset);
	fputs(": ", stderr);
	mica_show_text(stderr, mica_show_message(image, f->message));
	fputc('\n', stderr);
}

static void finding_put(void *ctx, const struct mica_check_finding *f)
{
	struct fsck_out *out = ctx;

	if (out->args->json)
		finding_json(&out->j, out->image, f);
	else
		finding_text(out->image, f);
}

static void result_json(struct mica_json *j, const struct mica_check_result *r, bool ok)
{
	mica_json_bool(j, "ok", ok);
	mica_json_u64(j, "error_count", r->findings);
	mica_json_u64(j, "trouble_count", r->troubles);
	mica_json_bool(j, "superblock_checksum", r->checksum);
	mica_json_bool(j, "sealed", r->sealed);
	mica_json_bool(j, "seal_partial", r->sealed && r->seal_partial);
	mica_json_object(j, "counts");
	mica_json_u64(j, "names", r->names);
	mica_json_u64(j, "inodes", r->inodes);
	mica_json_u64(j, "directories", r->dirs);
	mica_json_u64(j, "files", r->files);
	mica_json_u64(j, "symlinks", r->symlinks);
	mica_json_u64(j, "others", r->others);
	mica_json_u64(j, "extents", r->extents);
	mica_json_u64(j, "pclusters_decoded", r->pclusters);
	mica_json_object_end(j);
	mica_json_object(j, "bytes");
	mica_json_u64(j, "image", r->image_bytes);
	mica_json_u64(j, "logical", r->bytes_logical);
	mica_json_u64(j, "decoded", r->bytes_decoded);
	mica_json_u64(j, "plain", r->bytes_plain);
	mica_json_object_end(j);
}

/* What was looked at, what follows from it, and what does not. */
static void result_text(const struct fsck_out *out, const struct mica_check_result *r)
{
	bool data = !out->args->no_data;

	mica_show_text(stdout, out->image);
	printf(": clean: %" PRIu64 " inodes (%" PRIu64 " files, %" PRIu64 " directories, %" PRIu64
	       " symlinks, %" PRIu64 " others), %" PRIu64 " names",
	       r->inodes, r->files, r->dirs, r->symlinks, r->others, r->names);
	if (data)
		printf("; %" PRIu64 " pclusters decoded to %" PRIu64 " bytes, %" PRIu64
		       " plain bytes read",
		       r->pclusters, r->bytes_decoded, r->bytes_plain);
	printf(".\n  Proved: %s; metadata consistent%s.\n",
	       r->checksum ? "superblock checksum right" : "superblock without a checksum",
	       data ? "; every file decodes to its length" : "; file data not looked at");
	if (r->sealed && r->seal_partial)
		puts("  Proved by the seal: no byte of the image itself has changed by accident "
		     "since "
		     "it was built.\n  Not proved: the same of what it refers to in its layers; "
		     "check "
		     "those themselves.");
	else if (r->sealed)
		puts("  Proved by the seal: no byte has changed by accident since the image was "
		     "built.");
	else
		puts("  Not proved: contents, modes, owners and times carry no checksum, so a "
		     "changed byte in\n  uncompressed data, or one that still decodes, cannot be "
		     "found.");
}

static void result_more(const struct fsck_out *out, const struct mica_check_result *r)
{
	uint64_t all = r->findings + r->troubles;

	if (all <= MICA_CHECK_FINDINGS_MAX)
		return;
	fputs("mica fsck: ", stderr);
	mica_show_text(stderr, out->image);
	fprintf(stderr, ": and %" PRIu64 " errors more\n", all - MICA_CHECK_FINDINGS_MAX);
}

static int fsck_check(const struct fsck_args *args, const char *image,
		      const struct mica_check_opts *opts, struct mica_check_result *res,
		      struct mica_err *err)
{
	const struct mica_image_files files = {
		.path = image,
		.offset = args->offset,
		.devices = args->devices.v,
		.device_count = args->devices.count,
	};
	struct mica_image_ios ios;
	int ret = mica_image_ios_open(&files, &ios, err);

	return ret ? ret : mica_check_image(&ios, opts, res, err);
}

static int fsck_image(const struct fsck_args *args, const char *image)
{
	struct fsck_out out = {.args = args, .image = image};
	struct mica_check_opts opts = {
		.data = !args->no_data,
		.seal = !args->no_data,
		.threads = (unsigned int)args->threads,
		.finding = finding_put,
		.ctx = &out,
	};
	struct mica_check_result res = {0};
	struct mica_err err = {0};
	int status = FSCK_CLEAN, ret;

	mica_json_init(&out.j, stdout);
	if (args->json) {
		mica_json_object(&out.j, NULL);
		mica_json_str(&out.j, "image", image);
		mica_json_array(&out.j, "errors");
	}
	ret = fsck_check(args, image, &opts, &res, &err);
	if (ret)
		mica_show_error("fsck", image, &err);
	if (res.findings)
		status |= FSCK_ERRORS;
	if (ret || res.troubles)
		status |= FSCK_TROUBLE;
	if (args->json) {
		mica_json_array_end(&out.j);
		result_json(&out.j, &res, !status);
		mica_json_object_end(&out.j);
		if (mica_json_finish(&out.j, &err)) {
			mica_show_error("fsck", NULL, &err);
			status |= FSCK_TROUBLE;
		}
		return status;
	}
	result_more(&out, &res);
	if (!status && !args->quiet)
		result_text(&out, &res);
	return status;
}

static uint64_t processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (uint64_t)n;
}

static int fsck_run(int argc, char **argv)
{
	struct fsck_args args = {.threads = processors()};
	struct mica_err err = {0};
	int status = FSCK_CLEAN, operands;
	bool help;
	int ret = mica_opt_parse(fsck_opts, &args, argc, argv, &operands, &help, &err);

	if (!ret && !operands)
		ret = mica_err_set(&err, MICA_E_USAGE, "needs an IMAGE");
	if (!ret && args.devices.count && operands > 1)
		ret = mica_err_set(&err, MICA_E_USAGE, "--device goes with one IMAGE only");
	if (ret)
		mica_show_error("fsck", NULL, &err);
	for (int i = 1; !ret && i <= operands; i++)
		status |= fsck_image(&args, argv[i]);
	if (!args.json && (fflush(stdout) || ferror(stdout))) {
		mica_err_sys(&err, errno, "cannot write");
		mica_show_error("fsck", NULL, &err);
		status |= FSCK_TROUBLE;
	}
	mica_opt_list_free(&args.devices);
	return ret ? FSCK_USAGE : status;
}

const struct mica_verb mica_verb_fsck = {
	.name = "fsck",
	.usage = "[OPTIONS] IMAGE...",
	.summary = "check images",
	.about = "Checks every structure of EROFS images and decodes every file. Images are never "
		 "changed. Exit status: 0 clean, 4 errors in an image, 8 an image cannot be read, "
		 "16 wrong usage; of several images the sum of what occurred.",
	.opts = fsck_opts,
	.run = fsck_run,
};
