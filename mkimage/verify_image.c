/* SPDX-License-Identifier: MIT */
/*
 * Reads the finished image back. Inodes and directories are compared one after
 * another, as they lie in the image; contents in threads beside that. The
 * checker then looks for what no single file shows: overlaps, a wrong seal.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/check.h"
#include "../lib/pipe.h"
#include "../lib/util.h"
#include "bases.h"
#include "quote.h"
#include "verify_priv.h"

#define READ_BYTES ((size_t)1 << 20)
#define JOB_NODES  64
#define JOB_BYTES  ((uint64_t)4 << 20) /* enough that handing it over costs nothing */

/* Contents that one thread compares. */
struct job {
	const struct mica_tnode *nodes[JOB_NODES];
	unsigned int count;
	uint64_t bytes;
};

struct worker {
	struct mica_filesum sum;
	unsigned char *buf; /* READ_BYTES */
};

struct reader {
	struct mica_verify *v;
	const struct mica_layout *layout;
	struct mica_image *img;
	struct mica_pipe *pipe;
	struct worker *workers;
	unsigned int worker_count;
	struct job *job; /* being filled */
	void (*tick)(void *ctx, uint64_t done);
	void *ctx;
	uint64_t done;
};

static int name_file(const struct mica_tnode *node, struct mica_err *err)
{
	cleanup_free char *path = mica_tree_path(node);

	return mica_err_wrap(err, "'%s'", mica_quote(path ? path : node->name).text);
}

static int content_sum(struct reader *r, struct worker *w, const struct mica_inode *inode,
		       uint8_t sum[MICA_KEYHASH_LEN], struct mica_err *err)
{
	struct mica_extent e;

	mica_filesum_begin(&w->sum);
	for (uint64_t off = 0; off < inode->size;) {
		int ret = mica_image_map(r->img, inode, off, &e, err);
		uint64_t end;
		long n;

		if (ret)
			return ret;
		end = e.la + e.llen;
		if (e.kind == MICA_EXTENT_HOLE) {
			mica_filesum_zeros(&w->sum, end - off);
			off = end;
			continue;
		}
		n = mica_image_read(r->img, inode, w->buf, READ_BYTES, off, err);
		if (n < 0)
			return (int)n;
		mica_filesum_add(&w->sum, w->buf, (size_t)n);
		off += (uint64_t)n;
	}
	return mica_filesum_end(&w->sum, sum, err);
}

static int compare_content(struct reader *r, struct worker *w, const struct mica_tnode *node,
			   struct mica_err *err)
{
	const uint8_t *want = verify_find(r->v, node->inode);
	uint8_t sum[MICA_KEYHASH_LEN];
	struct mica_inode inode;
	int ret = mica_image_inode(r->img, node->inode->nid, &inode, err);

	if (!ret)
		ret = content_sum(r, w, &inode, sum, err);
	if (!ret && !want)
		ret = mica_err_set(err, MICA_E_UNSUPPORTED, "its content came without a digest");
	if (!ret && memcmp(sum, want, sizeof(sum)))
		ret = mica_err_set(err, MICA_E_CORRUPT, "the content is not that of the source");
	return ret ? name_file(node, err) : 0;
}

static int job_work(void *ctx, unsigned int worker, void *job, struct mica_err *err)
{
	struct reader *r = ctx;
	struct job *j = job;

	for (unsigned int i = 0; i < j->count; i++) {
		int ret = compare_content(r, &r->workers[worker], j->nodes[i], err);

		if (ret)
			return ret;
	}
	return 0;
}

static int job_finish(void *ctx, void *job, struct mica_err *err)
{
	(void)ctx;
	(void)job;
	(void)err;
	return 0;
}

static void job_release(void *ctx, void *job)
{
	(void)ctx;
	free(job);
}

static int job_submit(struct reader *r, struct mica_err *err)
{
	struct job *job = mica_steal_pointer(&r->job);

	if (!job)
		return 0;
	r->done += job->bytes;
	if (r->tick)
		r->tick(r->ctx, r->done);
	return mica_pipe_submit(r->pipe, job, err);
}

static int job_add(struct reader *r, const struct mica_tnode *node, struct mica_err *err)
{
	struct job *job = r->job;

	if (!job) {
		job = r->job = calloc(1, sizeof(*job));
		if (!job)
			return mica_err_nomem(err);
	}
	job->nodes[job->count++] = node;
	job->bytes += node->inode->size;
	return job->count == JOB_NODES || job->bytes >= JOB_BYTES ? job_submit(r, err) : 0;
}

static int visit(void *ctx, struct mica_tnode *node, struct mica_err *err)
{
	struct reader *r = ctx;
	int ret = verify_inode(r->layout, r->img, node, err);

	if (ret)
		return name_file(node, err);
	return S_ISREG(node->inode->mode) || S_ISLNK(node->inode->mode) ? job_add(r, node, err) : 0;
}

