/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <sched.h>
#include <string.h>

#include "../lib/util.h"
#include "../lib/uuid.h"
#include "ordered.h"

#define CLUSTER_DEFAULT (512u << 10)
#define MEMORY_DEFAULT	(512ull << 20)
#define META_DEFAULT	(32u << 10)
#define BEST_META	(1u << 20)
#define BEST_CODEC	"lzma:9e"
#define BEST_CODEC_OLD	"lz4hc:12" /* where the kernel does not read lzma */
#define BEST_COMPAT	"6.17"
#define JOBS_MAX	256u
#define JOBS_DEFAULT	64u /* more would need more memory than the default allows */
/* Of those that compress about as fast as one thread reads: more would take memory alone. */
#define JOBS_FAST 6u
#define ZSTD_FAST 5
#define ID_MAX	  4294967294 /* the one above means "none" to the kernel */

static int set_codec(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->codec = value;
	return mica_codec_spec_parse(value, &o->build.codec, err);
}

static int set_cluster(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->cluster = true;
	return mica_cluster_parse(value, &o->build.cluster, err);
}

static int set_best(void *ctx, const char *value, struct mica_err *err)
{
	(void)value;
	(void)err;
	((struct mica_mkimage_options *)ctx)->best = true;
	return 0;
}

static int set_rule(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	return mica_rules_add(&o->rules, value, err);
}

static int set_order(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	if (o->ordered)
		return mica_err_set(err, MICA_E_USAGE, "there is one already; files can be joined");
	o->run.order = value;
	if (mica_ordered_load(value, &o->ordered, err))
		return err->code;
	o->build.ordered = o->ordered;
	return 0;
}

static int set_meta_cluster(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;
	uint64_t v = 0;
	int ret = 0;

	o->meta_cluster = value;
	if (strcmp(value, "none"))
		ret = mica_opt_size(value, MICA_BLOCK, MICA_CLUSTER_PLAIN, &v, err);
	if (!ret && v & (v - 1))
		return mica_err_set(err, MICA_E_USAGE, "%s is not a power of two", value);
	o->build.meta_cluster = (uint32_t)v;
	return ret;
}

static int set_fragments(void *ctx, const char *value, struct mica_err *err)
{
	static const char *const names[] = {
		[MICA_FRAGMENTS_OFF] = "off",
		[MICA_FRAGMENTS_TAILS] = "tails",
		[MICA_FRAGMENTS_SMALL] = "small",
	};
	struct mica_mkimage_options *o = ctx;

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		o->build.fragments = (enum mica_fragments)i;
		o->fragments = true;
		return 0;
	}
	return mica_err_set(err, MICA_E_USAGE, "'%s' is none of: off, tails, small", value);
}

static int set_memory(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	return mica_opt_size(value, MICA_BUILD_MEMORY_MIN, UINT64_MAX, &o->build.memory, err);
}

static int set_jobs(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;
	uint64_t v;
	int ret = mica_opt_uint(value, 1, JOBS_MAX, &v, err);

	if (!ret)
		o->build.jobs = (unsigned int)v;
	return ret;
}

static int set_compat(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->have_compat = true;
	return mica_compat_parse(value, &o->build.compat, err);
}

static int set_label(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	if (strlen(value) > 16)
		return mica_err_set(err, MICA_E_USAGE, "'%s' is longer than 16 bytes", value);
	snprintf(o->build.label, sizeof(o->build.label), "%s", value);
	return 0;
}

static int set_uuid(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->build.have_uuid = true;
	if (mica_uuid_parse(value, o->build.uuid))
		return 0;
	return mica_err_set(err, MICA_E_USAGE,
			    "'%s' is not a UUID such as 01234567-89ab-cdef-0123-456789abcdef",
			    value);
}

static int set_timestamp(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->build.apply.set_time = true;
	return mica_opt_int(value, INT64_MIN, INT64_MAX, &o->build.apply.time, err);
}

static int set_all_root(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->build.apply.uid = 0;
	o->build.apply.gid = 0;
	return 0;
}

