/* SPDX-License-Identifier: MIT */
#include "build.h"

#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "bases.h"
#include "emit.h"
#include "ending.h"
#include "layer_queue.h"
#include "ordered.h"
#include "outfile.h"
#include "packer.h"
#include "stack.h"
#include "tarindex.h"
#include "verify.h"

#define AHEAD_PART 32u /* of the memory that may be used, for layers that come next */

/* Files of layers are referred to; what cannot be is copied. */
struct build_refer {
	struct mica_refer refer;
	struct mica_bases *bases;
	struct mica_spool *spool;
	struct mica_verify *verify; /* of what is in a tar */
	unsigned int base_index;    /* of the layer that is read */
	bool tar;		    /* it is one */
};

/* All that one build owns. */
struct build {
	const struct mica_build_opts *opts;
	const struct mica_build_events *events;
	struct mica_outfile *out;
	struct mica_spool *spool;
	struct mica_xattrs *xattrs;
	struct mica_tree *tree;
	struct mica_packer *packer;
	struct mica_verify *verify; /* NULL: not asked for */
	struct mica_apply *apply;
	struct mica_emit *emit;
	struct mica_layout layout;
	struct mica_layer_queue *queue;
	struct mica_tinode packed; /* joined of those of layers */
	struct mica_source *source;
	struct build_refer refer;
	struct mica_source_own own;
	struct mica_build_state state;
};

static void build_free(struct build *b)
{
	/* first, so that there is nothing left for a signal handler to remove */
	if (b->out) {
		mica_outfile_abandon(b->out);
		if (b->events->outfile)
			b->events->outfile(b->events->ctx, NULL);
	}
	mica_source_free(b->source);
	mica_layer_queue_free(b->queue);
	mica_emit_free(b->emit);
	mica_apply_free(b->apply);
	mica_packer_free(b->packer); /* ends the threads that work on the tree's inodes */
	mica_verify_free(b->verify);
	mica_tree_free(b->tree);
	mica_xattrs_free(b->xattrs);
	mica_spool_free(b->spool);
	mica_outfile_free(b->out);
}

static int build_refer(struct mica_refer *refer, struct mica_source *src,
		       const struct mica_entry *e, struct mica_tinode *inode, struct mica_err *err)
{
	struct build_refer *r = (struct build_refer *)refer;

	if (r->tar)
		return mica_tarindex_refer(r->bases, src, e, r->spool, r->verify, inode, err);
	if (!e->stored)
		return 1;
	return mica_bases_refer(r->bases, r->base_index, mica_source_image(src), e->stored,
				r->spool, &inode->data, err);
}

static void build_tick(void *ctx)
{
	struct build *b = ctx;

	mica_layer_queue_ahead(b->queue);
	mica_source_progress(b->source, &b->state.done, &b->state.total);
	if (b->events->progress)
		b->events->progress(b->events->ctx, &b->state);
}

static int build_open(struct build *b, const char *target, struct mica_report *report,
		      struct mica_err *err)
{
	struct mica_apply_opts apply = b->opts->apply;
	int ret = mica_outfile_new(target, &b->out, err);

	if (b->opts->merge)
		apply.refer = &b->refer.refer;
	if (!ret && b->events->outfile)
		b->events->outfile(b->events->ctx, b->out);
	if (!ret && b->opts->tar_index == MICA_TAR_BEHIND)
		ret = mica_tarindex_begin(b->opts->bases, b->out, err);
	if (!ret)
		ret = mica_outfile_zeros(b->out, MICA_BLOCK, err); /* the superblock's */
	if (!ret)
		ret = mica_spool_new(mica_outfile_path(b->out), &b->spool, err);
	if (!ret)
		ret = mica_xattrs_new(b->spool, &b->xattrs, err);
	if (!ret)
		ret = mica_tree_new(&b->tree, err);
	if (!ret)
		ret = mica_packer_new(b->opts, b->out, b->spool, &b->packer, err);
	if (!ret && b->opts->verify)
		ret = mica_verify_new(&b->verify, err);
	if (!ret)
		mica_packer_watch(b->packer, b->verify);
	if (!ret)
		ret = mica_apply_new(b->tree, b->packer, b->xattrs, report, &apply, &b->apply, err);
	b->refer = (struct build_refer){
		.refer = {build_refer},
		.bases = b->opts->bases,
		.spool = b->spool,
		.verify = b->verify,
		.tar = b->opts->tar_index != MICA_TAR_NONE,
	};
	return ret;
}

/*
 * No signal may come between the file's name and the word to who would remove
 * it. Threads inherit the mask: handlers interrupt the calling thread only, and
 * so never meet it at work.
 */