/* The image's files: itself, and bases or the tar that it is the index of, unless joined. */
static int image_ios(const struct mica_layout *l, const struct mica_outfile *image,
		     struct mica_image_ios *ios, struct mica_err *err)
{
	const struct mica_build_opts *o = l->opts;
	int ret = mica_outfile_io(image, &ios->io, err);

	if (ret || !o->bases || o->flat || o->tar_index == MICA_TAR_BEFORE)
		return ret;
	if (o->tar_index != MICA_TAR_BEHIND) {
		ret = mica_bases_ios(o->bases, &ios->devices, err);
		ios->device_count = ret ? 0 : o->bases->count;
		return ret;
	}
	ios->devices = calloc(2, sizeof(struct mica_io *));
	if (!ios->devices)
		return mica_err_nomem(err);
	ret = mica_outfile_whole_io(image, ios->devices, err);
	ios->device_count = !ret;
	return ret;
}

static int reader_init(struct reader *r, struct mica_image_ios *ios, struct mica_err *err)
{
	static const struct mica_pipe_ops ops = {
		.work = job_work,
		.finish = job_finish,
		.release = job_release,
	};
	struct mica_image_opts opts = {
		.devices = ios->devices,
		.device_count = ios->device_count,
	};
	int ret = mica_image_open(ios->io, &opts, &r->img, err);

	if (ret)
		return ret;
	mica_image_ios_release(ios);
	r->worker_count = r->layout->opts->jobs;
	r->workers = calloc(r->worker_count, sizeof(*r->workers));
	if (!r->workers)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < r->worker_count; i++) {
		r->workers[i].buf = malloc(READ_BYTES);
		if (!r->workers[i].buf)
			return mica_err_nomem(err);
		ret = mica_filesum_init(&r->workers[i].sum, r->v->key, err);
		if (ret)
			return ret;
	}
	return mica_pipe_new(r->worker_count, 4 * r->worker_count, &ops, r, &r->pipe, err);
}

static void reader_clear(struct reader *r)
{
	mica_pipe_free(r->pipe);
	for (unsigned int i = 0; r->workers && i < r->worker_count; i++) {
		mica_filesum_clear(&r->workers[i].sum);
		free(r->workers[i].buf);
	}
	free(r->workers);
	free(r->job);
	mica_image_free(r->img);
}

static int compare_all(struct reader *r, const struct mica_outfile *image, struct mica_err *err)
{
	struct mica_tnode *root = mica_tree_root(r->layout->tree);
	cleanup(mica_image_ios_clear) struct mica_image_ios ios = {0};
	int ret = image_ios(r->layout, image, &ios, err);

	if (!ret)
		ret = reader_init(r, &ios, err);
	if (ret)
		return ret;
	if (mica_image_super(r->img)->root_nid != root->inode->nid)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "the root is nid %" PRIu64 " in the image, not %" PRIu64,
				    mica_image_super(r->img)->root_nid, root->inode->nid);
	ret = mica_layout_walk(r->layout->tree, true, visit, r, err);
	if (!ret)
		ret = job_submit(r, err);
	return ret ? ret : mica_pipe_drain(r->pipe, err);
}

static void keep_finding(void *ctx, const struct mica_check_finding *f)
{
	struct mica_err *err = ctx;

	if (!err->code)
		mica_err_set(err, MICA_E_CORRUPT, "%s%s%s: %s", f->structure, f->path ? " " : "",
			     f->path ? mica_quote(f->path).text : "", f->message);
}

static int check_all(const struct mica_layout *l, const struct mica_outfile *image,
		     struct mica_err *err)
{
	struct mica_err found = {0};
	struct mica_check_opts opts = {
		.seal = true,
		.threads = l->opts->jobs,
		.finding = keep_finding,
		.ctx = &found,
	};
	struct mica_check_result result;
	cleanup(mica_image_ios_clear) struct mica_image_ios ios = {0};
	int ret = image_ios(l, image, &ios, err);

	if (!ret)
		ret = mica_check_image(&ios, &opts, &result, err);
	if (ret)
		return ret;
	if (!found.code && !(result.sealed && result.checksum))
		return mica_err_set(err, MICA_E_CORRUPT, "the image has no %s",
				    result.sealed ? "superblock checksum" : "seal");
	if (found.code)
		*err = found;
	return found.code;
}

int mica_verify_image(struct mica_verify *v, const struct mica_layout *layout,
		      const struct mica_outfile *image, void (*tick)(void *ctx, uint64_t done),
		      void *ctx, struct mica_err *err)
{
	struct reader r = {.v = v, .layout = layout, .tick = tick, .ctx = ctx};
	int ret;

	verify_settle(v);
	ret = compare_all(&r, image, err);
	reader_clear(&r);
	if (!ret)
		ret = check_all(layout, image, err);
	return ret ? mica_err_wrap(err, "verify") : 0;
}
