/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../formats/erofs_compact.h"
#include "../lib/util.h"
#include "dirents.h"
#include "bases.h"
#include "tally.h"

/*
 * Gaps that inline tails leave at block ends are filled with later inodes, but
 * only near by: related inodes stay close, and the writer's window is small.
 */
#define GAPS	   64u
#define GAP_WINDOW (64u * MICA_BLOCK)

/* Shared xattrs are addressed by 32 bits, in units of 4 bytes. */
#define XATTR_BYTES_MAX ((uint64_t)UINT32_MAX * EROFS_XATTR_ALIGN)

/* Below this many uniform extents, 4-byte records that are read from the start. */
#define EXTENTS_SHORT 64u

/* In a metabox padding costs nothing, so that a directory's last block fits behind any inode. */
#define DIR_TAIL_XATTRS (MICA_BLOCK - EROFS_NID_UNIT)

struct gap {
	uint64_t off;
	uint32_t len; /* 0: free */
};

struct planner {
	struct mica_layout *l;
	uint64_t cursor;
	struct gap gaps[GAPS];
	unsigned int next_gap; /* the oldest one is replaced */
};

/* Everything but the time fits into 32 bytes. */
static bool inode_is_small(const struct mica_tinode *i)
{
	return i->size <= UINT32_MAX && i->uid <= UINT16_MAX && i->gid <= UINT16_MAX &&
	       i->nlink <= UINT16_MAX;
}

static bool inode_is_compact(const struct mica_layout *l, const struct mica_tinode *i)
{
	uint64_t since = (uint64_t)i->mtime - (uint64_t)l->epoch;

	if (!inode_is_small(i) || i->mtime_nsec != l->fixed_nsec)
		return false;
	return l->opts->compat.extents ? i->mtime >= l->epoch && since <= UINT32_MAX
				       : i->mtime == l->epoch;
}

/* Record size of an extent list: the smallest form that can say it and is found fast. */
static unsigned int extents_rec_size(const struct mica_layout *l, const struct mica_tinode *i)
{
	unsigned int bits = i->data.lclusterbits;
	uint64_t uniform = bits ? mica_div_round_up(i->size, 1ULL << bits) : UINT64_MAX;
	/* the metabox lies behind the files' data */
	uint64_t end = i->data.start + (uint64_t)(i->data.blocks + 1) * MICA_BLOCK;

	if (uniform <= EXTENTS_SHORT && !(i->data.flags & MICA_DATA_SCATTERED) &&
	    i->data.fragment <= UINT32_MAX)
		return 4;
	/* devices lie behind this image, no one knows yet how far */
	if (mica_max(l->meta_start, end) <= UINT32_MAX && !i->data.dev &&
	    uniform <= 2 * (uint64_t)i->data.count)
		return 8;
	return i->size <= UINT32_MAX ? 16 : 32;
}

static void shape_extents(const struct mica_layout *l, const struct mica_tinode *i,
			  struct mica_shape *s)
{
	uint64_t count = i->data.count;
	bool fragment = i->data.flags & MICA_DATA_TAIL_FRAGMENT;

	s->layout = EROFS_LAYOUT_COMPRESSED_FULL;
	s->rec_size = extents_rec_size(l, i);
	s->index_off = mica_round_up(s->head, 8);
	s->head = mica_round_up(s->index_off + sizeof(struct erofs_map_header_disk), s->rec_size);
	if (s->rec_size <= 8)
		count = mica_div_round_up(i->size, 1ULL << i->data.lclusterbits);
	else
		count += fragment;
	if (s->rec_size == 4)
		s->head += sizeof(le64);
	s->head += count * s->rec_size;
}

/* The compact index has 32 bits for the fragment's offset. */
static bool pclusters_need_full(const struct mica_tinode *i)
{
	return i->data.flags & MICA_DATA_FULL_INDEX ||
	       (i->data.flags & MICA_DATA_TAIL_FRAGMENT && i->data.fragment > UINT32_MAX);
}

