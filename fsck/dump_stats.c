/* SPDX-License-Identifier: MIT */
/* Statistics over the whole tree: one visit of each inode, block maps included. */
#include "dump.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "../lib/filetype.h"
#include "../lib/nidmap.h"
#include "../lib/util.h"
#include "../lib/walk.h"
#include "decoded.h"

#define TYPES	8
#define LAYOUTS 5

struct stats {
	uint64_t names, inodes;
	uint64_t types[TYPES];
	uint64_t layouts[LAYOUTS];
	uint64_t compact, extended;
	uint64_t logical; /* bytes of regular files and symlinks */
	uint64_t holes, plain, inlined, encoded, fragments; /* logical bytes by kind */
	uint64_t extents;
	uint64_t xattrs_shared, xattrs_inline;
	struct mica_decoded decoded; /* of regular files and symlinks */
	uint64_t metabox_decoded, metabox_stored;
};

static int stats_extents(struct mica_image *img, const struct mica_inode *inode, struct stats *s,
			 struct mica_err *err)
{
	struct mica_extent e;

	for (uint64_t la = 0; la < inode->size; la = e.la + e.llen) {
		int ret = mica_image_map(img, inode, la, &e, err);

		if (!ret && !S_ISDIR(inode->mode))
			ret = mica_decoded_extent(&s->decoded, img, &e, err);
		if (ret)
			return ret;
		s->extents++;
		switch (e.kind) {
		case MICA_EXTENT_HOLE:
			s->holes += e.llen;
			break;
		case MICA_EXTENT_PLAIN:
			s->plain += e.llen;
			break;
		case MICA_EXTENT_INLINE:
			s->inlined += e.llen;
			break;
		case MICA_EXTENT_ENCODED:
			s->encoded += e.llen;
			break;
		case MICA_EXTENT_FRAGMENT:
			s->fragments += e.llen;
			break;
		}
	}
	return 0;
}

static int stats_xattrs(struct mica_image *img, const struct mica_inode *inode, struct stats *s,
			struct mica_err *err)
{
	struct mica_xattr_iter *it cleanup_xattr_iter = NULL;
	struct mica_xattr x;
	int ret;

	if (!inode->xattr_isize)
		return 0;
	ret = mica_xattr_iter_new(img, inode, &it, err);
	if (ret)
		return ret;
	while ((ret = mica_xattr_iter_next(it, &x, err)) > 0) {
		s->xattrs_shared += x.shared;
		s->xattrs_inline += !x.shared;
	}
	return ret;
}

static int stats_inode(struct mica_image *img, const struct mica_inode *inode, struct stats *s,
		       struct mica_err *err)
{
	int ret = 0;

	s->inodes++;
	s->types[mica_filetype_of(inode->mode)]++;
	s->compact += !inode->extended;
	s->extended += inode->extended;
	if (S_ISREG(inode->mode) || S_ISLNK(inode->mode) || S_ISDIR(inode->mode)) {
		s->layouts[inode->layout]++;
		if (!S_ISDIR(inode->mode))
			s->logical += inode->size;
		ret = stats_extents(img, inode, s, err);
	}
	return ret ? ret : stats_xattrs(img, inode, s, err);
}

static int stats_collect(struct mica_image *img, struct mica_nidmap *seen, struct stats *s,
			 struct mica_err *err)
{
	struct mica_walk *walk cleanup_walk = NULL;
	struct mica_walk_item item;
	int ret = mica_walk_new(img, "", &walk, err);

	if (ret)
		return ret;
	while ((ret = mica_walk_next(walk, &item, err)) > 0) {
		uint32_t unused;
		int added;

		if (item.event == MICA_WALK_LEAVE)
			continue;
		s->names++;
		added = mica_nidmap_add(seen, item.inode.nid, 0, &unused, err);
		if (added < 0)
			return added;
		if (added && stats_inode(img, &item.inode, s, err))
			return mica_err_wrap(err, "/%s", item.path);
	}
	return ret;
}

static int stats_metabox(struct mica_image *img, struct stats *s, struct mica_err *err)
{
	struct mica_inode inode;
	struct mica_extent e;
	int ret = mica_image_inode(img, mica_image_super(img)->metabox_nid, &inode, err);

	if (ret)
		return ret;
	s->metabox_decoded = inode.size;
	for (uint64_t la = 0; la < inode.size; la = e.la + e.llen) {
		ret = mica_image_map(img, &inode, la, &e, err);
		if (ret)
			return ret;
		s->metabox_stored += e.plen;
	}
	return 0;
}

