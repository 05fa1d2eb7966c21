/* SPDX-License-Identifier: MIT */
/*
 * The reader of EROFS images: superblock, inodes, directories, xattrs, block
 * maps, file data. fsck, dump, extract and the FUSE mount all read through it.
 * Everything from the image is validated before it is returned; a struct is
 * published only when whole. All functions may be called by many threads on
 * one image. Structures: formats/erofs.h.
 */
#ifndef MICA_LIB_IMAGE_H
#define MICA_LIB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../formats/erofs.h"
#include "../formats/footer.h"
#include "err.h"
#include "io.h"

struct mica_image;

/* The superblock in native form. */
struct mica_super {
	uint32_t checksum;
	uint32_t feature_compat;
	uint32_t feature_incompat;
	unsigned int blkbits;
	uint32_t block_size; /* bytes */
	uint32_t sb_size;    /* bytes, with extension slots */
	uint64_t root_nid;
	uint64_t inos;
	uint64_t blocks;
	int64_t epoch;
	uint32_t fixed_nsec;
	uint32_t build_time;
	uint64_t meta_off;    /* bytes: meta_blkaddr * block size */
	uint64_t xattr_off;   /* bytes: xattr_blkaddr * block size */
	uint64_t packed_nid;  /* 0: none */
	uint64_t metabox_nid; /* 0: none */
	uint16_t algs;	      /* bitmap of 1 << enum erofs_alg */
	uint16_t lz4_max_distance;
	uint16_t lz4_max_pclusterblks;
	uint16_t extra_devices;
	uint32_t devt_off; /* bytes */
	unsigned int xattr_prefix_count;
	uint32_t xattr_prefix_start;
	uint8_t uuid[16];
	char volume_name[17]; /* NUL-terminated */
	bool xattr_filter;    /* name filters may be used */
	bool no_xattrs;	      /* the builder says that no inode has any (formats/seal.h) */
};

struct mica_image_opts {
	uint64_t cache_bytes; /* decoded-cluster cache, 0: default of 64 MiB */
	bool skip_checksum;   /* do not verify the superblock's checksum (fuzzing, salvage) */
	/* The other files of the device table, in its order; 0: they are joined to the image. */
	struct mica_io *const *devices;
	unsigned int device_count;
};

/*
 * Takes ownership of io and the devices on success. Verifies the superblock (checksum when the
 * feature is set), its features and the root inode. Work is O(1) in the image's
 * size. opts may be NULL.
 */
int mica_image_open(struct mica_io *io, const struct mica_image_opts *opts, struct mica_image **out,
		    struct mica_err *err);
void mica_image_free(struct mica_image *img);

/* Bytes that the cache of decoded clusters holds now. */
uint64_t mica_image_cache_used(struct mica_image *img);

static inline void mica_cleanup_image(struct mica_image **img)
{
	mica_image_free(*img);
}
#define cleanup_image cleanup(mica_cleanup_image)

const struct mica_super *mica_image_super(const struct mica_image *img);
struct mica_io *mica_image_io(struct mica_image *img); /* borrowed */

/* The files of an image. Paths come from the user: none that an image names is ever opened. */
struct mica_image_files {
	const char *path;
	uint64_t offset;	    /* the image's first byte in its file; 0: it is looked for */
	const char *const *devices; /* as in struct mica_image_opts */
	unsigned int device_count;
};

/*
 * These files, open. An image with a footer (formats/footer.h) is found behind what
 * comes before it, and so is its device, unless the caller says where they are.
 */
struct mica_image_ios {
	struct mica_io *io;
	struct mica_io **devices; /* owned; with one element more than device_count */
	unsigned int device_count;
};

int mica_image_ios_open(const struct mica_image_files *files, struct mica_image_ios *out,
			struct mica_err *err);

/*
 * out->io is a whole file: if a footer says that the image is a part of it, that part
 * becomes out->io, and the whole the device, unless devices are given.
 */
int mica_image_ios_place(struct mica_image_ios *out, bool devices_given, struct mica_err *err);

/* Closes them. */
void mica_image_ios_clear(struct mica_image_ios *ios);
/* The files belong to an image now. */
void mica_image_ios_release(struct mica_image_ios *ios);

/*
 * What the last bytes of a whole file say about the image in it. 1: *out, which lies
 * within the file; 0: they are no footer.
 */
int mica_footer_find(struct mica_io *io, struct mica_footer *out, struct mica_err *err);

/* Opens the files and the image in them. opts may be NULL; its devices are not looked at. */
int mica_image_open_files(const struct mica_image_files *files, const struct mica_image_opts *opts,
			  struct mica_image **out, struct mica_err *err);