static int set_force_uid(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	return mica_opt_int(value, 0, ID_MAX, &o->build.apply.uid, err);
}

static int set_force_gid(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	return mica_opt_int(value, 0, ID_MAX, &o->build.apply.gid, err);
}

static int set_exclude(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;
	const char **v;

	if (!*value)
		return mica_err_set(err, MICA_E_USAGE, "an empty pattern matches nothing");
	v = reallocarray(o->excludes, o->exclude_count + 2, sizeof(*v));
	if (!v)
		return mica_err_nomem(err);
	v[o->exclude_count++] = value;
	v[o->exclude_count] = NULL;
	o->excludes = v;
	o->build.apply.excludes = v;
	return 0;
}

static int set_overlay_input(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->build.apply.overlay_input = true;
	return 0;
}

static int set_ignore_zeros(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->run.ignore_zeros = true;
	return 0;
}

static int set_verify(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->build.verify = true;
	return 0;
}

static int set_per_layer(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->run.per_layer = true;
	return 0;
}

static int set_whiteouts(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->run.has_whiteouts = true;
	o->run.user_overlay = !strcmp(value, "user");
	if (o->run.user_overlay || !strcmp(value, "trusted"))
		return 0;
	return mica_err_set(err, MICA_E_USAGE, "'%s' is neither trusted nor user", value);
}

static int set_platform(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	o->has_platform = true;
	return mica_platform_parse(value, &o->platform, err);
}

static int set_base(void *ctx, const char *value, struct mica_err *err)
{
	return mica_opt_list_add(&((struct mica_mkimage_options *)ctx)->bases, value, err);
}

static int set_flat(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->build.flat = true;
	return 0;
}

static int tar_index_set(struct mica_mkimage_options *o, enum mica_tar_index how,
			 const char *option, struct mica_err *err)
{
	enum mica_tar_index before = o->build.tar_index;

	/* --tar-index may stand beside the others, which say more */
	if (how == MICA_TAR_APART && before != MICA_TAR_NONE)
		return 0;
	if (before > MICA_TAR_APART && before != how)
		return mica_err_set(err, MICA_E_USAGE,
				    "the index goes to one end of the tar, "
				    "not to both");
	o->build.tar_index = how;
	o->tar_index = option;
	return 0;
}

static int set_tar_index(void *ctx, const char *value, struct mica_err *err)
{
	(void)value;
	return tar_index_set(ctx, MICA_TAR_APART, "--tar-index", err);
}

static int set_append(void *ctx, const char *value, struct mica_err *err)
{
	(void)value;
	return tar_index_set(ctx, MICA_TAR_BEHIND, "--append", err);
}

static int set_prepend(void *ctx, const char *value, struct mica_err *err)
{
	(void)value;
	return tar_index_set(ctx, MICA_TAR_BEFORE, "--prepend", err);
}

static int set_quiet(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->run.quiet = true;
	return 0;
}

static int set_progress(void *ctx, const char *value, struct mica_err *err)
{
	static const char *const words[] = {"auto", "always", "never"};
	struct mica_mkimage_options *o = ctx;

	for (unsigned int i = 0; i < 3; i++) {
		if (strcmp(value, words[i]))
			continue;
		o->run.progress = (enum mica_progress_mode)i;
		return 0;
	}
	return mica_err_set(err, MICA_E_USAGE, "'%s' is not auto, always or never", value);
}

static int set_json(void *ctx, const char *value, struct mica_err *err)
{
	struct mica_mkimage_options *o = ctx;

	(void)value;
	(void)err;
	o->run.json = true;
	return 0;
}

