/* SPDX-License-Identifier: MIT */
/* The packer's front: files come in as a stream of bytes and leave as batches of pieces. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "packer_int.h"
#include "verify.h"

#define BATCH_MIN   (256u << 10)
#define PIPE_MEMORY (64u << 20) /* bytes that all batches under way may hold */
#define INLINE_FREE 32		/* bytes between a compact inode and the next one */

#define PILE_FILE_MAX  (2ull << 30)  /* a larger file is not put on disk first */
#define PILE_HOLES_MAX (64ull << 20) /* nor is one with more holes than that */

static void batch_free(struct batch *b)
{
	if (!b)
		return;
	free(b->pieces);
	free(b->out);
	free(b->in);
	free(b);
}

static struct batch *batch_new(const struct mica_packer *p)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->job.kind = JOB_BATCH;
	b->in = malloc(p->batch_size);
	b->out = malloc(p->batch_size);
	b->pieces = calloc(BATCH_PIECES, sizeof(*b->pieces));
	if (!b->in || !b->out || !b->pieces) {
		batch_free(b);
		return NULL;
	}
	return b;
}

static int batch_get(struct mica_packer *p, struct mica_err *err)
{
	if (p->batch)
		return 0;
	pthread_mutex_lock(&p->free_lock);
	p->batch = p->free_batches;
	if (p->batch)
		p->free_batches = p->batch->next_free;
	pthread_mutex_unlock(&p->free_lock);
	if (!p->batch)
		p->batch = batch_new(p);
	return p->batch ? 0 : mica_err_nomem(err);
}

static void batch_release(struct mica_packer *p, struct batch *b)
{
	b->count = 0;
	b->in_len = 0;
	b->out_len = 0;
	pthread_mutex_lock(&p->free_lock);
	b->next_free = p->free_batches;
	p->free_batches = b;
	pthread_mutex_unlock(&p->free_lock);
}

static void job_release(void *ctx, void *job)
{
	struct mica_packer *p = ctx;

	switch (((struct job *)job)->kind) {
	case JOB_BATCH:
		batch_release(p, job);
		break;
	case JOB_HOARD:
	case JOB_REPEAT:
		free(job);
		break;
	case JOB_SEGMENT:
		packer_segment_release(p, job);
		break;
	case JOB_EXTENTS:
		packer_extents_release(p, job);
		break;
	default: /* a slab stays in its queue */
		break;
	}
}

static int batch_submit(struct mica_packer *p, struct mica_err *err)
{
	struct batch *b = p->batch;

	if (!b || !b->count)
		return 0;
	p->batch = NULL;
	return mica_pipe_submit(p->pipe, b, err);
}

int packer_submit(struct mica_packer *p, void *job, struct mica_err *err)
{
	int ret = batch_submit(p, err);

	if (!ret)
		return mica_pipe_submit(p->pipe, job, err);
	job_release(p, job);
	return ret;
}

/* A batch with room for a piece of len bytes. */
static int batch_reserve(struct mica_packer *p, uint32_t len, struct mica_err *err)
{
	int ret = 0;

	if (p->batch && (p->batch->count == BATCH_PIECES || p->batch->in_len + len > p->batch_size))
		ret = batch_submit(p, err);
	return ret ? ret : batch_get(p, err);
}

static void piece_push(struct mica_packer *p, uint64_t start, uint64_t zeros, uint32_t len)
{
	struct batch *b = p->batch;
	struct piece *piece = &b->pieces[b->count++];

	*piece = (struct piece){
		.inode = p->inode,
		.zeros = zeros,
		.in_off = b->in_len,
		.in_len = len,
		.chunk = p->chunk,
		.first = start == 0,
		.last = start + zeros + len == p->size,
		.mode = p->mode,
		.setting = p->set->number,
	};
	b->in_len += len;
}

/* Bytes into the piece that is being filled; buf NULL: zeros. Not over its end. */
static int piece_fill(struct mica_packer *p, const void *buf, uint32_t len, struct mica_err *err)
{
	unsigned char *to;

	if (!p->piece_len) {
		uint32_t want = (uint32_t)mica_min(p->set->how.cluster, p->size - p->fed);
		int ret = batch_reserve(p, want, err);

		if (ret)
			return ret;
		p->piece_len = want;
		p->piece_fill = 0;
	}
	to = p->batch->in + p->batch->in_len + p->piece_fill;
	if (buf)
		memcpy(to, buf, len);
	else
		memset(to, 0, len);
	p->piece_fill += len;
	p->fed += len;
	if (p->piece_fill == p->piece_len) {
		piece_push(p, p->fed - p->piece_len, 0, p->piece_len);
		p->piece_len = 0;
	}
	return 0;
}

