/* SPDX-License-Identifier: MIT */
/* mkimage --base: what a base holds is read once, so that the packer knows it when it comes again. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/walk.h"
#include "bases.h"
#include "data.h"
#include "packer.h"

#define READ_BYTES ((size_t)1 << 20)

/* A file of a base, as a twin for those that have its content. */
struct mica_known {
	struct mica_known *next;
	struct mica_tinode inode;
};

struct teller {
	struct mica_bases *bases;
	unsigned int base;
	struct mica_image *img;
	struct mica_packer *packer;
	struct mica_spool *spool;
	unsigned char *buf;
	size_t cap;
	struct mica_inode inode; /* of the current file */
};

void mica_bases_forget(struct mica_bases *bases)
{
	while (bases->known) {
		struct mica_known *next = bases->known->next;

		free(bases->known);
		bases->known = next;
	}
}

static int buf_reserve(struct teller *t, size_t len, struct mica_err *err)
{
	unsigned char *grown;

	if (len <= t->cap)
		return 0;
	grown = realloc(t->buf, len);
	if (!grown)
		return mica_err_nomem(err);
	t->buf = grown;
	t->cap = len;
	return 0;
}

/* Something of it is not in the new image's own metadata. */
static bool data_is_far(const struct mica_data *d)
{
	return d->dev || d->kind == MICA_DATA_FRAGMENT || d->flags & MICA_DATA_TAIL_FRAGMENT;
}

/* The file's bytes in order; its holes may be far larger than anything that could be read. */
static int tell_bytes(struct teller *t, struct mica_err *err)
{
	struct mica_extent e = {0};
	uint64_t off = 0, end = 0;
	int ret = 0;

	while (!ret && off < t->inode.size) {
		long n;

		if (off == end) {
			ret = mica_bases_map(t->img, &t->inode, off, &e, err);
			end = off + e.llen;
			continue;
		}
		if (e.kind == MICA_EXTENT_HOLE) {
			ret = mica_packer_known_zeros(t->packer, end - off, err);
			off = end;
			continue;
		}
		n = mica_image_read(t->img, &t->inode, t->buf, mica_min(READ_BYTES, end - off), off,
				    err);
		if (n < 0)
			return (int)n;
		ret = mica_packer_known_write(t->packer, t->buf, (size_t)n, err);
		off += (uint64_t)n;
	}
	return ret;
}

static int tell_content(struct teller *t, struct mica_err *err)
{
	struct mica_known *k;
	struct mica_data data;
	int ret = mica_bases_refer(t->bases, t->base, t->img, &t->inode, t->spool, &data, err);

	if (ret || !data_is_far(&data))
		return ret < 0 ? ret : 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return mica_err_nomem(err);
	k->next = t->bases->known;
	t->bases->known = k;
	k->inode.size = t->inode.size;
	k->inode.data = data;
	ret = tell_bytes(t, err);
	return ret ? ret : mica_packer_known_end(t->packer, &k->inode, err);
}

static int content_read(struct teller *t, uint64_t la, uint64_t len, struct mica_err *err)
{
	int ret = buf_reserve(t, len, err);
	long n = ret ? ret : mica_image_read(t->img, &t->inode, t->buf, len, la, err);

	return n < 0 ? (int)n : 0;
}

static int encoded_tell(struct teller *t, const struct mica_extent *e, struct mica_err *err)
{
	struct mica_pext x = {
		.llen = e->llen,
		.pstart = e->pa,
		.plen = (uint32_t)e->plen,
		.dev = (uint16_t)(t->base + 1),
		.alg = (int8_t)e->alg,
	};
	int ret = content_read(t, e->la, e->llen, err);

	t->bases->packed_algs |= 1u << e->alg;
	return ret ? ret : mica_packer_known_extent(t->packer, &x, t->buf, err);
}

static int plain_tell(struct teller *t, const struct mica_extent *e, struct mica_err *err)
{
	uint32_t slab = mica_packer_known_slab(t->packer);
	int ret = 0;

	for (uint64_t done = 0; !ret && done < e->llen;) {
		uint64_t la = e->la + done;
		uint32_t n = (uint32_t)mica_min(slab - la % slab, e->llen - done);

		ret = content_read(t, la, n, err);
		if (!ret)
			ret = mica_packer_known_plain(t->packer, (uint16_t)(t->base + 1),
						      e->pa + done, t->buf, n, err);
		done += n;
	}
	return ret;
}