const struct mica_opt mica_mkimage_opts[] = {
	{"compress", 'z', "ALG[:LEVEL]",
	 "zstd[:1-22], lz4, lz4hc[:1-12], deflate[:1-12], lzma[:0-9[e]] or none (default: zstd:3, "
	 "before Linux 6.10 lz4hc)",
	 set_codec},
	{"cluster", 'C', "SIZE",
	 "bytes of input compressed as one cluster: a multiple of 4K, up to 8M "
	 "(default: 512K)",
	 set_cluster},
	{"best", 0, NULL,
	 "the smallest image, at any price: " BEST_CODEC ", clusters of up to 8M, metadata in 1M, "
	 "for Linux " BEST_COMPAT "; other options still have their say",
	 set_best},
	{"compress-rule", 0, "GLOB=ALG[:LEVEL][,cluster=SIZE]",
	 "compress files that match, as with --exclude, in this way; may be repeated, the last "
	 "rule that matches wins",
	 set_rule},
	{"metadata-cluster", 0, "SIZE",
	 "bytes of metadata compressed as one cluster: a power of two, 4K to 1M, "
	 "or none "
	 "(default: 32K, before Linux 6.17 none)",
	 set_meta_cluster},
	{"fragments", 0, "off|tails|small",
	 "what shares clusters of the packed inode: nothing; the tails of files; files smaller "
	 "than a cluster (default, from Linux 6.1 on)",
	 set_fragments},
	{"order", 0, "FILE",
	 "store the files that are named in FILE in its order, one behind the other, as "
	 "'mica mount --trace' wrote them",
	 set_order},
	{"memory", 0, "SIZE",
	 "memory to use at most, besides 256 bytes and the name for each entry (default: 512M)",
	 set_memory},
	{"jobs", 'j', "N",
	 "threads that compress (default: one for each CPU, at most 64, and 6 for what is fast)",
	 set_jobs},
	{"compat", 0, "VERSION",
	 "the oldest Linux that must mount the image, 5.15 or later (default: " MICA_COMPAT_DEFAULT
	 ")",
	 set_compat},
	{"label", 'L', "NAME", "volume name, at most 16 bytes", set_label},
	{"uuid", 'U', "UUID", "volume UUID (default: derived from the content)", set_uuid},
	{"timestamp", 0, "SECONDS", "give every file this modification time, in seconds since 1970",
	 set_timestamp},
	{"all-root", 0, NULL, "make user and group 0 own every file", set_all_root},
	{"force-uid", 0, "UID", "make this user own every file", set_force_uid},
	{"force-gid", 0, "GID", "make this group own every file", set_force_gid},
	{"exclude", 0, "GLOB",
	 "leave out names, or with a slash in GLOB paths, that match, and what is below them; "
	 "may be repeated",
	 set_exclude},
	{"overlay-input", 0, NULL,
	 "take 0:0 devices and overlay xattrs in a source for overlayfs' whiteouts and opaque "
	 "directories",
	 set_overlay_input},
	{"base", 0, "IMAGE",
	 "store only what this EROFS image lacks, and refer to it for the rest; may be repeated",
	 set_base},
	{"ignore-zeros", 'i', NULL,
	 "read tars on behind their ends, where another one may follow, as tar -i does",
	 set_ignore_zeros},
	{"tar-index", 0, NULL,
	 "leave contents in the tar, which becomes the image's device; the image is their index",
	 set_tar_index},
	{"append", 0, NULL,
	 "the same, but IMAGE is a copy of the tar with the index behind it, and still a tar",
	 set_append},
	{"prepend", 0, NULL,
	 "the same, but IMAGE is the index with a copy of the tar behind it, which mount(8) mounts",
	 set_prepend},
	{"verify", 0, NULL,
	 "read the finished image back and compare it with the sources before it gets its name",
	 set_verify},
	{"per-layer", 0, NULL,
	 "build an image for each layer, to be stacked by overlayfs; IMAGE is a directory, or a "
	 "path with %n (number) or %d (digest)",
	 set_per_layer},
	{"whiteouts", 0, "KIND",
	 "with --per-layer: mark opaque directories in trusted.overlay (default) or user.overlay",
	 set_whiteouts},
	{"platform", 0, "OS/ARCH[/VARIANT]",
	 "take this image of a layout that has several (default: that of this machine)",
	 set_platform},
	{"quiet", 0, NULL, "print nothing but warnings and errors", set_quiet},
	{"progress", 0, "WHEN", "show progress auto (on a terminal), always or never",
	 set_progress},
	{"json", 0, NULL, "print the summary as one JSON object", set_json},
	{0},
};