static uint32_t piece_room(const struct mica_packer *p)
{
	if (p->piece_len)
		return p->piece_len - p->piece_fill;
	return (uint32_t)mica_min(p->set->how.cluster, p->size - p->fed);
}

static int size_check(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	if (len <= p->size - p->fed)
		return 0;
	return mica_err_set(err, MICA_E_INPUT,
			    "more data than the %" PRIu64 " bytes that were announced", p->size);
}

static int pieces_write(struct mica_packer *p, const unsigned char *from, size_t len,
			struct mica_err *err)
{
	int ret = 0;

	while (!ret && len) {
		uint32_t n = (uint32_t)mica_min(len, piece_room(p));

		ret = piece_fill(p, from, n, err);
		from += n;
		len -= n;
	}
	return ret;
}

static int pieces_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	int ret = 0;

	while (!ret && len) {
		uint64_t whole = len - len % p->set->how.cluster;
		uint32_t n;

		if (!p->piece_len && whole) {
			ret = batch_reserve(p, 0, err);
			if (ret)
				return ret;
			piece_push(p, p->fed, whole, 0);
			p->fed += whole;
			len -= whole;
			continue;
		}
		n = (uint32_t)mica_min(len, piece_room(p));
		ret = piece_fill(p, NULL, n, err);
		len -= n;
	}
	return ret;
}

static int pile_write(struct mica_packer *p, const void *buf, uint64_t len, struct mica_err *err)
{
	int ret = p->fed ? 0 : packer_pile_begin(p, err);

	if (!ret)
		ret = packer_pile_add(p, buf, len, err);
	return ret || p->fed < p->size ? ret : packer_pile_end(p, err);
}

/* Bytes (buf NULL: zeros) from p->fed on, all of them on one side of p->tail_from. */
static int route_write(struct mica_packer *p, const void *buf, uint64_t len, struct mica_err *err)
{
	if (p->route == ROUTE_PIECES)
		return buf ? pieces_write(p, buf, len, err) : pieces_zeros(p, len, err);
	if (p->route == ROUTE_PILE)
		return pile_write(p, buf, len, err);
	if (p->fed < p->tail_from)
		return buf ? packer_large_write(p, buf, len, err) : packer_large_zeros(p, len, err);
	if (p->fed == p->tail_from) {
		int ret = packer_hoard_begin(p, p->size - p->tail_from, err);

		if (ret)
			return ret;
	}
	packer_hoard_add(p, buf, len);
	p->fed += len;
	return p->fed == p->size ? packer_hoard_end(p, err) : 0;
}

int packer_content(struct mica_packer *p, const unsigned char *buf, uint64_t len,
		   struct mica_err *err)
{
	int ret = size_check(p, len, err);

	if (!ret && p->later.waits)
		return packer_later_add(p, buf, len, err);

	while (!ret && len) {
		uint64_t end = p->fed < p->tail_from ? p->tail_from : p->size;
		uint64_t n = mica_min(len, end - p->fed);

		ret = route_write(p, buf, n, err);
		buf = buf ? buf + n : NULL;
		len -= n;
	}
	return ret;
}

int mica_packer_write(struct mica_packer *p, const void *buf, size_t len, struct mica_err *err)
{
	mica_verify_add(p->verify, buf, len);
	return packer_content(p, buf, len, err);
}

int mica_packer_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	mica_verify_zeros(p->verify, len);
	return packer_content(p, NULL, len, err);
}

/*
 * Which way a file's bytes go, and from where on they are in the packed inode. What is
 * inline beside a compact inode for free does not go there.
 */
static void route_choose(struct mica_packer *p)
{
	const struct mica_build_opts *o = p->opts;
	uint32_t cluster = p->set->how.cluster;
	bool hoards = o->fragments != MICA_FRAGMENTS_OFF;

	p->route = ROUTE_PIECES;
	p->tail_from = p->size;
	if (p->mode != PIECE_COMPRESS || !o->compat.fragments || p->size <= INLINE_FREE ||
	    !p->set->shares)
		return;
	if (p->set->extent && hoards && p->size <= PILE_FILE_MAX && !p->sparse) {
		p->route = ROUTE_PILE;
		p->tail_from = 0;
	} else if (p->size < cluster) {
		p->route = hoards ? ROUTE_HOARD : ROUTE_PIECES;
		p->tail_from = hoards ? 0 : p->size;
	} else if (cluster >= PACKER_LARGE_CLUSTER) {
		p->route = ROUTE_LARGE;
		if (o->fragments == MICA_FRAGMENTS_TAILS)
			p->tail_from = p->size - p->size % cluster;
	}
}