static int build_open_masked(struct build *b, const char *target, struct mica_report *report,
			     struct mica_err *err)
{
	sigset_t old;
	int ret;

	mica_ending_hold(&old);
	ret = build_open(b, target, report, err);
	mica_ending_restore(&old);
	return ret;
}

/* The image may lie in a source, but it is none: to replace one would be to lose it. */
static int build_find_own(struct build *b, const char *target, const struct mica_layer *layers,
			  size_t count, struct mica_err *err)
{
	struct stat st, source;
	int ret = mica_outfile_stat(b->out, &st, err);

	if (ret)
		return ret;
	b->own = (struct mica_source_own){.temp_dev = st.st_dev, .temp_ino = st.st_ino};
	/* what a tar with its index behind it replaces is not lost when it is that tar */
	if (b->opts->tar_index == MICA_TAR_BEHIND || stat(target, &st) < 0)
		return 0;
	b->own.has_named = true;
	b->own.named_dev = st.st_dev;
	b->own.named_ino = st.st_ino;
	for (unsigned int i = 0; b->opts->bases && !b->opts->merge && i < b->opts->bases->count;
	     i++)
		if (!stat(b->opts->bases->v[i].path, &source) && source.st_dev == st.st_dev &&
		    source.st_ino == st.st_ino)
			return mica_err_set(err, MICA_E_USAGE,
					    "%s: is the image to be made and a base",
					    b->opts->bases->v[i].path);
	/* others are looked at when they are opened */
	for (size_t i = 0; i < count; i++) {
		if (layers[i].store || (strcmp(layers[i].path, "-") ? stat(layers[i].path, &source)
								    : fstat(STDIN_FILENO, &source)))
			continue;
		if (source.st_dev == st.st_dev && source.st_ino == st.st_ino)
			return mica_err_set(err, MICA_E_USAGE,
					    "%s: is the image to be made and a source",
					    layers[i].name);
	}
	return 0;
}

/* The layer that is opened is a base, too. */
static int build_refer_begin(struct build *b, unsigned int base, struct mica_err *err)
{
	b->refer.base_index = base;
	if (b->refer.tar)
		return mica_tarindex_check(b->source, err);
	return mica_bases_check(b->opts->bases, base, mica_source_image(b->source), err);
}

/* Targets of hard links in the layers below, which are read for nothing else. */
static int build_look(struct build *b, struct mica_report *report, struct mica_err *err)
{
	int ret = 0;

	for (size_t i = b->opts->stack_index; !ret && i-- > 0 && mica_apply_awaits(b->apply);) {
		const struct mica_layer *layer = &b->opts->stack_layers[i];

		if (!mica_layer_is_lasting(layer))
			return mica_err_set(err, MICA_E_UNSUPPORTED,
					    "%s: has hard links to files of other layers, but %s "
					    "can be read only once",
					    b->opts->stack_layers[b->opts->stack_index].name,
					    layer->name);
		ret = mica_layer_open(layer, report, &b->source, err);
		if (ret)
			return ret;
		ret = mica_apply_look(b->apply, b->source, build_tick, b, err);
		mica_source_free(b->source);
		b->source = NULL;
	}
	return ret;
}

/* Topmost layer first: what it hides is then never stored. */
static int build_layers(struct build *b, const struct mica_layer *layers, size_t count,
			struct mica_report *report, struct mica_err *err)
{
	int ret = mica_layer_queue_new(layers, count, b->opts->jobs, b->opts->memory / AHEAD_PART,
				       report, &b->queue, err);

	b->state.sources = (unsigned int)count;
	while (!ret) {
		ret = mica_layer_queue_next(b->queue, &b->source, err);
		if (ret <= 0)
			break;
		b->state.source++;
		ret = b->opts->merge
			      ? build_refer_begin(b, (unsigned int)count - b->state.source, err)
			      : 0;
		if (ret)
			return ret;
		ret = mica_source_leave_out(b->source, &b->own, err);
		if (!ret)
			ret = mica_apply_source(b->apply, b->source, build_tick, b, err);
		/* damage may show as anything, long before its digest is due */
		if (ret == MICA_E_INPUT || ret == MICA_E_LIMIT || ret == MICA_E_UNSUPPORTED) {
			mica_source_blame(b->source, err);
			ret = err->code;
		}
		mica_source_free(b->source);
		b->source = NULL;
	}
	if (!ret && b->opts->stack)
		ret = build_look(b, report, err);
	return ret ? ret : mica_apply_finish(b->apply, err);
}