const struct mica_opt mica_merge_opts[] = {
	{"flat", 0, NULL, "join the layers to the image, as far as possible without copying them",
	 set_flat},
	{"compat", 0, "VERSION",
	 "the oldest Linux that must mount the image (default: " MICA_COMPAT_DEFAULT
	 ", or what the layers need)",
	 set_compat},
	{"label", 'L', "NAME", "volume name, at most 16 bytes", set_label},
	{"uuid", 'U', "UUID", "volume UUID (default: derived from the content)", set_uuid},
	{"quiet", 0, NULL, "print nothing but warnings and errors", set_quiet},
	{"progress", 0, "WHEN", "show progress auto (on a terminal), always or never",
	 set_progress},
	{"json", 0, NULL, "print the summary as one JSON object", set_json},
	{0},
};

static unsigned int cpu_count(void)
{
	cpu_set_t set;
	long n;

	/* a machine may have more CPUs than a cpu_set_t has bits */
	n = sched_getaffinity(0, sizeof(set), &set) < 0 ? sysconf(_SC_NPROCESSORS_ONLN)
							: CPU_COUNT(&set);
	return n < 1 ? 1 : (unsigned int)mica_min(JOBS_DEFAULT, (uint64_t)n);
}

static unsigned int jobs_default(const struct mica_codec_spec *codec)
{
	bool fast = codec->none || (codec->alg == EROFS_ALG_LZ4 && !codec->lz4hc) ||
		    (codec->alg == EROFS_ALG_ZSTD && codec->level <= ZSTD_FAST);

	return (unsigned int)mica_min(cpu_count(), fast ? JOBS_FAST : JOBS_DEFAULT);
}

/* Reproducible builds: files newer than this did not come from the source. */
static int source_date_epoch(struct mica_apply_opts *apply, struct mica_err *err)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	int ret;

	if (!text || apply->set_time)
		return 0;
	ret = mica_opt_int(text, 0, INT64_MAX, &apply->time, err);
	if (ret)
		return mica_err_wrap(err, "SOURCE_DATE_EPOCH");
	apply->clamp_time = true;
	return 0;
}

/* What was asked for by name must be possible. */
static int meta_cluster_check(const struct mica_mkimage_options *o, struct mica_err *err)
{
	if (!o->meta_cluster || !o->build.meta_cluster)
		return 0;
	if (!o->build.compat.metabox)
		return mica_err_set(err, MICA_E_USAGE,
				    "compressed metadata needs Linux 6.17, but the image must "
				    "mount on %u.%u (--compat)",
				    o->build.compat.kernel / 1000, o->build.compat.kernel % 1000);
	if (o->build.codec.none)
		return mica_err_set(err, MICA_E_USAGE,
				    "--metadata-cluster %s: nothing is compressed with -z none",
				    o->meta_cluster);
	return 0;
}

#define TAR_INDEX_KERNEL MICA_KERNEL(6, 4)

/* Contents stay as they are, in blocks of a tar's size. */
static int tar_index_settle(struct mica_mkimage_options *o, int operands, char **argv,
			    struct mica_err *err)
{
	struct mica_build_opts *b = &o->build;