/* Whether so much of a file is known to be zeros that they should not wait on disk. */
static bool runs_are_sparse(const struct mica_run *runs, size_t count, uint64_t size)
{
	uint64_t data = 0;

	for (size_t i = 0; i < count; i++)
		data += runs[i].len;
	return runs && size - data > PILE_HOLES_MAX;
}

static bool holes_cost(const struct mica_packer *p)
{
	return p->set->how.codec.none || !p->opts->compat.extents;
}

int packer_choose(struct mica_packer *p, const char *path, struct mica_err *err)
{
	unsigned int setting;
	int ret = mica_rules_find(p->opts->rules, path, &setting, err);

	if (!ret)
		p->set = &p->settings[setting];
	return ret;
}

void packer_route(struct mica_packer *p, uint64_t size, uint64_t sparse)
{
	p->size = size;
	p->fed = 0;
	p->piece_len = 0;
	p->mode = PIECE_COMPRESS;
	/* a compact index has 32 bits for its entries */
	if (p->set->how.codec.none || sparse || (holes_cost(p) && size > MICA_BYTES_MAX))
		p->mode = PIECE_RAW;
	p->chunk = sparse ? sparse : MICA_BLOCK;
	route_choose(p);
}

int mica_packer_begin(struct mica_packer *p, struct mica_tinode *inode, const char *path,
		      uint64_t size, const struct mica_run *runs, size_t run_count,
		      struct mica_err *err)
{
	uint64_t chunk = 0;
	int ret;

	if (size > INT64_MAX)
		return mica_err_set(err, MICA_E_INPUT, "size %" PRIu64 " is over 2^63 - 1", size);
	ret = packer_runs_check(runs, run_count, size, err);
	if (!ret)
		ret = packer_choose(p, path, err);
	if (!ret && holes_cost(p))
		ret = packer_holes_plan(p, runs, run_count, size, &chunk, err);
	if (ret)
		return ret;
	p->inode = inode;
	p->sparse = runs_are_sparse(runs, run_count, size);
	packer_route(p, size, chunk);
	/* what has holes would lose them on its way */
	p->later.waits = false;
	if (!runs && S_ISREG(inode->mode))
		ret = packer_later_begin(p, path, err);
	if (ret)
		return ret;
	inode->size = size;
	inode->data = (struct mica_data){.kind = MICA_DATA_NONE};
	mica_verify_begin(p->verify);
	return 0;
}

int mica_packer_end(struct mica_packer *p, struct mica_err *err)
{
	if (p->fed == p->size) {
		p->bytes_in += p->size;
		return mica_verify_end(p->verify, p->inode, err);
	}
	return mica_err_set(err, MICA_E_INPUT, "only %" PRIu64 " of %" PRIu64 " bytes came", p->fed,
			    p->size);
}

int mica_packer_symlink(struct mica_packer *p, struct mica_tinode *inode, const char *target,
			size_t len, struct mica_err *err)
{
	int ret = mica_packer_begin(p, inode, "", len, NULL, 0, err);

	if (ret)
		return ret;
	/* short ones are inline and need no pass through the workers */
	if (len <= mica_tail_max(p->opts)) {
		inode->data.kind = MICA_DATA_FLAT;
		inode->data.tail_len = (uint32_t)len;
		mica_verify_add(p->verify, target, len);
		ret = mica_spool_write(p->spool, target, len, &inode->data.spool_off, err);
	} else {
		p->mode = PIECE_RAW; /* kernels read symlinks uncompressed */
		p->route = ROUTE_PIECES;
		p->tail_from = len;
		ret = mica_packer_write(p, target, len, err);
	}
	return ret ? ret : mica_verify_end(p->verify, inode, err);
}

void mica_packer_watch(struct mica_packer *p, struct mica_verify *v)
{
	p->verify = v;
}

/* last: nothing comes behind it. */
static int routes_flush(struct mica_packer *p, bool last, struct mica_err *err)
{
	int ret = packer_large_flush(p, err);

	if (!ret)
		ret = packer_hoard_flush(p, last, err);
	return ret ? ret : batch_submit(p, err);
}

int mica_packer_flush(struct mica_packer *p, struct mica_err *err)
{
	bool later = p->later.count;
	int ret = routes_flush(p, !later, err);

	if (!ret && later)
		ret = packer_later_store(p, err);
	if (!ret && later)
		ret = routes_flush(p, true, err);
	if (!ret)
		ret = mica_pipe_drain(p->pipe, err);
	return ret ? ret : packer_packed_publish(p, err);
}

