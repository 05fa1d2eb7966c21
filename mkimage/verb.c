/* SPDX-License-Identifier: MIT */
/* mica mkimage: the command line around mica_build(). */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../lib/json.h"
#include "../lib/util.h"
#include "../lib/uuid.h"
#include "options.h"
#include "outfile.h"
#include "progress.h"
#include "verbs.h"

/* What a fatal signal must clean up; the handler can know nothing else. */
static struct mica_outfile *_Atomic current_outfile;

static void on_fatal_signal(int sig)
{
	struct mica_outfile *f = current_outfile;

	if (f)
		mica_outfile_abandon(f);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction sa = {.sa_handler = on_fatal_signal}, old;

	/* what was ignored stays so: nohup(1), jobs in the background */
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		if (!sigaction(fatal[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(fatal[i], &sa, NULL);
	/* these come back as errors of write(2), which say what was written */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

struct run {
	struct mica_report report;
	struct mica_progress progress;
};

static void print_warning(struct mica_report *report, const char *line)
{
	struct run *run = (struct run *)report;

	mica_progress_clear(&run->progress);
	fprintf(stderr, "mica mkimage: warning: %s\n", line);
}

static void show_progress(void *ctx, const struct mica_build_state *state)
{
	mica_progress_update(&((struct run *)ctx)->progress, state);
}

static void note_outfile(void *ctx, struct mica_outfile *f)
{
	(void)ctx;
	current_outfile = f;
}

static int print_json(const char *image, const struct mica_build_stats *st, double seconds,
		      bool verified, uint64_t warnings, struct mica_err *err)
{
	struct mica_json j;
	char uuid[MICA_UUID_TEXT];

	mica_uuid_format(st->uuid, uuid);
	mica_json_init(&j, stdout);
	mica_json_object(&j, NULL);
	mica_json_bytes(&j, "image", image, strlen(image));
	mica_json_u64(&j, "names", st->counts.names);
	mica_json_u64(&j, "inodes", st->counts.inodes);
	mica_json_u64(&j, "files", st->counts.files);
	mica_json_u64(&j, "directories", st->counts.dirs);
	mica_json_u64(&j, "symlinks", st->counts.symlinks);
	mica_json_u64(&j, "others", st->counts.others);
	mica_json_u64(&j, "bytes_in", st->packer.bytes_in);
	mica_json_u64(&j, "bytes_duplicate", st->packer.bytes_dup);
	mica_json_u64(&j, "bytes_metadata", st->meta_bytes);
	mica_json_u64(&j, "bytes_out", st->image_bytes);
	mica_json_double(&j, "ratio",
			 st->packer.bytes_in ? (double)st->image_bytes / (double)st->packer.bytes_in
					     : 0);
	mica_json_double(&j, "seconds", seconds);
	mica_json_bool(&j, "verified", verified);
	mica_json_u64(&j, "warnings", warnings);
	mica_json_str(&j, "uuid", uuid);
	mica_json_object_end(&j);
	return mica_json_finish(&j, err);
}

static void print_summary(const char *image, const struct mica_build_stats *st, double seconds,
			  bool verified)
{
	char in[16], out[16];

	mica_progress_bytes(st->packer.bytes_in, in, sizeof(in));
	mica_progress_bytes(st->image_bytes, out, sizeof(out));
	printf("%s: %" PRIu64 " files, %s in, %s out", image, st->counts.files, in, out);
	if (st->packer.bytes_in)
		printf(" (%.1f%%)", (double)st->image_bytes * 100 / (double)st->packer.bytes_in);
	printf("%s, %.1f s\n", verified ? ", verified" : "", seconds);
}

static int run_build(const struct mica_mkimage_options *o, int operands, char **argv,
		     struct mica_err *err)
{
	struct run run = {.report = {.warn = print_warning}};
	struct mica_build_events events = {
		.progress = show_progress,
		.outfile = note_outfile,
		.ctx = &run,
	};
	const struct mica_platform *platform = o->has_platform ? &o->platform : NULL;
	struct mica_layers layers cleanup(mica_layers_free) = {0};
	struct mica_build_stats stats;
	bool shown = o->progress == MICA_PROGRESS_ALWAYS ||
		     (o->progress == MICA_PROGRESS_AUTO && !o->quiet && isatty(STDERR_FILENO));
	double seconds;
	int ret = 0;

	mica_progress_start(&run.progress, shown);
	for (int i = 2; !ret && i <= operands; i++)
		ret = mica_layers_add(&layers, argv[i], platform, &run.report, err);
	if (!ret)
		ret = mica_build(argv[1], layers.v, layers.count, &o->build, &run.report, &events,
				 &stats, err);
	mica_progress_clear(&run.progress);
	if (ret)
		return ret;
	seconds = mica_progress_now() - run.progress.start;
	if (o->json)
		return print_json(argv[1], &stats, seconds, o->build.verify, run.report.warnings,
				  err);
	if (!o->quiet)
		print_summary(argv[1], &stats, seconds, o->build.verify);
	return 0;
}

static int mkimage_run(int argc, char **argv)
{
	struct mica_mkimage_options o;
	struct mica_err err = {0};
	int operands;
	int ret = mica_mkimage_options_parse(&o, argc, argv, &operands, &err);

	if (!ret) {
		catch_signals();
		ret = run_build(&o, operands, argv, &err);
	}
	if (ret)
		fprintf(stderr, "mica mkimage: %s\n", err.msg);
	mica_mkimage_options_free(&o);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct mica_verb mica_verb_mkimage = {
	.name = "mkimage",
	.usage = "[OPTIONS] IMAGE SOURCE...",
	.summary = "build an image from tarballs, directories and other images",
	.about = "Builds the read-only EROFS image IMAGE from each SOURCE: a tarball in any "
		 "compression, - for one on standard input, a directory, another EROFS image, or "
		 "the layers of a container image (oci:DIR[:TAG], oci-archive:FILE[:TAG], "
		 "docker-archive:FILE[:NAME]). Several sources are layers, bottom first; "
		 "whiteouts (.wh.NAME, .wh..wh..opq) hide what lies below. IMAGE appears whole "
		 "or not at all.",
	.opts = mica_mkimage_opts,
	.run = mkimage_run,
};