/* The map header is all that a file in the packed inode has. */
static void shape_fragment(const struct mica_layout *l, struct mica_shape *s)
{
	s->layout = l->opts->compat.extents ? EROFS_LAYOUT_COMPRESSED_FULL
					    : EROFS_LAYOUT_COMPRESSED_COMPACT;
	s->index_off = mica_round_up(s->head, 8);
	s->head = s->index_off + sizeof(struct erofs_map_header_disk);
}

static void shape_pclusters(const struct mica_tinode *i, struct mica_shape *s)
{
	uint64_t total = mica_div_round_up(i->size, MICA_BLOCK);
	struct erofs_compact_plan plan;

	s->index_off = mica_round_up(s->head, 8);
	s->head = s->index_off + sizeof(struct erofs_map_header_disk);
	if (pclusters_need_full(i)) {
		s->layout = EROFS_LAYOUT_COMPRESSED_FULL;
		s->head += EROFS_FULL_INDEX_RESERVED + total * sizeof(struct erofs_lcluster_disk);
		return;
	}
	s->layout = EROFS_LAYOUT_COMPRESSED_COMPACT;
	erofs_compact_plan(s->head, total, &plan);
	s->head += plan.bytes;
}

static void shape_chunks(const struct mica_tinode *i, struct mica_shape *s)
{
	s->layout = EROFS_LAYOUT_CHUNK;
	s->chunk_bits = i->data.lclusterbits;
	s->index_off = mica_round_up(s->head, 4);
	s->head = s->index_off + mica_div_round_up(i->size, 1ULL << s->chunk_bits) * sizeof(le32);
}

void mica_layout_shape(const struct mica_layout *l, const struct mica_tinode *i,
		       struct mica_shape *s)
{
	memset(s, 0, sizeof(*s));
	s->extended = !inode_is_compact(l, i);
	s->isize = s->extended ? sizeof(struct erofs_inode_extended_disk)
			       : sizeof(struct erofs_inode_compact_disk);
	s->xattr = mica_xattrs_ibody_size(l->xattrs, i->xattrs);
	s->head = s->isize + s->xattr;
	s->tail = i->data.tail_len;
	s->layout = s->tail ? EROFS_LAYOUT_FLAT_INLINE : EROFS_LAYOUT_FLAT_PLAIN;
	if (S_ISDIR(i->mode)) {
		s->dot_omitted = l->opts->compat.extents;
		return;
	}
	switch (i->data.kind) {
	case MICA_DATA_EXTENTS:
		shape_extents(l, i, s);
		break;
	case MICA_DATA_PCLUSTERS:
		shape_pclusters(i, s);
		break;
	case MICA_DATA_CHUNK:
		shape_chunks(i, s);
		break;
	case MICA_DATA_FRAGMENT:
		shape_fragment(l, s);
		break;
	default:
		break;
	}
}

static void gap_add(struct planner *p, uint64_t from, uint64_t to)
{
	uint32_t block = p->l->block;

	/* an inline tail must not cross a block, so a gap is used within one */
	while (from < to) {
		uint64_t end = mica_min(to, mica_round_down(from, block) + block);

		if (end - from >= EROFS_NID_UNIT)
			p->gaps[p->next_gap++ % GAPS] =
				(struct gap){.off = from, .len = (uint32_t)(end - from)};
		from = end;
	}
}

static bool gap_take(struct planner *p, uint64_t size, uint64_t *off)
{
	struct gap *best = NULL;
	uint64_t used = mica_round_up(size, EROFS_NID_UNIT);

	for (unsigned int i = 0; i < GAPS; i++) {
		struct gap *g = &p->gaps[i];

		if (g->len >= size && g->off + GAP_WINDOW >= p->cursor &&
		    (!best || g->len < best->len))
			best = g;
	}
	if (!best)
		return false;
	*off = best->off;
	used = mica_min(used, best->len);
	best->off += used;
	best->len -= (uint32_t)used;
	return true;
}

/* The address of an inode: in a gap, or behind the last one. */
static uint64_t inode_place(struct planner *p, const struct mica_shape *s)
{
	uint32_t block = p->l->block;
	uint64_t off = p->cursor, tail = off + s->head;

	if (!p->l->metabox && s->head + s->tail <= block && gap_take(p, s->head + s->tail, &off))
		return off;
	if (s->tail && tail % block + s->tail > block) {
		off = mica_round_up(mica_round_up(tail, block) - s->head, EROFS_NID_UNIT);
		gap_add(p, p->cursor, off);
	}
	p->cursor = mica_round_up(off + s->head + s->tail, EROFS_NID_UNIT);
	return off;
}