static bool extent_is_plain(const struct mica_extent *e)
{
	return e->kind == MICA_EXTENT_PLAIN || e->alg < 0;
}

/* Whether an index, or a list of encoded extents, of another file can have it. */
static bool extent_fits(const struct teller *t, const struct mica_extent *e)
{
	unsigned int algs = t->bases->packed_algs;

	if (e->device || e->is_inline || e->partial)
		return false;
	if (e->kind != MICA_EXTENT_PLAIN && e->kind != MICA_EXTENT_ENCODED)
		return false;
	if (e->interlaced && (e->la % MICA_BLOCK || e->plen > MICA_BLOCK))
		return false;
	if (t->bases->extents)
		return true;
	if (!extent_is_plain(e))
		algs |= 1u << e->alg;
	return e->pa % MICA_BLOCK == 0 && __builtin_popcount(algs) <= 2;
}

static int tell_extents(struct teller *t, struct mica_err *err)
{
	struct mica_extent e;
	int ret = 0;

	for (uint64_t la = 0; !ret && la < t->inode.size; la += e.llen) {
		ret = mica_bases_map(t->img, &t->inode, la, &e, err);
		if (ret)
			return ret;
		if (!extent_fits(t, &e))
			continue;
		ret = extent_is_plain(&e) ? plain_tell(t, &e, err) : encoded_tell(t, &e, err);
	}
	return ret;
}

static int tell_file(struct teller *t, const char *path, struct mica_err *err)
{
	bool padded = mica_image_super(t->img)->feature_incompat & EROFS_INCOMPAT_ZERO_PADDING;
	bool compressed = t->inode.layout == EROFS_LAYOUT_COMPRESSED_FULL ||
			  t->inode.layout == EROFS_LAYOUT_COMPRESSED_COMPACT;
	bool bytes;
	int ret;

	if (!t->inode.size || (compressed && !padded))
		return 0;
	ret = mica_packer_known_begin(t->packer, path, t->inode.size, &bytes, err);
	if (ret)
		return ret;
	return bytes ? tell_content(t, err) : tell_extents(t, err);
}

static int tell_walk(struct teller *t, struct mica_err *err)
{
	struct mica_walk *walk cleanup_walk = NULL;
	struct mica_walk_item item;
	int ret = mica_walk_new(t->img, "", &walk, err);

	while (!ret) {
		ret = mica_walk_next(walk, &item, err);
		if (ret <= 0)
			return ret;
		ret = 0;
		if (!S_ISREG(item.inode.mode))
			continue;
		t->inode = item.inode;
		ret = tell_file(t, item.path, err);
	}
	return ret;
}

static int tell_base(struct teller *t, struct mica_err *err)
{
	struct mica_image *img cleanup_image = NULL;
	int ret = mica_bases_reopen(t->bases, t->base, &img, err);

	if (ret)
		return ret;
	t->img = img;
	ret = tell_walk(t, err);
	return ret ? mica_err_wrap(err, "%s", t->bases->v[t->base].path) : 0;
}

int mica_bases_tell(struct mica_bases *bases, struct mica_packer *packer, struct mica_outfile *out,
		    struct mica_spool *spool, struct mica_err *err)
{
	struct teller t = {.bases = bases, .packer = packer, .spool = spool};
	int ret = buf_reserve(&t, READ_BYTES, err);

	/* the new image's own fragments follow, which are not rotated */
	bases->packed_straight = true;
	/* and indexes have two algorithms: one is its own */
	bases->packed_algs = mica_packer_known_algs(packer);
	for (; !ret && t.base < bases->count; t.base++)
		ret = tell_base(&t, err);
	free(t.buf);
	if (ret || !bases->packed_count)
		return ret;
	return mica_bases_join(bases, out, spool,
			       mica_packer_known_packed(packer, bases->packed_size), true, err);
}