	if (!o->tar_index)
		return 0;
	if (o->codec || o->cluster || o->best || o->meta_cluster || o->fragments)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s compresses nothing, so -z, -C, --best, --metadata-cluster "
				    "and --fragments have no use beside it",
				    o->tar_index);
	if (o->ordered)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s leaves contents where they are, so --order has no use "
				    "beside it",
				    o->tar_index);
	if (b->compat.kernel < TAR_INDEX_KERNEL)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s makes blocks of 512 bytes, which need Linux %u.%u, but the "
				    "image must mount on %u.%u (--compat)",
				    o->tar_index, TAR_INDEX_KERNEL / 1000, TAR_INDEX_KERNEL % 1000,
				    b->compat.kernel / 1000, b->compat.kernel % 1000);
	if (o->run.per_layer)
		return mica_err_set(err, MICA_E_USAGE, "%s and --per-layer exclude each other",
				    o->tar_index);
	if (operands > 2 || (operands == 2 && !strcmp(argv[2], "-")))
		return mica_err_set(err, MICA_E_USAGE, "%s takes one tar, by the name of its file",
				    o->tar_index);
	o->codec = "none";
	b->small_blocks = true;
	return mica_codec_spec_parse(o->codec, &b->codec, err);
}

static int operands_check(int operands, char **argv, struct mica_err *err)
{
	unsigned int stdins = 0;

	if (operands < 2)
		return mica_err_set(err, MICA_E_USAGE,
				    "an IMAGE and at least one SOURCE are needed (see --help)");
	for (int i = 2; i <= operands; i++)
		stdins += mica_layers_is_stdin(argv[i]);
	if (stdins > 1)
		return mica_err_set(err, MICA_E_USAGE,
				    "standard input (-) is named %u times, it can be read once",
				    stdins);
	return 0;
}

static int options_default(struct mica_mkimage_options *o, struct mica_err *err)
{
	*o = (struct mica_mkimage_options){
		.build =
			{
				.cluster = CLUSTER_DEFAULT,
				.meta_cluster = META_DEFAULT,
				.fragments = MICA_FRAGMENTS_SMALL,
				.memory = MEMORY_DEFAULT,
				.apply = {.uid = -1, .gid = -1},
			},
	};
	return mica_compat_parse(MICA_COMPAT_DEFAULT, &o->build.compat, err);
}

#define BASES_MAX 22u /* whose device table fits into the first block */

static int bases_check(const struct mica_mkimage_options *o, struct mica_err *err)
{
	if (o->bases.count > BASES_MAX)
		return mica_err_set(err, MICA_E_USAGE,
				    "%u images are named with --base; the limit is %u",
				    o->bases.count, BASES_MAX);
	if (o->bases.count && o->run.per_layer)
		return mica_err_set(err, MICA_E_USAGE, "--base does not go with --per-layer");
	if (o->bases.count && o->tar_index)
		return mica_err_set(err, MICA_E_USAGE, "--base does not go with --tar-index");
	return 0;
}

static int per_layer_check(const struct mica_mkimage_options *o, struct mica_err *err)
{
	if (o->run.has_whiteouts && !o->run.per_layer)
		return mica_err_set(err, MICA_E_USAGE, "--whiteouts goes with --per-layer only");
	if (o->build.have_uuid && o->run.per_layer)
		return mica_err_set(err, MICA_E_USAGE,
				    "--uuid does not go with --per-layer: images would share it");
	return 0;
}

/* What --best says where nothing else was said. */
static int best_settle(struct mica_mkimage_options *o, struct mica_err *err)
{
	struct mica_build_opts *b = &o->build;
	int ret = 0;

	if (!o->best)
		return 0;
	if (!o->have_compat)
		ret = mica_compat_parse(BEST_COMPAT, &b->compat, err);
	if (!o->meta_cluster)
		b->meta_cluster = BEST_META;
	if (!o->cluster)
		b->cluster = b->compat.fragments && b->fragments != MICA_FRAGMENTS_OFF
				     ? MICA_CLUSTER_MAX
				     : MICA_CLUSTER_PLAIN;
	if (ret || o->codec)
		return ret;
	o->codec = b->compat.kernel >= mica_codec_alg_kernel(EROFS_ALG_LZMA) ? BEST_CODEC
									     : BEST_CODEC_OLD;
	return mica_codec_spec_parse(o->codec, &b->codec, err);
}

