/* SPDX-License-Identifier: MIT */
/* What the files of the image reader share. */
#ifndef MICA_LIB_IMAGE_PRIV_H
#define MICA_LIB_IMAGE_PRIV_H

#include "image.h"

struct mica_image {
	struct mica_io *io;
	struct mica_super sb;
	struct mica_device *devices;	    /* sb.extra_devices of them */
	struct mica_io **device_ios;	    /* as many; NULL: they are joined to io */
	struct mica_inode packed;	    /* valid when sb.packed_nid is not 0 */
	struct mica_inode metabox;	    /* valid when sb.metabox_nid is not 0 */
	struct mica_xattr_prefix *prefixes; /* sb.xattr_prefix_count of them */
	struct mica_meta *meta;
	struct mica_clusters *clusters;
	struct mica_cursors *cursors;
};

/* image_device.c */
int mica_image_load_devices(struct mica_image *img, const struct mica_image_opts *opts,
			    struct mica_err *err);
void mica_image_free_devices(struct mica_image *img);

/*
 * Device (0: the unified address space, else an id that is in the table) and address
 * become those of a file that is there and has all of [pa, pa + len).
 */
int mica_image_resolve(const struct mica_image *img, uint16_t *device, uint64_t *pa, uint64_t len,
		       struct mica_err *err);

/* device: of an extent */
static inline struct mica_io *mica_image_device_io(const struct mica_image *img,
						   unsigned int device)
{
	return device ? img->device_ios[device - 1] : img->io;
}

/*
 * Metadata, through a small cache of chunks (image_meta.c). in_metabox: off
 * counts in the metabox inode's data, else in the image. size: where it ends.
 */
int mica_meta_new(struct mica_meta **out, struct mica_err *err);
void mica_meta_free(struct mica_meta *meta);
int mica_meta_read(struct mica_image *img, bool in_metabox, uint64_t off, void *buf, size_t len,
		   struct mica_err *err);
uint64_t mica_meta_size(const struct mica_image *img, bool in_metabox);

/* Decoded clusters (image_cluster.c). The extent is of kind ENCODED with alg >= 0. */
struct mica_cluster;
int mica_clusters_new(uint64_t cap, struct mica_clusters **out, struct mica_err *err);
void mica_clusters_free(struct mica_clusters *all);
/* Decode, or wait for whoever decodes it already; to be given back with _put. */
int mica_cluster_get(struct mica_image *img, const struct mica_extent *e, struct mica_cluster **out,
		     struct mica_err *err);
/* Notes that it is asked for; true when it is there, or was asked for not long ago. */
bool mica_cluster_touch(struct mica_image *img, const struct mica_extent *e);
/* NULL when it is not there */
struct mica_cluster *mica_cluster_find(struct mica_image *img, const struct mica_extent *e);
const uint8_t *mica_cluster_data(const struct mica_cluster *c);
void mica_cluster_put(struct mica_image *img, struct mica_cluster *c);
/* Decode all e->llen bytes to dst, past the cache. */
int mica_cluster_decode(struct mica_image *img, const struct mica_extent *e, void *dst,
			struct mica_err *err);

/* Decoder states, each with an input buffer (image_decoder.c). */
struct mica_decoders;
int mica_decoders_new(struct mica_decoders **out, struct mica_err *err);
void mica_decoders_free(struct mica_decoders *all);
int mica_decoders_decode(struct mica_decoders *all, struct mica_image *img,
			 const struct mica_extent *e, void *dst, struct mica_err *err);

/* image_inode.c: the inode's first byte behind its xattrs */
static inline uint64_t mica_inode_end(const struct mica_inode *inode)
{
	return inode->off + inode->isize + inode->xattr_isize;
}

static inline bool mica_inode_compressed(const struct mica_inode *inode)
{
	return inode->layout == EROFS_LAYOUT_COMPRESSED_FULL ||
	       inode->layout == EROFS_LAYOUT_COMPRESSED_COMPACT;
}

bool mica_inode_has_data(const struct mica_inode *inode);

/* image_zmap.c: the map header of a compressed inode, and a lookup in its index */
int mica_zmap_load(struct mica_image *img, struct mica_inode *inode, struct mica_err *err);
int mica_zmap_find(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		   struct mica_extent *out, struct mica_err *err);

static inline bool mica_zmap_has_extents(const struct mica_inode *inode)
{
	return inode->layout == EROFS_LAYOUT_COMPRESSED_FULL && !inode->z_fragment_whole &&
	       inode->z_advise & EROFS_ADVISE_EXTENTS;
}

/* image_zindex.c: full and compact index */
int mica_zindex_load(struct mica_image *img, struct mica_inode *inode, struct mica_err *err);
int mica_zindex_find(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		     struct mica_extent *out, struct mica_err *err);

/* image_lcluster.c: one entry of an index */
struct mica_lcluster {
	uint64_t lcn;
	enum erofs_lcluster_type type;
	uint32_t clusterofs; /* not NONHEAD */
	uint32_t delta[2];   /* NONHEAD: lclusters back to the head, on to the next one */
	uint32_t cblks;	     /* NONHEAD: blocks of the pcluster, 0: does not say */
	uint32_t pblk;	     /* not NONHEAD */
	bool partial;
	uint64_t next_off; /* behind the entry, or behind the pack of entries that it is in */
};

/* ahead: delta[1] is wanted */
int mica_lcluster_load(struct mica_image *img, const struct mica_inode *inode, uint64_t lcn,
		       bool ahead, struct mica_lcluster *out, struct mica_err *err);

/* image_zextent.c: encoded extents */
int mica_zextent_load(struct mica_image *img, struct mica_inode *inode, struct mica_err *err);
int mica_zextent_find(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		      struct mica_extent *out, struct mica_err *err);
int mica_cursors_new(struct mica_cursors **out, struct mica_err *err);
void mica_cursors_free(struct mica_cursors *cursors);

/* image_read.c: all of [off, off + len), which the caller knows to be in the file */
int mica_image_read_all(struct mica_image *img, const struct mica_inode *inode, void *buf,
			size_t len, uint64_t off, struct mica_err *err);

/* image_xattr_name.c */
int mica_xattr_prefixes_load(struct mica_image *img, struct mica_err *err);
void mica_xattr_prefixes_free(struct mica_image *img);

#endif