/* A slot of the device table. */
struct mica_device {
	char tag[65];	/* NUL-terminated; a UUID: that of the image that the device is */
	uint64_t start; /* bytes in the unified address space; 0: nowhere */
	uint64_t size;	/* bytes */
};

/* id: 1 .. extra_devices */
const struct mica_device *mica_image_device(const struct mica_image *img, unsigned int id);

/*
 * Reads and checks a superblock only; for tools that want to show what they
 * can of an image that mica_image_open() refuses.
 */
int mica_super_read(struct mica_io *io, bool skip_checksum, struct mica_super *out,
		    struct mica_err *err);

/* The oldest kernel that mounts an image with these features: major * 1000 + minor. */
unsigned int mica_super_min_kernel(const struct mica_super *sb);

/* An inode in native form; plain data, may be copied. */
struct mica_inode {
	uint64_t nid;
	uint64_t off; /* byte offset in the image (or in the metabox: see in_metabox) */
	bool in_metabox;
	bool extended; /* 64-byte form */
	bool dot_omitted;
	enum erofs_layout layout;
	uint32_t isize;	      /* on-disk inode: 32 or 64 bytes */
	uint32_t xattr_isize; /* inline xattr area, bytes */
	uint16_t mode;
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t ino;
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_nsec;
	uint32_t rdev;	       /* as the kernel's new_encode_dev(); see mica_rdev_* */
	uint64_t startblk;     /* flat layouts; UINT64_MAX: no blocks */
	uint64_t cblocks;      /* compressed layouts: encoded blocks */
	uint16_t chunk_format; /* chunk layout */

	/* compressed layouts: the map header */
	uint16_t z_advise;
	uint8_t z_alg[2];
	unsigned int z_lclusterbits;
	uint32_t z_idata_size;	 /* inline pcluster, bytes */
	uint64_t z_idata_off;	 /* its byte offset (in_metabox as the inode) */
	bool z_fragment_whole;	 /* the whole file is a fragment */
	uint64_t z_fragment_off; /* in the packed inode */
	uint64_t z_tail_start;	 /* logical start of the inline pcluster or fragment */
	uint64_t z_extents;	 /* encoded extents: records */
	uint64_t z_index_off;	 /* byte offset of the first index entry or record */
};

static inline unsigned int mica_rdev_major(uint32_t rdev)
{
	return (rdev >> 8) & 0xfff;
}

