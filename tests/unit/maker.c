/* SPDX-License-Identifier: MIT */
#include "maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/apply.h"

/* The model that the replaced part below reads. */
static const struct model *current;

struct mica_build_opts maker_opts(const char *codec, uint32_t cluster, const char *compat)
{
	struct mica_build_opts o = {.cluster = cluster,
				    .fragments = MICA_FRAGMENTS_SMALL,
				    .memory = 64 << 20,
				    .jobs = 2,
				    .apply = {.uid = -1, .gid = -1}};
	struct mica_err err;

	assert_int_equal(mica_codec_spec_parse(codec, &o.codec, &err), 0);
	assert_int_equal(mica_compat_parse(compat, &o.compat, &err), 0);
	/* small clusters: a few inodes already take several */
	o.meta_cluster = o.compat.metabox ? (uint32_t)mica_min(cluster, 8192) : 0;
	return o;
}

uint64_t maker_size(const struct entry *e)
{
	return S_ISLNK(e->mode) ? strlen(e->target) : content_size(e->spans, e->span_count);
}

const char *maker_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "maker-%d.img", (int)getpid());
	return path;
}

int maker_build(const struct model *m, const struct mica_build_opts *opts, const char *path,
		struct mica_build_stats *stats, struct mica_err *err)
{
	struct mica_layer layer = {.path = (char[]){"model"}};
	struct mica_build_events events = {0};
	struct mica_report report = {0};

	current = m;
	return mica_build(path, &layer, 1, opts, &report, &events, stats, err);
}

void maker_round_trip(const struct model *m, const struct mica_build_opts *opts,
		      struct mica_build_stats *stats)
{
	struct mica_build_stats own;
	struct mica_err err = {0};
	const char *path = maker_path();

	if (maker_build(m, opts, path, stats ? stats : &own, &err))
		fail_msg("%s", err.msg);
	maker_check_reader(m, path);
	maker_check_kernel(m, path);
	unlink(path);
}

/* Below: sources and their application, replaced. */
struct mica_source {
	int unused;
};

struct mica_apply {
	struct mica_tree *tree;
	struct mica_packer *packer;
	struct mica_xattrs *xattrs;
};

int mica_layer_open(const struct mica_layer *layer, struct mica_report *report,
		    struct mica_source **out, struct mica_err *err)
{
	(void)layer;
	(void)report;
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : mica_err_nomem(err);
}

bool mica_layer_is_lasting(const struct mica_layer *layer)
{
	(void)layer;
	return true;
}

struct mica_image *mica_source_image(const struct mica_source *src)
{
	(void)src;
	return NULL;
}

int mica_source_start(struct mica_source *src, struct mica_ahead_pool *pool, struct mica_err *err)
{
	(void)src;
	(void)pool;
	(void)err;
	return 0;
}

int mica_source_leave_out(struct mica_source *src, const struct mica_source_own *own,
			  struct mica_err *err)
{
	(void)src;
	(void)own;
	(void)err;
	return 0;
}

void mica_source_blame(struct mica_source *src, struct mica_err *err)
{
	(void)src;
	(void)err;
}

int mica_source_next(struct mica_source *src, const struct mica_entry **entry, struct mica_err *err)
{
	(void)src;
	(void)entry;
	(void)err;
	return 0;
}

int mica_source_read(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		     struct mica_err *err)
{
	(void)src;
	(void)buf;
	(void)len;
	(void)off;
	(void)err;
	return 0;
}

void mica_source_progress(struct mica_source *src, uint64_t *done, uint64_t *total)
{
	(void)src;
	*done = *total = 0;
}

const char *mica_source_name(const struct mica_source *src)
{
	(void)src;
	return "model";
}

bool mica_source_is_tar(const struct mica_source *src)
{
	(void)src;
	return false;
}

const char *mica_source_tar_filter(const struct mica_source *src)
{
	(void)src;
	return NULL;
}

uint64_t mica_source_tar_offset(const struct mica_source *src)
{
	(void)src;
	return 0;
}

void mica_source_free(struct mica_source *src)
{
	free(src);
}

int mica_apply_new(struct mica_tree *tree, struct mica_packer *packer, struct mica_xattrs *xattrs,
		   struct mica_report *report, const struct mica_apply_opts *opts,
		   struct mica_apply **out, struct mica_err *err)
{
	(void)report;
	(void)opts;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return mica_err_nomem(err);
	**out = (struct mica_apply){.tree = tree, .packer = packer, .xattrs = xattrs};
	return 0;
}

static struct mica_tnode *node_find(struct mica_apply *a, const char *path, size_t len)
{
	struct mica_tnode *node = mica_tree_root(a->tree);

