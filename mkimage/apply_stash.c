/* SPDX-License-Identifier: MIT */
/*
 * Content of hidden files, put away into scratch space as a stream: struct
 * stash_head, path, symlink target, xattrs, runs, then pieces of data, each
 * behind a struct mica_run, up to one that has no length.
 */
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "../lib/util.h"
#include "apply_impl.h"

#define STASH_BUF ((size_t)256 * 1024)

struct mica_stash_chunk {
	uint64_t off;
	size_t len;
	uint64_t sum; /* of what was put there: no verification of the image would miss it later */
};

struct stash_head {
	size_t path_len, symlink_len;
	size_t xattr_count, run_count;
	bool has_symlink, has_runs;
};

struct stash_xattr_head {
	size_t name_len, len;
};

struct stash_writer {
	struct mica_apply *a;
	struct mica_stash *stash;
	unsigned char *buf;
	size_t used;
};

static int writer_flush(struct stash_writer *w, struct mica_err *err)
{
	struct mica_stash *s = w->stash;
	uint64_t off;
	int ret;

	if (!w->used)
		return 0;
	ret = mica_packer_scratch_write(w->a->packer, w->buf, w->used, &off, err);
	if (ret)
		return ret;
	/* room for a power of two, so that most files have just one */
	if (!(s->chunk_count & (s->chunk_count - 1))) {
		size_t cap = s->chunk_count ? s->chunk_count * 2 : 1;
		struct mica_stash_chunk *grown = realloc(s->chunks, cap * sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		s->chunks = grown;
	}
	s->chunks[s->chunk_count++] =
		(struct mica_stash_chunk){off, w->used, XXH3_64bits(w->buf, w->used)};
	w->used = 0;
	return 0;
}

static int writer_put(struct stash_writer *w, const void *bytes, size_t len, struct mica_err *err)
{
	const unsigned char *p = bytes;

	while (len) {
		size_t n = mica_min(len, STASH_BUF - w->used);
		int ret;

		memcpy(w->buf + w->used, p, n);
		w->used += n;
		p += n;
		len -= n;
		ret = w->used == STASH_BUF ? writer_flush(w, err) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

static int writer_put_meta(struct stash_writer *w, const struct mica_entry *e, struct mica_err *err)
{
	struct stash_head head = {
		.path_len = strlen(e->path),
		.symlink_len = e->symlink ? strlen(e->symlink) : 0,
		.xattr_count = e->xattr_count,
		.run_count = e->run_count,
		.has_symlink = e->symlink,
		.has_runs = e->runs,
	};
	int ret;

	ret = writer_put(w, &head, sizeof(head), err);
	if (!ret)
		ret = writer_put(w, e->path, head.path_len, err);
	if (!ret)
		ret = writer_put(w, e->symlink, head.symlink_len, err);
	for (size_t i = 0; !ret && i < e->xattr_count; i++) {
		const struct mica_kv *kv = &e->xattrs[i];
		struct stash_xattr_head xh = {strlen(kv->name), kv->len};

		ret = writer_put(w, &xh, sizeof(xh), err);
		if (!ret)
			ret = writer_put(w, kv->name, xh.name_len, err);
		if (!ret)
			ret = writer_put(w, kv->value, xh.len, err);
	}
	return ret ? ret : writer_put(w, e->runs, e->run_count * sizeof(*e->runs), err);
}

static int writer_put_data(struct stash_writer *w, struct mica_feed *feed, struct mica_err *err)
{
	struct mica_run piece;
	const void *buf;
	size_t len;
	int ret;

	while ((ret = feed->read(feed, &buf, &len, &piece.off, err)) > 0) {
		piece.len = len;
		ret = writer_put(w, &piece, sizeof(piece), err);
		if (!ret)
			ret = writer_put(w, buf, len, err);
		if (ret)
			return ret;
	}
	if (ret)
		return ret;
	piece = (struct mica_run){0};
	return writer_put(w, &piece, sizeof(piece), err);
}

static int stash_add(struct mica_apply *a, struct mica_tinode *inode, struct mica_stash **out,
		     struct mica_err *err)
{
	if (a->stash_count == a->stash_cap) {
		size_t cap = a->stash_cap ? a->stash_cap * 2 : 64;
		struct mica_stash *grown = realloc(a->stashes, cap * sizeof(*grown));

		if (!grown)
			return mica_err_nomem(err);
		a->stashes = grown;
		a->stash_cap = cap;
	}
	*out = &a->stashes[a->stash_count++];
	**out = (struct mica_stash){.inode = inode};
	mica_tree_inode_hold(inode);
	return 0;
}

int mica_apply_stash(struct mica_apply *a, struct mica_tinode *inode, const struct mica_entry *e,
		     struct mica_feed *feed, struct mica_err *err)
{
	struct stash_writer w = {.a = a};
	int ret;

	if (!a->stash_buf && !(a->stash_buf = malloc(STASH_BUF)))
		return mica_err_nomem(err);
	w.buf = a->stash_buf;
	ret = stash_add(a, inode, &w.stash, err);
	if (!ret)
		ret = writer_put_meta(&w, e, err);
	if (!ret && S_ISREG(inode->mode))
		ret = writer_put_data(&w, feed, err);
	return ret ? ret : writer_flush(&w, err);
}

struct stash_reader {
	struct mica_feed feed;
	struct mica_apply *a;
	const struct mica_stash *stash;
	size_t next; /* chunk to be read next */
	unsigned char *buf;
	size_t at, len;
	struct mica_run piece; /* what is left of the current one */
};

/* 1 .. max bytes at *p, valid until the next call */
static int reader_peek(struct stash_reader *r, size_t max, const unsigned char **p, size_t *len,
		       struct mica_err *err)
{
	if (r->at == r->len) {
		const struct mica_stash_chunk *c = &r->stash->chunks[r->next++];
		int ret = mica_packer_scratch_read(r->a->packer, r->buf, c->len, c->off, err);

		if (ret)
			return ret;
		if (XXH3_64bits(r->buf, c->len) != c->sum)
			return mica_err_sys(err, EIO,
					    "scratch space does not give back what was put there");
		r->at = 0;
		r->len = c->len;
	}
	*p = r->buf + r->at;
	*len = mica_min(max, r->len - r->at);
	r->at += *len;
	return 0;
}

static int reader_get(struct stash_reader *r, void *out, size_t len, struct mica_err *err)
{
	unsigned char *to = out;

	while (len) {
		const unsigned char *p;
		size_t n;
		int ret = reader_peek(r, len, &p, &n, err);

		if (ret)
			return ret;
		memcpy(to, p, n);
		to += n;
		len -= n;
	}
	return 0;
}

static int reader_feed(struct mica_feed *feed, const void **buf, size_t *len, uint64_t *off,
		       struct mica_err *err)
{
	struct stash_reader *r = (struct stash_reader *)feed;
	const unsigned char *p;
	int ret;

	if (!r->piece.len) {
		ret = reader_get(r, &r->piece, sizeof(r->piece), err);
		if (ret)
			return ret;
		if (!r->piece.len)
			return 0;
	}
	ret = reader_peek(r, r->piece.len, &p, len, err);
	if (ret)
		return ret;
	*buf = p;
	*off = r->piece.off;
	r->piece.off += *len;
	r->piece.len -= *len;
	return 1;
}

static int reader_text(struct stash_reader *r, struct mica_pool *pool, size_t len, char **out,
		       struct mica_err *err)
{
	*out = mica_pool_alloc(pool, len + 1);
	if (!*out)
		return mica_err_nomem(err);
	(*out)[len] = '\0';
	return reader_get(r, *out, len, err);
}

/* Undo writer_put_meta(). */
static int reader_get_meta(struct stash_reader *r, struct mica_pool *pool, struct mica_entry *e,
			   struct mica_err *err)
{
	struct stash_head head;
	int ret;

	ret = reader_get(r, &head, sizeof(head), err);
	if (!ret)
		ret = reader_text(r, pool, head.path_len, &e->path, err);
	if (!ret && head.has_symlink)
		ret = reader_text(r, pool, head.symlink_len, &e->symlink, err);
	if (ret)
		return ret;
	e->xattrs = mica_pool_alloc(pool, (head.xattr_count + 1) * sizeof(*e->xattrs));
	if (!e->xattrs)
		return mica_err_nomem(err);
	for (; e->xattr_count < head.xattr_count; e->xattr_count++) {
		struct mica_kv *kv = &e->xattrs[e->xattr_count];
		struct stash_xattr_head xh;

		ret = reader_get(r, &xh, sizeof(xh), err);
		if (!ret)
			ret = reader_text(r, pool, xh.name_len, &kv->name, err);
		if (!ret)
			ret = reader_text(r, pool, xh.len, (char **)&kv->value, err);
		if (ret)
			return ret;
		kv->len = xh.len;
	}
	if (!head.has_runs)
		return 0;
	e->runs = mica_pool_alloc(pool, (head.run_count + 1) * sizeof(*e->runs));
	if (!e->runs)
		return mica_err_nomem(err);
	e->run_count = head.run_count;
	return reader_get(r, e->runs, e->run_count * sizeof(*e->runs), err);
}

static void pool_cleanup(struct mica_pool *pool)
{
	mica_pool_free(pool);
}

static int stash_restore(struct mica_apply *a, const struct mica_stash *s, struct mica_err *err)
{
	cleanup(pool_cleanup) struct mica_pool pool = {0};
	struct stash_reader r = {.feed.read = reader_feed, .a = a, .stash = s, .buf = a->stash_buf};
	struct mica_entry e = {0};
	int ret;

	ret = reader_get_meta(&r, &pool, &e, err);
	if (!ret)
		ret = mica_apply_xattrs(a, e.path, e.xattrs, e.xattr_count, &s->inode->xattrs, err);
	return ret ? ret
		   : mica_apply_store(a, s->inode, e.path, e.symlink, e.runs, e.run_count, &r.feed,
				      err);
}

int mica_apply_unstash(struct mica_apply *a, struct mica_err *err)
{
	for (size_t i = 0; i < a->stash_count; i++) {
		struct mica_stash *s = &a->stashes[i];
		int ret = s->inode->refs > 1 ? stash_restore(a, s, err) : 0;

		if (ret)
			return ret;
		mica_tree_inode_release(a->tree, s->inode);
		free(s->chunks);
		s->chunks = NULL;
	}
	a->stash_count = 0;
	return 0;
}

void mica_apply_stashes_free(struct mica_apply *a)
{
	for (size_t i = 0; i < a->stash_count; i++)
		free(a->stashes[i].chunks);
	free(a->stashes);
	free(a->stash_buf);
}