/* Clusters that may have to become several extents are those of the packed inode. */
static int cluster_check(const struct mica_build_opts *b, uint32_t cluster, struct mica_err *err)
{
	if (cluster <= MICA_CLUSTER_PLAIN)
		return 0;
	if (!b->compat.fragments)
		return mica_err_set(err, MICA_E_USAGE,
				    "clusters of more than 1M need Linux 6.1, but the image must "
				    "mount on %u.%u (--compat)",
				    b->compat.kernel / 1000, b->compat.kernel % 1000);
	if (b->fragments == MICA_FRAGMENTS_OFF)
		return mica_err_set(err, MICA_E_USAGE,
				    "clusters of more than 1M are shared by files, which "
				    "--fragments=off excludes");
	return 0;
}

static int clusters_check(const struct mica_mkimage_options *o, struct mica_err *err)
{
	int ret = cluster_check(&o->build, o->build.cluster, err);

	for (size_t i = 0; !ret && i < o->rules.globs.count; i++)
		ret = cluster_check(&o->build, o->rules.list[i].how.cluster, err);
	return ret;
}

static int rules_check(struct mica_mkimage_options *o, struct mica_err *err)
{
	const struct mica_compression usual = {o->build.codec, o->build.cluster};

	if (!o->rules.globs.count)
		return 0;
	o->build.rules = &o->rules;
	return mica_rules_finish(&o->rules, &usual, &o->build.compat, err);
}

int mica_mkimage_options_parse(struct mica_mkimage_options *o, int argc, char **argv, int *operands,
			       struct mica_err *err)
{
	bool help;
	int ret;

	ret = options_default(o, err);
	if (!ret)
		ret = mica_opt_parse(mica_mkimage_opts, o, argc, argv, operands, &help, err);
	if (!ret)
		ret = tar_index_settle(o, *operands, argv, err);
	if (!ret)
		ret = best_settle(o, err);
	if (!ret && !o->codec)
		ret = mica_codec_spec_parse(mica_compat_default_alg(&o->build.compat),
					    &o->build.codec, err);
	if (!ret && !o->build.jobs)
		o->build.jobs = jobs_default(&o->build.codec);
	if (!ret)
		ret = mica_compat_check_alg(&o->build.compat, &o->build.codec, err);
	if (!ret && o->fragments && !o->build.compat.fragments &&
	    o->build.fragments != MICA_FRAGMENTS_OFF)
		ret = mica_err_set(err, MICA_E_USAGE,
				   "--fragments needs Linux 6.1, but the image must mount on %u.%u "
				   "(--compat)",
				   o->build.compat.kernel / 1000, o->build.compat.kernel % 1000);
	if (!ret)
		ret = clusters_check(o, err);
	if (!ret)
		ret = rules_check(o, err);
	if (!ret)
		ret = meta_cluster_check(o, err);
	if (!ret)
		ret = source_date_epoch(&o->build.apply, err);
	if (!ret)
		ret = per_layer_check(o, err);
	if (!ret)
		ret = bases_check(o, err);
	return ret ? ret : operands_check(*operands, argv, err);
}

int mica_merge_options_parse(struct mica_mkimage_options *o, int argc, char **argv, int *operands,
			     struct mica_err *err)
{
	bool help;
	int ret = options_default(o, err);

	/* what has to be copied is stored as it is: layers bring what they are compressed with */
	o->build.codec.none = true;
	o->build.fragments = MICA_FRAGMENTS_OFF;
	/* layers are in the form that overlayfs stacks */
	o->build.apply.overlay_input = true;
	if (!ret)
		ret = mica_opt_parse(mica_merge_opts, o, argc, argv, operands, &help, err);
	if (!o->build.jobs)
		o->build.jobs = jobs_default(&o->build.codec);
	if (!ret && *operands < 2)
		ret = mica_err_set(err, MICA_E_USAGE,
				   "an IMAGE and at least one LAYER are needed (see --help)");
	return ret;
}

void mica_mkimage_options_free(struct mica_mkimage_options *o)
{
	free(o->excludes);
	mica_rules_free(&o->rules);
	mica_opt_list_free(&o->bases);
	mica_ordered_free(o->ordered);
}