static inline unsigned int mica_rdev_minor(uint32_t rdev)
{
	return (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
}

int mica_image_inode(struct mica_image *img, uint64_t nid, struct mica_inode *out,
		     struct mica_err *err);

/* The inode number that the kernel's EROFS shows for nid. */
uint64_t mica_super_ino(const struct mica_super *sb, uint64_t nid);

/* How an inode looks from outside. */
void mica_inode_stat(const struct mica_super *sb, const struct mica_inode *inode,
		     struct mica_stat *out);

/* The target of a symlink and a NUL, as mica_readlink() */
long mica_image_readlink(struct mica_image *img, const struct mica_inode *inode, char *buf,
			 size_t cap, struct mica_err *err);

/* Directory entries in on-disk order, "." and ".." included. */
struct mica_dirent {
	uint64_t nid;
	uint8_t type;	       /* enum erofs_file_type */
	unsigned int name_len; /* 1..255 */
	char name[256];	       /* NUL-terminated */
	uint64_t next;	       /* cookie of the entry behind this one */
};

/*
 * A cursor over one directory; owns a buffer of one block. Not thread-safe
 * itself. Checks each block's offsets, counts and name lengths as it goes.
 */
struct mica_dir;
int mica_dir_open(struct mica_image *img, const struct mica_inode *inode, struct mica_dir **out,
		  struct mica_err *err);
const struct mica_image *mica_dir_image(const struct mica_dir *dir);
/* Go to a cookie: 0 is the first entry, else a mica_dirent.next. */
void mica_dir_seek(struct mica_dir *dir, uint64_t cookie);
/* 1: an entry; 0: the end; < 0: error */
int mica_dir_next(struct mica_dir *dir, struct mica_dirent *out, struct mica_err *err);
void mica_dir_free(struct mica_dir *dir);

static inline void mica_cleanup_dir(struct mica_dir **dir)
{
	mica_dir_free(*dir);
}
#define cleanup_dir cleanup(mica_cleanup_dir)

/* Binary search for a name; MICA_E_NOENT when it is not there. */
int mica_dir_lookup(struct mica_image *img, const struct mica_inode *dir, const char *name,
		    size_t name_len, uint64_t *nid, uint8_t *type, struct mica_err *err);

/*
 * Walk a '/'-separated path from the root; does not follow symlinks, "" and
 * "/" are the root. MICA_E_NOENT names the part that is missing.
 */
int mica_image_walk(struct mica_image *img, const char *path, struct mica_inode *out,
		    struct mica_err *err);

/* Extended attributes, with full names ("user.x", "security.capability"). */
struct mica_xattr {
	char name[256 + 32]; /* NUL-terminated */
	const void *value;   /* valid until the next call on the iterator */
	uint32_t value_len;  /* bytes, 0..65535 */
	bool shared;
	uint32_t shared_id;
};

struct mica_xattr_iter;
int mica_xattr_iter_new(struct mica_image *img, const struct mica_inode *inode,
			struct mica_xattr_iter **out, struct mica_err *err);
/* 1: an attribute; 0: the end; < 0: error */
int mica_xattr_iter_next(struct mica_xattr_iter *it, struct mica_xattr *out, struct mica_err *err);
/* The name filter that all attributes so far make, also those that Linux does not show. */
uint32_t mica_xattr_iter_filter(const struct mica_xattr_iter *it);
void mica_xattr_iter_free(struct mica_xattr_iter *it);

static inline void mica_cleanup_xattr_iter(struct mica_xattr_iter **it)
{
	mica_xattr_iter_free(*it);
}
#define cleanup_xattr_iter cleanup(mica_cleanup_xattr_iter)

/*
 * One value by full name, through the name filter. Returns its length, copies
 * it when cap suffices (cap 0: length only); MICA_E_NOENT; MICA_E_LIMIT when
 * cap is too small.
 */
long mica_xattr_get(struct mica_image *img, const struct mica_inode *inode, const char *name,
		    void *buf, size_t cap, struct mica_err *err);

/*
 * All names with their NULs; cap 0 only counts, MICA_E_LIMIT when cap is too small. trusted:
 * also those that only root may list.
 */
long mica_xattr_list(struct mica_image *img, const struct mica_inode *inode, bool trusted,
		     char *buf, size_t cap, struct mica_err *err);

/* One run of a file's block map. */
enum mica_extent_kind {
	MICA_EXTENT_HOLE,   /* zeros */
	MICA_EXTENT_PLAIN,  /* pa..pa+llen holds the bytes as they are */
	MICA_EXTENT_INLINE, /* the same, but behind the inode (tail) */
	MICA_EXTENT_ENCODED, /* a pcluster at pa, plen bytes, decodes to llen bytes (or more: partial) */
	MICA_EXTENT_FRAGMENT, /* pa is an offset in the packed inode's data */
};

struct mica_extent {
	enum mica_extent_kind kind;
	uint64_t la;	 /* logical start in the file, bytes */
	uint64_t llen;	 /* logical length, bytes; ends at most at the file's size */
	uint64_t pa;	 /* byte address in the device */
	uint64_t plen;	 /* bytes stored */
	uint16_t device; /* 0: the image's own file, else the extra device of that id */
	bool in_metabox; /* pa counts in the metabox inode's data */
	bool is_inline;	 /* pcluster or tail stored with the inode */
	bool partial;	 /* PARTIAL_REF: the pcluster decodes to more than llen */
	bool interlaced; /* plain pcluster rotated by la % block size */
	int alg;	 /* ENCODED: enum erofs_alg, or -1 for a plain pcluster */
};

/*
 * The extent that holds byte la of a regular file, directory or symlink
 * (la < size). Bounds are checked against the format's limits and the io's size.
 */
int mica_image_map(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		   struct mica_extent *out, struct mica_err *err);

/*
 * Read up to len bytes at off from a regular file, directory or symlink.
 * Returns the bytes read (short only at the end of the file), or a code.
 */
long mica_image_read(struct mica_image *img, const struct mica_inode *inode, void *buf, size_t len,
		     uint64_t off, struct mica_err *err);

/*
 * Have these bytes at hand for a read that is expected: clusters are decoded into the
 * cache, of what is plain the io is told.
 */
int mica_image_ahead(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		     uint64_t len, struct mica_err *err);

/* The same, but nothing is decoded: the io is told of the stored bytes alone. */
int mica_image_hint(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		    uint64_t len, struct mica_err *err);

/*
 * len stored bytes of an extent as they are in the image, from its skip'th on; the
 * extent is no hole and no fragment.
 */
int mica_image_read_stored(struct mica_image *img, const struct mica_extent *e, void *buf,
			   size_t len, uint64_t skip, struct mica_err *err);

/* Where the bytes from off on lie in memory, as mica_map() */
int mica_image_bytes(struct mica_image *img, const struct mica_inode *inode, uint64_t off,
		     uint64_t len, const void **data, uint64_t *got, struct mica_err *err);

/* Next data (hole = false) or hole at or behind off, as lseek(2); size at the end. */
int mica_image_seek(struct mica_image *img, const struct mica_inode *inode, uint64_t off, bool hole,
		    uint64_t *out, struct mica_err *err);

#endif