static uint64_t bytes_max(const struct mica_layout *l)
{
	return (uint64_t)MICA_BLOCKS_MAX << l->block_bits;
}

static int too_large(const struct mica_layout *l, uint64_t bytes, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_LIMIT,
			    "the image would be %" PRIu64 " bytes or more; the limit is %" PRIu64,
			    bytes, bytes_max(l));
}

static int visit_place(void *ctx, struct mica_tnode *node, struct mica_err *err)
{
	struct planner *p = ctx;
	struct mica_layout *l = p->l;
	struct mica_tinode *i = node->inode;
	struct mica_shape s;
	uint64_t off;

	mica_layout_shape(l, i, &s);
	off = inode_place(p, &s);
	i->nid = (off - l->nid_base) / EROFS_NID_UNIT | (l->metabox ? EROFS_NID_METABOX : 0);
	l->inodes++;
	l->any_chunk |= s.layout == EROFS_LAYOUT_CHUNK;
	l->any_encoded |= s.layout == EROFS_LAYOUT_COMPRESSED_FULL ||
			  s.layout == EROFS_LAYOUT_COMPRESSED_COMPACT;
	l->any_tail_pcluster |= (i->data.flags & MICA_DATA_TAIL_ENCODED) != 0;
	l->any_shared |= i->data.kind == MICA_DATA_FRAGMENT ||
			 i->data.flags & (MICA_DATA_TAIL_FRAGMENT | MICA_DATA_SCATTERED);
	/* each time: the maps of a few enormous sparse files would be more than 64 bits can count */
	return p->cursor > bytes_max(l) ? too_large(l, p->cursor, err) : 0;
}

struct census {
	struct mica_layout *l;
	struct mica_tally times; /* with compact inodes' own times: nanoseconds alone */
	int64_t min, max;
	uint64_t dir_block;
};

static void census_times(struct census *c, const struct mica_tinode *i)
{
	if (inode_is_small(i))
		mica_tally_add(&c->times, c->l->opts->compat.extents ? 0 : i->mtime, i->mtime_nsec);
	c->min = i->mtime < c->min ? i->mtime : c->min;
	c->max = i->mtime > c->max ? i->mtime : c->max;
}

/* The bytes of a directory's last block that lie behind its inode. */
static uint32_t dir_tail(const struct mica_layout *l, const struct mica_tinode *i)
{
	uint32_t tail = i->size ? (uint32_t)((i->size - 1) % l->block) + 1 : 0;
	uint32_t most = mica_tail_max(l->opts);

	if (l->metabox)
		most = i->xattrs ? DIR_TAIL_XATTRS : MICA_BLOCK;
	return tail <= most ? tail : 0;
}

static int visit_census(void *ctx, struct mica_tnode *node, struct mica_err *err)
{
	struct census *c = ctx;
	struct mica_tinode *i = node->inode;
	struct mica_layout *l = c->l;

	(void)err;
	census_times(c, i);
	l->any_xattr |= i->xattrs != 0;
	mica_xattrs_ref(l->xattrs, i->xattrs);
	if (!S_ISDIR(i->mode))
		return 0;
	i->size = mica_dirents_size(node, !l->opts->compat.extents, l->block);
	i->data = (struct mica_data){.kind = MICA_DATA_FLAT, .tail_len = dir_tail(l, i)};
	i->data.blocks = (uint32_t)mica_div_round_up(i->size - i->data.tail_len, l->block);
	if (i->data.blocks)
		i->data.start = c->dir_block << l->block_bits;
	c->dir_block += i->data.blocks;
	return 0;
}

/* Compact inodes: one time for all before 6.15, later 136 years from the epoch on. */
static void epoch_choose(struct mica_layout *l, const struct census *c)
{
	struct mica_tally_entry best = mica_tally_best(&c->times);
	uint64_t span = (uint64_t)c->max - (uint64_t)c->min;

	l->fixed_nsec = best.nsec;
	if (!l->opts->compat.extents)
		l->epoch = best.sec;
	else
		l->epoch = span <= UINT32_MAX ? c->min : c->max - UINT32_MAX;
}

