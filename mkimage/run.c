/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/json.h"
#include "../lib/util.h"
#include "../lib/uuid.h"
#include "ending.h"
#include "layers.h"
#include "ordered.h"
#include "outfile.h"
#include "quote.h"
#include "per_layer.h"
#include "progress.h"

/* What a fatal signal must clean up; the handler can know nothing else. */
static struct mica_outfile *_Atomic lone_outfile;
static struct mica_outfile *_Atomic *outfiles = &lone_outfile;
static size_t outfile_count = 1;
static const char *_Atomic made_dir; /* for them; NULL: none */

static void on_fatal_signal(int sig)
{
	for (size_t i = 0; i < outfile_count; i++) {
		struct mica_outfile *f = outfiles[i];

		if (f)
			mica_outfile_abandon(f);
	}
	/* fails if an image is there already */
	if (made_dir)
		rmdir(made_dir);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_fatal_signal}, old;

	/* what was ignored stays so: nohup(1), jobs in the background */
	for (size_t i = 0; i < sizeof(mica_ending) / sizeof(mica_ending[0]); i++)
		if (!sigaction(mica_ending[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(mica_ending[i], &sa, NULL);
	/* these come back as errors of write(2), which say what was written */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

struct run {
	struct mica_report report;
	struct mica_progress progress;
	const char *verb;
};

static void print_warning(struct mica_report *report, const char *line)
{
	struct run *run = (struct run *)report;

	mica_progress_clear(&run->progress);
	fprintf(stderr, "mica %s: warning: %s\n", run->verb, line);
}

static void show_progress(void *ctx, const struct mica_build_state *state)
{
	mica_progress_update(&((struct run *)ctx)->progress, state);
}

static void note_outfile(void *ctx, struct mica_outfile *f)
{
	(void)ctx;
	outfiles[0] = f;
}

static void note_outfile_of(void *ctx, size_t index, struct mica_outfile *f)
{
	(void)ctx;
	outfiles[index] = f;
}

/* What there is to say of one image, but for its name. */
static void json_stats(struct mica_json *j, const struct mica_build_stats *st)
{
	char uuid[MICA_UUID_TEXT];

	mica_uuid_format(st->uuid, uuid);
	mica_json_u64(j, "names", st->counts.names);
	mica_json_u64(j, "inodes", st->counts.inodes);
	mica_json_u64(j, "files", st->counts.files);
	mica_json_u64(j, "directories", st->counts.dirs);
	mica_json_u64(j, "symlinks", st->counts.symlinks);
	mica_json_u64(j, "others", st->counts.others);
	mica_json_u64(j, "bytes_in", st->packer.bytes_in);
	mica_json_u64(j, "bytes_referred", st->bytes_referred);
	mica_json_u64(j, "bytes_duplicate", st->packer.bytes_dup);
	mica_json_u64(j, "bytes_metadata", st->meta_bytes);
	mica_json_u64(j, "bytes_out", st->image_bytes);
	mica_json_u64(j, "offset", st->image_offset);
	mica_json_double(j, "ratio",
			 st->packer.bytes_in ? (double)st->image_bytes / (double)st->packer.bytes_in
					     : 0);
	mica_json_str(j, "uuid", uuid);
}

static int json_end(struct mica_json *j, double seconds, bool verified, uint64_t warnings,
		    struct mica_err *err)
{
	mica_json_double(j, "seconds", seconds);
	mica_json_bool(j, "verified", verified);
	mica_json_u64(j, "warnings", warnings);
	mica_json_object_end(j);
	return mica_json_finish(j, err);
}

static int print_json(const char *image, const struct mica_build_stats *st, double seconds,
		      bool verified, uint64_t warnings, struct mica_err *err)
{
	struct mica_json j;

	mica_json_init(&j, stdout);
	mica_json_object(&j, NULL);
	mica_json_bytes(&j, "image", image, strlen(image));
	json_stats(&j, st);
	return json_end(&j, seconds, verified, warnings, err);
}

static void json_digest(struct mica_json *j, const char *key, bool has,
			const struct mica_digest *digest)
{
	char text[MICA_DIGEST_TEXT];

	if (has)
		mica_digest_format(digest, text);
	mica_json_str(j, key, has ? text : NULL);
}

static int print_layers_json(char *const *targets, const struct mica_layers *layers,
			     const struct mica_build_stats *stats, double seconds, bool verified,
			     uint64_t warnings, struct mica_err *err)
{
	struct mica_json j;

	mica_json_init(&j, stdout);
	mica_json_object(&j, NULL);
	mica_json_array(&j, "images");
	for (size_t i = 0; i < layers->count; i++) {
		const struct mica_layer *layer = &layers->v[i];

		mica_json_object(&j, NULL);
		mica_json_bytes(&j, "image", targets[i], strlen(targets[i]));
		mica_json_bytes(&j, "source", layer->name, strlen(layer->name));
		json_digest(&j, "digest", layer->has_digest, &layer->digest);
		json_digest(&j, "diff_id", layer->has_diff_id, &layer->diff_id);
		json_stats(&j, &stats[i]);
		mica_json_object_end(&j);
	}
	mica_json_array_end(&j);
	return json_end(&j, seconds, verified, warnings, err);
}

static void print_summary(const char *image, const struct mica_build_stats *st, double seconds,
			  bool verified)
{
	char in[16], out[16];

	uint64_t bytes_in = st->packer.bytes_in + st->bytes_referred;

	mica_progress_bytes(bytes_in, in, sizeof(in));
	mica_progress_bytes(st->image_bytes, out, sizeof(out));
	printf("%s: %" PRIu64 " files, %s in, %s out", image, st->counts.files, in, out);
	if (bytes_in)
		printf(" (%.1f%%)", (double)st->image_bytes * 100 / (double)bytes_in);
	if (st->image_offset)
		printf(", image at byte %" PRIu64, st->image_offset);
	printf("%s", verified ? ", verified" : "");
	if (seconds >= 0)
		printf(", %.1f s", seconds);
	putchar('\n');
}

/* What is a base as well is the path of one, whatever it looks like. */
static int layers_list(struct mica_layers *layers, const char *const *operands, unsigned int count,
		       const struct mica_layers_opts *opts, const struct mica_build_opts *build,
		       struct mica_err *err)
{
	bool images = build->tar_index == MICA_TAR_NONE;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < count; i++) {
		char *path = (char *)operands[i];
		struct mica_layer layer = {.name = path,
					   .path = path,
					   .image = images,
					   .ignore_zeros = opts->ignore_zeros};

		ret = build->merge ? mica_layers_push(layers, &layer, err)
				   : mica_layers_add(layers, path, opts, err);
	}
	return ret;
}

static bool progress_is_shown(const struct mica_run_opts *o)
{
	return o->progress == MICA_PROGRESS_ALWAYS ||
	       (o->progress == MICA_PROGRESS_AUTO && !o->quiet && isatty(STDERR_FILENO));
}

/* Said once, after all images: a layer has a part of the names only. */
static void order_report(struct run *run, const struct mica_build_opts *build,
			 const struct mica_run_opts *o)
{
	const char *first;
	size_t total, missing;

	if (!build->ordered)
		return;
	missing = mica_ordered_missing(build->ordered, &total, &first);
	if (missing)
		mica_report_warn(&run->report,
				 "%s: %zu of %zu names are not there, the first is %s", o->order,
				 missing, total, mica_quote(first).text);
}

/* An image for each layer, bottom first. */
static int run_per_layer(struct run *run, const char *out, const struct mica_layers *layers,
			 const struct mica_build_opts *build, const struct mica_run_opts *o,
			 struct mica_err *err)
{
	struct mica_per_layer_events events = {
		.progress = show_progress, .outfile = note_outfile_of, .ctx = run};
	cleanup_free struct mica_build_stats *stats = calloc(layers->count + 1, sizeof(*stats));
	char **targets = NULL;
	sigset_t old;
	bool made;
	int ret;

	if (!stats)
		return mica_err_nomem(err);
	mica_ending_hold(&old);
	ret = mica_per_layer_names(out, layers, &targets, &made, err);
	if (!ret && made)
		made_dir = out;
	mica_ending_restore(&old);
	if (ret)
		return ret;
	ret = mica_per_layer(targets, layers, build, o->user_overlay, &run->report, &events, stats,
			     err);
	mica_progress_clear(&run->progress);
	if (!ret)
		order_report(run, build, o);
	if (ret && made)
		rmdir(out);
	if (!ret && o->json)
		ret = print_layers_json(targets, layers, stats,
					mica_progress_now() - run->progress.start, build->verify,
					run->report.warnings, err);
	for (size_t i = 0; !ret && !o->json && !o->quiet && i < layers->count; i++)
		print_summary(targets[i], &stats[i], -1, build->verify);
	mica_per_layer_names_free(targets, layers->count);
	return ret;
}

static int run_build(struct run *run, const char *image, const struct mica_layers *layers,
		     const struct mica_build_opts *build, const struct mica_run_opts *o,
		     struct mica_err *err)
{
	struct mica_build_events events = {
		.progress = show_progress,
		.outfile = note_outfile,
		.ctx = run,
	};
	struct mica_build_stats stats;
	double seconds;
	int ret = mica_build(image, layers->v, layers->count, build, &run->report, &events, &stats,
			     err);

	mica_progress_clear(&run->progress);
	if (ret)
		return ret;
	order_report(run, build, o);
	seconds = mica_progress_now() - run->progress.start;
	if (o->json)
		return print_json(image, &stats, seconds, build->verify, run->report.warnings, err);
	if (!o->quiet)
		print_summary(image, &stats, seconds, build->verify);
	return 0;
}

/* The path of something in the directory dir; NULL: it is none. */
static char *path_inside(const char *dir)
{
	struct stat st;
	char *path;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || asprintf(&path, "%s/.", dir) < 0)
		return NULL;
	return path;
}

int mica_run(const char *verb, const char *image, const char *const *operands, unsigned int count,
	     const struct mica_platform *platform, const struct mica_build_opts *build,
	     const struct mica_run_opts *o, struct mica_err *err)
{
	struct run run = {.report = {.warn = print_warning}, .verb = verb};
	/* beside the images, which may lie in a directory that is there */
	cleanup_free char *inside = o->per_layer ? path_inside(image) : NULL;
	struct mica_layers_opts list = {.platform = platform,
					.scratch = inside ? inside : image,
					.ignore_zeros = o->ignore_zeros,
					.report = &run.report};
	struct mica_layers layers cleanup(mica_layers_free) = {0};
	int ret;

	mica_progress_start(&run.progress, progress_is_shown(o));
	ret = layers_list(&layers, operands, count, &list, build, err);
	if (!ret && o->per_layer) {
		outfiles = calloc(layers.count + 1, sizeof(*outfiles));
		outfile_count = outfiles ? layers.count : 0;
		if (!outfiles)
			ret = mica_err_nomem(err);
	}
	if (ret)
		return ret;
	catch_signals();
	return o->per_layer ? run_per_layer(&run, image, &layers, build, o, err)
			    : run_build(&run, image, &layers, build, o, err);
}