static void stats_by_type(struct mica_dump *d, const struct stats *s)
{
	static const struct {
		const char *label, *key;
	} types[TYPES] = {
		[EROFS_FT_REG] = {"Files", "files"},
		[EROFS_FT_DIR] = {"Directories", "directories"},
		[EROFS_FT_CHR] = {"Character devices", "char_devices"},
		[EROFS_FT_BLK] = {"Block devices", "block_devices"},
		[EROFS_FT_FIFO] = {"FIFOs", "fifos"},
		[EROFS_FT_SOCK] = {"Sockets", "sockets"},
		[EROFS_FT_LNK] = {"Symlinks", "symlinks"},
	};

	for (int i = EROFS_FT_REG; i < TYPES; i++)
		if (types[i].label)
			mica_dump_u64(d, types[i].label, types[i].key, s->types[i]);
}

static void stats_by_layout(struct mica_dump *d, const struct stats *s)
{
	static const struct {
		const char *label, *key;
	} layouts[LAYOUTS] = {
		[EROFS_LAYOUT_FLAT_PLAIN] = {"Layout flat", "layout_flat"},
		[EROFS_LAYOUT_COMPRESSED_FULL] = {"Layout full index", "layout_full"},
		[EROFS_LAYOUT_FLAT_INLINE] = {"Layout inline tail", "layout_inline"},
		[EROFS_LAYOUT_COMPRESSED_COMPACT] = {"Layout compact index", "layout_compact"},
		[EROFS_LAYOUT_CHUNK] = {"Layout chunks", "layout_chunk"},
	};

	for (int i = 0; i < LAYOUTS; i++)
		mica_dump_u64(d, layouts[i].label, layouts[i].key, s->layouts[i]);
}

static void stats_by_cluster(struct mica_dump *d, const struct stats *s)
{
	uint64_t clusters = s->decoded.index.count, bytes = mica_decoded_bytes(&s->decoded);

	mica_dump_u64(d, "Clusters", "clusters", clusters);
	mica_dump_u64(d, "Cluster mean decoded", "cluster_mean", clusters ? bytes / clusters : 0);
	mica_dump_u64(d, "Read mean decoded", "read_mean",
		      mica_decoded_by_read(&s->decoded, mica_image_super(d->img)->block_size));
}

static void stats_show(struct mica_dump *d, const struct stats *s)
{
	uint64_t stored = mica_image_io(d->img)->size;

	mica_dump_section(d, "Statistics", "statistics");
	mica_dump_u64(d, "Names", "names", s->names);
	mica_dump_u64(d, "Inodes found", "inodes", s->inodes);
	stats_by_type(d, s);
	mica_dump_u64(d, "Compact inodes", "compact_inodes", s->compact);
	mica_dump_u64(d, "Extended inodes", "extended_inodes", s->extended);
	stats_by_layout(d, s);
	mica_dump_u64(d, "Xattrs shared", "xattrs_shared", s->xattrs_shared);
	mica_dump_u64(d, "Xattrs inline", "xattrs_inline", s->xattrs_inline);
	mica_dump_u64(d, "Extents", "extents", s->extents);
	stats_by_cluster(d, s);
	mica_dump_u64(d, "Bytes in holes", "bytes_holes", s->holes);
	mica_dump_u64(d, "Bytes plain", "bytes_plain", s->plain);
	mica_dump_u64(d, "Bytes inline", "bytes_inline", s->inlined);
	mica_dump_u64(d, "Bytes encoded", "bytes_encoded", s->encoded);
	mica_dump_u64(d, "Bytes in fragments", "bytes_fragments", s->fragments);
	mica_dump_u64(d, "Bytes logical", "bytes_logical", s->logical);
	mica_dump_u64(d, "Bytes stored", "bytes_stored", stored);
	mica_dump_ratio(d, "Ratio stored/logical", "ratio",
			s->logical ? (double)stored / (double)s->logical : 0);
	if (mica_image_super(d->img)->metabox_nid) {
		mica_dump_u64(d, "Metabox decoded", "metabox_decoded", s->metabox_decoded);
		mica_dump_u64(d, "Metabox stored", "metabox_stored", s->metabox_stored);
	}
	mica_dump_section_end(d);
}

int mica_dump_stats(struct mica_dump *d, struct mica_err *err)
{
	struct mica_nidmap seen = {0};
	struct stats s = {0};
	int ret = stats_collect(d->img, &seen, &s, err);

	if (!ret)
		ret = mica_decoded_packed(&s.decoded, d->img, err);
	if (!ret && mica_image_super(d->img)->metabox_nid)
		ret = stats_metabox(d->img, &s, err);
	if (!ret)
		stats_show(d, &s);
	mica_nidmap_clear(&seen);
	mica_decoded_clear(&s.decoded);
	return ret;
}