/* The first inode's address, and those that others count from. */
static uint64_t places_start(struct mica_layout *l, uint64_t dir_end)
{
	uint64_t start;

	if (l->metabox)
		return mica_round_up(l->xattr_bytes, EROFS_NID_UNIT);
	l->xattr_start = dir_end;
	/* nid 0 stays unused: user space takes inode number 0 for a deleted entry */
	start = mica_round_up(l->xattr_start + l->xattr_bytes, EROFS_NID_UNIT);
	if (start % l->block == 0)
		start += EROFS_NID_UNIT;
	l->nid_base = mica_round_down(start, l->block);
	return start;
}

/* The device table: behind the superblock, or, when it is too long for that, behind the data. */
static int devices_place(struct mica_layout *l, uint64_t *dir_block, struct mica_err *err)
{
	const struct mica_bases *bases = l->opts->bases;
	uint64_t bytes;

	if (!bases || l->opts->flat)
		return 0;
	bytes = (uint64_t)bases->count * EROFS_DEVSLOT_SIZE;
	l->devt_off = MICA_DEVT_OFFSET;
	if (bytes <= MICA_BLOCK - MICA_DEVT_OFFSET)
		return 0;
	l->devt_off = l->meta_start;
	*dir_block += mica_round_up(bytes, MICA_BLOCK) >> l->block_bits;
	if (l->devt_off / EROFS_DEVSLOT_SIZE <= UINT16_MAX)
		return 0;
	return mica_err_set(err, MICA_E_LIMIT,
			    "%" PRIu64 " bytes of data before the table of %u devices; it has to "
			    "begin before byte %u",
			    l->meta_start, bases->count, (UINT16_MAX + 1u) * EROFS_DEVSLOT_SIZE);
}

int mica_layout_plan(struct mica_layout *l, uint64_t data_end, struct mica_err *err)
{
	struct census c = {.l = l, .min = INT64_MAX, .max = INT64_MIN};
	struct planner *p;
	int ret;

	l->block_bits = mica_block_bits(l->opts);
	l->block = 1u << l->block_bits;
	l->metabox = l->opts->compat.metabox && l->opts->meta_cluster && !l->opts->codec.none;
	l->meta_start = mica_round_up(data_end, MICA_BLOCK);
	c.dir_block = l->meta_start >> l->block_bits;
	ret = devices_place(l, &c.dir_block, err);
	if (ret)
		return ret;
	ret = mica_layout_walk(l->tree, false, visit_census, &c, err);
	if (ret)
		return ret;
	if (l->metabox && c.dir_block == l->meta_start >> l->block_bits)
		l->meta_start = data_end; /* encoded bytes need no alignment */
	epoch_choose(l, &c);
	mica_xattrs_place(l->xattrs, &l->xattr_bytes);
	if (l->xattr_bytes > XATTR_BYTES_MAX)
		return mica_err_set(err, MICA_E_LIMIT,
				    "%" PRIu64 " bytes of shared xattrs; the limit is %" PRIu64,
				    l->xattr_bytes, XATTR_BYTES_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return mica_err_nomem(err);
	p->l = l;
	p->cursor = places_start(l, c.dir_block << l->block_bits);
	ret = mica_layout_walk_places(l, visit_place, p, err);
	if (l->packed) {
		l->packed->mtime = l->epoch;
		l->packed->mtime_nsec = l->fixed_nsec;
	}
	/* with a metabox, nothing that it needs may be in it */
	if (!ret && l->packed && !l->metabox)
		ret = visit_place(p, &(struct mica_tnode){.inode = l->packed}, err);
	l->meta_end = p->cursor;
	l->end = mica_round_up(p->cursor, MICA_BLOCK);
	free(p);
	if (!ret && l->opts->bases)
		ret = mica_bases_place(l->opts->bases, l->metabox ? MICA_BASES_FAR : l->end,
				       l->block_bits, err);
	return ret;
}
