/* SPDX-License-Identifier: MIT */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

#define CACHE_DEFAULT (64ULL << 20)

const struct mica_super *mica_image_super(const struct mica_image *img)
{
	return &img->sb;
}

struct mica_io *mica_image_io(struct mica_image *img)
{
	return img->io;
}

/* An inode that the superblock names. */
static int image_load_inode(struct mica_image *img, const char *what, uint64_t nid, mode_t type,
			    struct mica_inode *out, struct mica_err *err)
{
	int ret = mica_image_inode(img, nid, out, err);

	if (ret)
		return mica_err_wrap(err, "%s inode", what);
	if ((out->mode & S_IFMT) != type)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "%s inode: inode %" PRIu64 " at %" PRIu64
				    " has the type 0%o, not 0%o",
				    what, nid, out->off, out->mode & S_IFMT, type);
	return 0;
}

static int image_load(struct mica_image *img, const struct mica_image_opts *opts,
		      struct mica_err *err)
{
	uint64_t cap = opts && opts->cache_bytes ? opts->cache_bytes : CACHE_DEFAULT;
	struct mica_inode root;
	int ret;

	ret = mica_super_read(img->io, opts && opts->skip_checksum, &img->sb, err);
	if (!ret)
		ret = mica_meta_new(&img->meta, err);
	if (!ret)
		ret = mica_clusters_new(cap, &img->clusters, err);
	if (!ret)
		ret = mica_cursors_new(&img->cursors, err);
	if (!ret)
		ret = mica_image_load_devices(img, opts, err);
	/* in this order: the metabox may be a fragment, the root may lie in the metabox */
	if (!ret && img->sb.packed_nid)
		ret = image_load_inode(img, "packed", img->sb.packed_nid, S_IFREG, &img->packed,
				       err);
	if (!ret && img->sb.metabox_nid)
		ret = image_load_inode(img, "metabox", img->sb.metabox_nid, S_IFREG, &img->metabox,
				       err);
	if (!ret)
		ret = mica_xattr_prefixes_load(img, err);
	if (!ret)
		ret = image_load_inode(img, "root", img->sb.root_nid, S_IFDIR, &root, err);
	return ret;
}

int mica_image_open(struct mica_io *io, const struct mica_image_opts *opts, struct mica_image **out,
		    struct mica_err *err)
{
	cleanup_image struct mica_image *img = calloc(1, sizeof(*img));
	int ret;

	if (!img)
		return mica_err_nomem(err);
	img->io = io;
	ret = image_load(img, opts, err);
	if (ret) {
		img->io = NULL; /* stays the caller's, as the devices do */
		free(img->device_ios);
		img->device_ios = NULL;
		return mica_err_wrap(err, "%s", io->name);
	}
	*out = mica_steal_pointer(&img);
	return 0;
}

void mica_image_free(struct mica_image *img)
{
	if (!img)
		return;
	mica_xattr_prefixes_free(img);
	mica_cursors_free(img->cursors);
	mica_clusters_free(img->clusters);
	mica_meta_free(img->meta);
	mica_image_free_devices(img);
	mica_io_free(img->io);
	free(img);
}

int mica_image_walk(struct mica_image *img, const char *path, struct mica_inode *out,
		    struct mica_err *err)
{
	struct mica_inode inode;
	const char *p = path;
	int ret;

	ret = mica_image_inode(img, img->sb.root_nid, &inode, err);
	if (ret)
		return ret;
	for (;;) {
		size_t len;
		uint64_t nid;
		uint8_t type;

		p += strspn(p, "/");
		len = strcspn(p, "/");
		if (!len)
			break;
		if (!S_ISDIR(inode.mode))
			return mica_err_set(err, MICA_E_NOENT, "'%.*s' is not a directory",
					    (int)(p - path), path);
		ret = mica_dir_lookup(img, &inode, p, len, &nid, &type, err);
		if (ret == MICA_E_NOENT)
			return mica_err_set(err, MICA_E_NOENT, "no '%.*s' in the image",
					    (int)(p + len - path), path);
		if (!ret)
			ret = mica_image_inode(img, nid, &inode, err);
		if (ret)
			return ret;
		p += len;
	}
	*out = inode;
	return 0;
}

int mica_image_seek(struct mica_image *img, const struct mica_inode *inode, uint64_t off, bool hole,
		    uint64_t *out, struct mica_err *err)
{
	struct mica_extent e;

	/* Only encoded extents, chunks and flat inodes without blocks can be holes. */
	if (mica_inode_compressed(inode) && !mica_zmap_has_extents(inode)) {
		*out = hole ? inode->size : mica_min(off, inode->size);
		return 0;
	}
	while (off < inode->size) {
		int ret = mica_image_map(img, inode, off, &e, err);

		if (ret)
			return ret;
		if ((e.kind == MICA_EXTENT_HOLE) == hole)
			break;
		off = e.la + e.llen;
	}
	*out = mica_min(off, inode->size);
	return 0;
}