	for (const char *p = path, *end = path + len; p < end;) {
		const char *slash = memchr(p, '/', (size_t)(end - p));
		size_t n = (size_t)((slash ? slash : end) - p);

		node = mica_tree_find(a->tree, node, p, n);
		assert_non_null(node);
		p += n + 1;
	}
	return node;
}

static int give_content(struct mica_apply *a, const struct entry *e, struct mica_err *err)
{
	static unsigned char buf[100000]; /* no multiple of anything */
	uint64_t off = 0;
	int ret = 0;

	for (size_t i = 0; !ret && i < e->span_count; i++) {
		const struct span *s = &e->spans[i];
		uint64_t end = off + s->len;

		if (s->kind == SPAN_HOLE) {
			ret = mica_packer_zeros(a->packer, s->len, err);
			off = end;
			continue;
		}
		while (!ret && off < end) {
			size_t n = mica_min(sizeof(buf), end - off);

			content_fill(e->spans, e->span_count, off, buf, n);
			ret = mica_packer_write(a->packer, buf, n, err);
			off += n;
		}
	}
	return ret ? ret : mica_packer_end(a->packer, err);
}

static int give_file(struct mica_apply *a, const struct entry *e, struct mica_tinode *inode,
		     struct mica_err *err)
{
	struct mica_run runs[64];
	size_t count = 0;
	uint64_t off = 0;
	int ret;

	for (size_t i = 0; e->declared && i < e->span_count; off += e->spans[i++].len) {
		assert_true(count < 64);
		if (e->spans[i].kind != SPAN_HOLE)
			runs[count++] = (struct mica_run){off, e->spans[i].len};
	}
	ret = mica_packer_begin(a->packer, inode, e->path, maker_size(e), e->declared ? runs : NULL,
				count, err);
	return ret ? ret : give_content(a, e, err);
}

static int give_inode(struct mica_apply *a, const struct entry *e, struct mica_tinode *inode,
		      struct mica_err *err)
{
	int ret = mica_xattrs_intern(a->xattrs, e->xattrs, e->xattr_count, &inode->xattrs, err);

	inode->mode = (uint16_t)e->mode;
	inode->uid = e->uid;
	inode->gid = e->gid;
	inode->rdev = e->rdev;
	inode->mtime = e->mtime;
	inode->mtime_nsec = e->mtime_nsec;
	if (ret)
		return ret;
	if (S_ISLNK(e->mode))
		return mica_packer_symlink(a->packer, inode, e->target, strlen(e->target), err);
	return S_ISREG(e->mode) ? give_file(a, e, inode, err) : 0;
}

static int give_entry(struct mica_apply *a, const struct entry *e, struct mica_err *err)
{
	const char *slash = strrchr(e->path, '/');
	const char *name = slash ? slash + 1 : e->path;
	struct mica_tnode *dir, *node;
	struct mica_tinode *inode;
	int ret;

	if (!*e->path)
		return give_inode(a, e, mica_tree_root(a->tree)->inode, err);
	dir = node_find(a, e->path, slash ? (size_t)(slash - e->path) : 0);
	ret = mica_tree_add(a->tree, dir, name, strlen(name), &node, err);
	if (ret)
		return ret;
	if (S_ISREG(e->mode) && e->target) {
		mica_tree_set_inode(a->tree, node,
				    node_find(a, e->target, strlen(e->target))->inode);
		return 0;
	}
	ret = mica_tree_inode_new(a->tree, &inode, err);
	if (ret)
		return ret;
	mica_tree_set_inode(a->tree, node, inode);
	return give_inode(a, e, inode, err);
}

int mica_apply_source(struct mica_apply *apply, struct mica_source *src, void (*tick)(void *ctx),
		      void *ctx, struct mica_err *err)
{
	int ret = 0;

	(void)src;
	for (size_t i = 0; !ret && i < current->count; i++) {
		tick(ctx);
		ret = give_entry(apply, &current->v[i], err);
	}
	return ret;
}

bool mica_apply_awaits(const struct mica_apply *apply)
{
	(void)apply;
	return false;
}

int mica_apply_look(struct mica_apply *apply, struct mica_source *src, void (*tick)(void *ctx),
		    void *ctx, struct mica_err *err)
{
	(void)apply;
	(void)src;
	(void)tick;
	(void)ctx;
	(void)err;
	return 0;
}

int mica_apply_finish(struct mica_apply *apply, struct mica_err *err)
{
	(void)apply;
	(void)err;
	return 0;
}

void mica_apply_free(struct mica_apply *apply)
{
	free(apply);
}