static int build_packed(struct build *b, struct mica_err *err)
{
	struct mica_bases *bases = b->opts->bases;

	/* else the packer has it */
	if (!b->opts->merge || !bases->packed_count)
		return 0;
	b->packed = (struct mica_tinode){.mode = S_IFREG, .nlink = 1};
	b->layout.packed = &b->packed;
	return mica_bases_pack(bases, b->out, b->spool, &b->packed, err);
}

static int build_metadata(struct build *b, struct mica_build_stats *stats, struct mica_err *err)
{
	int ret = mica_tree_finish(b->tree, &stats->counts, err);

	if (!ret)
		mica_ordered_settle(b->opts->ordered, b->tree);
	if (!ret)
		ret = mica_packer_flush(b->packer, err);
	if (ret)
		return ret;
	mica_packer_result(b->packer, &stats->packer);
	b->layout = (struct mica_layout){
		.opts = b->opts,
		.tree = b->tree,
		.xattrs = b->xattrs,
		.packed = mica_packer_packed(b->packer),
	};
	ret = build_packed(b, err);
	if (!ret)
		ret = mica_layout_plan(&b->layout, mica_outfile_pos(b->out), err);
	if (!ret)
		ret = mica_emit_new(&b->layout, b->out, b->spool, &b->emit, err);
	if (!ret)
		ret = mica_emit_metadata(b->emit, err);
	if (!ret)
		ret = mica_emit_super(b->emit, &stats->packer, stats->uuid, err);
	if (b->opts->merge)
		stats->bytes_referred = b->opts->bases->bytes_referred;
	if (!ret && (b->opts->flat || b->opts->tar_index == MICA_TAR_BEFORE))
		ret = mica_bases_append(b->opts->bases, b->out, err);
	if (!ret && b->opts->tar_index == MICA_TAR_BEHIND)
		ret = mica_tarindex_end(b->opts->bases, b->out, b->layout.end, err);
	stats->image_offset = mica_outfile_started(b->out);
	stats->image_bytes = stats->image_offset + mica_outfile_pos(b->out);
	stats->meta_bytes = b->layout.end - b->layout.meta_start;
	return ret;
}

static void build_verify_tick(void *ctx, uint64_t done)
{
	struct build *b = ctx;

	b->state.done = done;
	if (b->events->progress)
		b->events->progress(b->events->ctx, &b->state);
}

static int build_verify(struct build *b, const char *target, const struct mica_build_stats *stats,
			struct mica_err *err)
{
	int ret = mica_outfile_sync(b->out, err);

	if (ret)
		return ret;
	b->state.source = b->state.sources + 1;
	b->state.total = stats->packer.bytes_in;
	ret = mica_verify_image(b->verify, &b->layout, b->out, build_verify_tick, b, err);
	return ret ? mica_err_wrap(err, "%s", target) : 0;
}

static int build_all(struct build *b, const char *target, const struct mica_layer *layers,
		     size_t count, struct mica_report *report, struct mica_build_stats *stats,
		     struct mica_err *err)
{
	int ret;

	*stats = (struct mica_build_stats){0};
	ret = build_open_masked(b, target, report, err);
	if (!ret)
		ret = build_find_own(b, target, layers, count, err);
	if (!ret && b->opts->bases && !b->opts->merge)
		ret = mica_bases_tell(b->opts->bases, b->packer, b->out, b->spool, err);
	if (!ret)
		ret = build_layers(b, layers, count, report, err);
	if (!ret && b->opts->stack)
		ret = mica_stack_settle(b->opts->stack, b->opts->stack_index, b->tree, b->xattrs,
					err);
	if (!ret)
		ret = build_metadata(b, stats, err);
	if (!ret && b->opts->verify)
		ret = build_verify(b, target, stats, err);
	return ret;
}

int mica_build(const char *target, const struct mica_layer *layers, size_t count,
	       const struct mica_build_opts *opts, struct mica_report *report,
	       const struct mica_build_events *events, struct mica_build_stats *stats,
	       struct mica_err *err)
{
	struct build b = {.opts = opts, .events = events};
	int ret = build_all(&b, target, layers, count, report, stats, err);

	if (!ret)
		ret = mica_outfile_publish(b.out, err);
	build_free(&b);
	return ret;
}

int mica_build_file(const char *target, const struct mica_layer *layers, size_t count,
		    const struct mica_build_opts *opts, struct mica_report *report,
		    const struct mica_build_events *events, struct mica_build_stats *stats,
		    struct mica_outfile **out, struct mica_err *err)
{
	struct build b = {.opts = opts, .events = events};
	int ret = build_all(&b, target, layers, count, report, stats, err);

	if (!ret)
		*out = mica_steal_pointer(&b.out);
	build_free(&b);
	return ret;
}