struct mica_tinode *mica_packer_packed(struct mica_packer *p)
{
	return p->hoard.used ? &p->packed_inode : NULL;
}

int mica_packer_scratch_write(struct mica_packer *p, const void *buf, size_t len, uint64_t *off,
			      struct mica_err *err)
{
	return mica_spool_write(p->spool, buf, len, off, err);
}

int mica_packer_scratch_read(struct mica_packer *p, void *buf, size_t len, uint64_t off,
			     struct mica_err *err)
{
	return mica_spool_read(p->spool, buf, len, off, err);
}

void mica_packer_result(const struct mica_packer *p, struct mica_packer_stats *stats)
{
	*stats = p->stats;
	stats->bytes_in = p->bytes_in;
	stats->bytes_dup += p->bytes_dup;
	stats->bytes_stored = mica_outfile_pos(p->out) - p->data_start;
}

static int packer_init_workers(struct mica_packer *p, struct mica_err *err)
{
	p->workers = calloc(p->worker_count, sizeof(*p->workers));
	if (!p->workers)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < p->worker_count; i++) {
		int ret = mica_keyhash_new(p->hash_key, &p->workers[i].hash, err);

		if (ret)
			return ret;
	}
	return 0;
}

static int packer_init_back(struct mica_packer *p, struct mica_err *err)
{
	int ret = mica_dedupe_new(&p->dedupe, err);

	if (!ret)
		ret = mica_keyhash_new(p->hash_key, &p->file_hash, err);
	if (ret)
		return ret;
	p->zero_buf = calloc(1, MICA_ZERO_EXTENT);
	return p->zero_buf ? 0 : mica_err_nomem(err);
}

int mica_packer_new(const struct mica_build_opts *opts, struct mica_outfile *out,
		    struct mica_spool *spool, struct mica_packer **result, struct mica_err *err)
{
	static const struct mica_pipe_ops ops = {
		.work = packer_work,
		.finish = packer_store,
		.release = job_release,
	};
	struct mica_packer *p = calloc(1, sizeof(*p));
	unsigned int depth;
	int ret;

	if (!p)
		return mica_err_nomem(err);
	pthread_mutex_init(&p->free_lock, NULL);
	p->opts = opts;
	p->out = out;
	p->spool = spool;
	p->data_start = mica_outfile_pos(out);
	ret = packer_settings_init(p, err);
	p->worker_count = packer_pile_jobs(p);
	p->batch_size = (uint32_t)mica_max(p->cluster_max, BATCH_MIN);
	depth = (unsigned int)mica_min(
		4 * p->worker_count + 4,
		PIPE_MEMORY / (2 * p->batch_size + sizeof(struct piece) * BATCH_PIECES));
	if (!ret)
		ret = mica_keyhash_key(p->hash_key, err);
	if (!ret)
		ret = packer_hoard_init(p, err);
	if (!ret)
		ret = packer_pile_init(p, err);
	if (!ret)
		ret = packer_large_init(p, err);
	if (!ret)
		ret = packer_chunks_init(p, err);
	if (!ret)
		ret = packer_init_workers(p, err);
	if (!ret)
		ret = packer_init_back(p, err);
	if (!ret)
		ret = mica_pipe_new(p->worker_count, depth, &ops, p, &p->pipe, err);
	if (ret) {
		mica_packer_free(p);
		return ret;
	}
	*result = p;
	return 0;
}

void mica_packer_free(struct mica_packer *p)
{
	if (!p)
		return;
	mica_pipe_free(p->pipe);
	for (unsigned int i = 0; p->workers && i < p->worker_count; i++) {
		for (unsigned int k = 0; k < p->setting_count; k++) {
			mica_codec_free(p->workers[i].codecs[k]);
			mica_codec_free(p->workers[i].quick[k]);
		}
		mica_codec_free(p->workers[i].probe);
		mica_keyhash_free(p->workers[i].hash);
	}
	free(p->workers);
	batch_free(p->batch);
	while (p->free_batches) {
		struct batch *b = p->free_batches;

		p->free_batches = b->next_free;
		batch_free(b);
	}
	free(p->zero_buf);
	mica_keyhash_free(p->file_hash);
	mica_dedupe_free(p->dedupe);
	packer_hoard_free(p);
	packer_pile_free(p);
	packer_later_free(p);
	packer_large_free(p);
	packer_chunks_free(p);
	packer_known_free(p);
	free(p->placed);
	packer_settings_free(p);
	mica_extlist_free(&p->file.exts);
	mica_extlist_free(&p->big.exts);
	mica_extlist_free(&p->packed.exts);
	pthread_mutex_destroy(&p->free_lock);
	free(p);
}
