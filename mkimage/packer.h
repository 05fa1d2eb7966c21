/* SPDX-License-Identifier: MIT */
/*
 * Turns file contents into stored data: cuts into segments, hashes, compresses
 * in parallel, drops whole-file duplicates, writes in stream order. Files come
 * one after another; the result lies in inode->data once mica_packer_flush()
 * has returned (and, for the file just ended, not before).
 */
#ifndef MICA_MKIMAGE_PACKER_H
#define MICA_MKIMAGE_PACKER_H

#include "../lib/tree.h"
#include "extlist.h"
#include "source.h"

struct mica_packer;
struct mica_build_opts;
struct mica_packer_stats;
struct mica_outfile;
struct mica_spool;
struct mica_verify;

/* Everything is borrowed. Data is written from out's position on. */
int mica_packer_new(const struct mica_build_opts *opts, struct mica_outfile *out,
		    struct mica_spool *spool, struct mica_packer **result, struct mica_err *err);
void mica_packer_free(struct mica_packer *p);

/* Contents that come from now on are shown to v, too; borrowed. */
void mica_packer_watch(struct mica_packer *p, struct mica_verify *v);

/* After mica_packer_flush(). */
void mica_packer_result(const struct mica_packer *p, struct mica_packer_stats *stats);

/*
 * Start a regular file of size bytes. runs: its declared data runs, NULL when
 * none are declared. inode must live until the packer is freed, and has its xattrs set.
 * path: what the rules of compression are about; not kept
 */
int mica_packer_begin(struct mica_packer *p, struct mica_tinode *inode, const char *path,
		      uint64_t size, const struct mica_run *runs, size_t run_count,
		      struct mica_err *err);
int mica_packer_write(struct mica_packer *p, const void *buf, size_t len, struct mica_err *err);
int mica_packer_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err);
/* Fails when more or fewer than size bytes came. */
int mica_packer_end(struct mica_packer *p, struct mica_err *err);

/* A symlink's target (1..4095 bytes). */
int mica_packer_symlink(struct mica_packer *p, struct mica_tinode *inode, const char *target,
			size_t len, struct mica_err *err);

/*
 * Content that is stored elsewhere already: what comes later and is the same refers to
 * it. To be told before any other file. begin says how a file of size bytes is to be
 * told: true: its bytes in order, then end; false: extent by extent.
 */
int mica_packer_known_begin(struct mica_packer *p, const char *path, uint64_t size, bool *bytes,
			    struct mica_err *err);
int mica_packer_known_write(struct mica_packer *p, const void *buf, size_t len,
			    struct mica_err *err);
/* The same for zeros; whole clusters of them cost nothing. */
int mica_packer_known_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err);
/* inode: its data says where; it has no mode, and must live until the packer is freed. */
int mica_packer_known_end(struct mica_packer *p, const struct mica_tinode *inode,
			  struct mica_err *err);
/* decoded: the x->llen bytes that extent x of some file holds. */
int mica_packer_known_extent(struct mica_packer *p, const struct mica_pext *x,
			     const unsigned char *decoded, struct mica_err *err);
/*
 * len bytes from offset la of some file on, which are stored as they are, from
 * byte pstart of dev on. They end with the file, or at a multiple of
 * mica_packer_known_slab().
 */
int mica_packer_known_plain(struct mica_packer *p, uint16_t dev, uint64_t pstart,
			    const unsigned char *bytes, uint32_t len, struct mica_err *err);
uint32_t mica_packer_known_slab(const struct mica_packer *p);
/* The algorithms of extents that files may share: 1 << enum erofs_alg. */
unsigned int mica_packer_known_algs(const struct mica_packer *p);
/* The list that the packed inode begins with: size bytes of fragments that were told. */
struct mica_extlist *mica_packer_known_packed(struct mica_packer *p, uint64_t size);

/* After mica_packer_flush(): the packed inode, NULL when nothing is in one. Borrowed. */
struct mica_tinode *mica_packer_packed(struct mica_packer *p);

/* Wait until all that was given is written and every inode->data is final. */
int mica_packer_flush(struct mica_packer *p, struct mica_err *err);

/*
 * Scratch space that needs no memory: raw bytes that wait for later in an
 * unlinked file beside the target. Offsets are the caller's to remember.
 */
int mica_packer_scratch_write(struct mica_packer *p, const void *buf, size_t len, uint64_t *off,
			      struct mica_err *err);
int mica_packer_scratch_read(struct mica_packer *p, void *buf, size_t len, uint64_t off,
			     struct mica_err *err);

#endif
