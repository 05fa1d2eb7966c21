/* SPDX-License-Identifier: MIT */
/*
 * Inside the packer. A file takes one of four routes:
 *
 *   pieces (packer.c): cut by offset; hashed, compressed, and taken back when the
 *     whole file was there already. What no extent can be shared with: everything
 *     before 6.1, and what is not compressed.
 *   hoard (packer_hoard.c): small files and tails wait in memory, are hashed and
 *     looked at in parallel, then laid out by likeness and cut into segments of
 *     the packed inode.
 *   pile (packer_pile.c): the same for clusters that are so large that their encoded
 *     bytes may exceed a kernel's limit: files of any size wait on disk until all of them
 *     are there, and segments are encoded as so many extents as it takes.
 *   large (packer_large.c): files of a cluster or more; cut by content in
 *     parallel, compared with what is stored in stream order, and only what is
 *     new is compressed.
 *
 * All jobs go through one pipe: the workers (packer_work.c) run them in parallel,
 * the back (packer_store.c) stores their results in the order of submission.
 */
#ifndef MICA_MKIMAGE_PACKER_INT_H
#define MICA_MKIMAGE_PACKER_INT_H

#include <pthread.h>

#include "../lib/codec.h"
#include "../lib/keyhash.h"
#include "../lib/pipe.h"
#include "blockindex.h"
#include "build.h"
#include "data.h"
#include "dedupe.h"
#include "extindex.h"
#include "extlist.h"
#include "gear.h"
#include "hoard.h"
#include "likeness.h"
#include "outfile.h"
#include "packer.h"
#include "repeats.h"
#include "rules.h"

#define MICA_ZERO_EXTENT (4u << 20) /* decoded bytes of one pcluster of zeros */

/* Shorter clusters leave no room for chunks to choose from: no large route. */
#define PACKER_LARGE_CLUSTER (64u << 10)

enum piece_mode {
	PIECE_COMPRESS,
	PIECE_RAW, /* blocks as they are, zero blocks left out */
};

/* How files are compressed that have one number of the rules. */
struct packer_setting {
	struct mica_compression how; /* cluster: of what is no segment of several extents */
	uint32_t extent;	     /* decoded bytes of an extent of such a segment; 0: none is */
	uint8_t number;
	bool slow; /* what looks like noise is compressed as quick says, if at all */
	struct mica_codec_spec quick;
	bool shares;	     /* extents of its algorithm can be in one file with those of others */
	uint32_t extent_max; /* bytes of a file that become one extent at most */
	struct mica_gear gear;
};

/* At most one cluster of a file, or a run of whole clusters of zeros. */
struct piece {
	struct mica_tinode *inode;
	uint64_t zeros;		   /* != 0: this many zero bytes and nothing else */
	uint32_t in_off, in_len;   /* in batch->in */
	uint32_t out_off, out_len; /* in batch->out; out_len 0: not compressed */
	uint64_t chunk;		   /* PIECE_RAW: bytes that are stored or left out together */
	bool first, last;	   /* of its file */
	enum piece_mode mode;
	uint8_t setting;
	uint8_t digest[MICA_DIGEST]; /* finds equal contents */
};

enum job_kind {
	JOB_BATCH,   /* pieces of files */
	JOB_HOARD,   /* look at files that came into the hoard */
	JOB_SEGMENT, /* compress and store a segment of the packed inode */
	JOB_REPEAT,  /* refer to extents of the packed inode in its place */
	JOB_SLAB,    /* look at a part of a large file */
	JOB_EXTENTS, /* compress and store extents of a large file */
	JOB_KINDS
};

/* First member of every job. */
struct job {
	enum job_kind kind;
};

struct batch {
	struct job job;
	struct batch *next_free;
	unsigned char *in, *out;
	uint32_t in_len, out_len;
	struct piece *pieces;
	unsigned int count;
};

#define BATCH_PIECES 256

/* Files first..end of the hoard. */
struct hoard_look {
	struct job job;
	struct mica_hoard *hoard;
	uint32_t first, end;
};

struct segment_part {
	uint64_t off; /* in the hoard; SEGMENT_ZEROS: nowhere */
	uint32_t len;
};

#define SEGMENT_ZEROS UINT64_MAX

/* A segment of the pile has so many extents of the cluster's size, or more of fewer bytes. */
#define PACKER_SEGMENT_EXTENTS 8u

/* A kernel takes 1 MiB of encoded pages, and an extent may begin inside the first one. */
#define PACKER_ENCODED_MAX (EROFS_PCLUSTER_MAX - MICA_BLOCK)

/* One extent of a segment. */
struct segment_cut {
	uint32_t len, out_len; /* out_len 0: plain */
};

/* Bytes of the hoard that are compressed as one extent, or as several. */
struct segment {
	struct job job;
	struct segment *next_free;
	const struct mica_hoard *hoard;
	struct segment_part *parts;
	uint32_t count, cap;
	uint8_t setting;
	uint64_t la; /* in the packed inode */
	uint32_t len;
	bool several;	 /* extents */
	bool last;	 /* of the packed inode */
	bool encode;	 /* even if that does not pay */
	bool plain_fits; /* may be stored plain */
	unsigned char *in, *out;
	uint32_t room; /* for so many bytes, and in out for what encoding may add */
	struct segment_cut *cuts;
	uint32_t cut_count, cut_cap;
};

/* What a worker found at the beginning of a slab, or behind the chunk before. */
struct chunk {
	uint32_t len;
	bool zeros;
	bool dense; /* what it is in does not look as if it could be compressed */
	uint8_t digest[MICA_DIGEST];
};

/* Bytes of the packed inode that are further in front in it as well. */
struct repeat_job {
	struct job job;
	struct mica_repeat what;
};

/* A part of a large file. */
struct slab {
	struct job job;
	struct slab *next; /* in the queue, or free */
	struct mica_tinode *inode;
	uint64_t la;	/* in the file */
	uint64_t zeros; /* != 0: so many zero bytes and nothing else */
	unsigned char *data;
	uint32_t len;
	bool first, last; /* of its file */
	uint8_t setting;
	struct chunk *chunks;
	uint32_t chunk_count;
	unsigned long ticket; /* jobs up to its own */
	unsigned int users;   /* jobs that need data; under free_lock */
};

/* One extent of a large file, or a run of zeros. */
struct extent {
	uint64_t zeros;
	uint64_t la;
	uint32_t off, len; /* in the slab; decoded bytes */
	uint32_t ref;	   /* number of the extent that it shares, MICA_EXT_NONE: it is new */
	bool first, last, plain_fits;
	bool known; /* others may share it */
	unsigned char *out;
	uint32_t out_len; /* 0: plain */
};

#define EXTENTS_MAX 16

/* Extents of one slab, at most one of them new. */
struct extents {
	struct job job;
	struct extents *next_free;
	struct slab *slab;
	struct extent v[EXTENTS_MAX];
	unsigned int count;
	unsigned char *out;
};

/* Where a stored extent lies, by its number. */
struct placed {
	uint64_t pstart;
	uint32_t plen, llen;
	int alg;
	uint16_t dev;
};

/* The file that is being stored. */
struct store_file {
	struct mica_extlist exts;
	uint64_t origin;       /* position before the file */
	uint64_t start;	       /* position of its first stored byte in the image */
	uint64_t zeros;	       /* zeros that came last and are not stored yet */
	uint64_t digest_zeros; /* zeros that came last and are not in the digest yet */
	uint64_t done;	       /* bytes stored or left out, without .zeros */
	uint8_t setting;
	bool any_encoded; /* one of the extents is compressed */
	bool any_hole;
	uint64_t repeats;    /* bytes in blocks that were stored before */
	uint64_t shared;     /* of them, bytes that are not stored again */
	uint32_t index_mark; /* blocks in the index before the file */
	unsigned char tail[MICA_BLOCK];
	uint32_t tail_len;
	bool tail_encoded;
};

/* Content of a base that the packer is told of. */
struct packer_known {
	unsigned char *buf;	/* a cluster; NULL: nothing was told yet */
	unsigned char *digests; /* of its blocks */
	uint32_t fill;
	uint64_t zeros; /* that came last and are not in the digest yet */
	struct mica_keyhash *piece, *file;
	bool first; /* no piece came yet */
};

struct packer_worker {
	/* each made when it is needed first */
	struct mica_codec *codecs[MICA_COMPRESSIONS_MAX], *quick[MICA_COMPRESSIONS_MAX], *probe;
	struct mica_keyhash *hash;
};

/* A run of zeros, encoded: the last one of each setting is kept. */
struct zero_run {
	struct mica_codec *codec;
	unsigned char *out;
	uint64_t len;
	long out_len;
};

enum route {
	ROUTE_PIECES,
	ROUTE_HOARD,
	ROUTE_PILE,
	ROUTE_LARGE,
};

/* The hoard route. Two hoards: one fills up while the other one is looked at, and stored. */
struct packer_hoard {
	struct mica_hoard hoards[2];
	unsigned long tickets[2]; /* of each: jobs up to the last one that reads it */
	struct mica_hoard *cur;
	struct mica_hoard *full; /* waits to be emptied; NULL: none does */
	uint32_t looked;	 /* files of cur that a worker was told to look at */
	uint64_t size;		 /* bytes of the packed inode so far */
	uint64_t start;		 /* of them, those that bases have */
	bool used;		 /* some file needs the packed inode */
	struct segment *seg;	 /* being gathered */
	struct segment *free;	 /* under free_lock */
};

/* An extent of the packed inode. */
struct packed_extent {
	uint64_t la;
	uint32_t len; /* less than at.llen: the beginning of what lies there */
	struct placed at;
};

/* Long runs of the pile's bytes that are not stored again. */
struct packer_repeats {
	/* front: in order; which is next, and the places where one must be able to begin */
	struct mica_repeat *v;
	uint64_t *starts;
	uint32_t count, next, next_start;
	/* back: what was stored since there were some */
	struct packed_extent *exts;
	uint32_t ext_count, ext_cap;
};

/* The pile. */
struct packer_pile {
	struct mica_hoard hoard; /* its bytes are in the spool; no files: there is no pile */
	struct mica_spool *spool;
	/* of the file that comes */
	struct mica_keyhash *hash;
	struct mica_likeness *likeness;
	struct packer_repeats repeats;
	unsigned char head[MICA_SKETCH_MAX];
	uint32_t head_len;
};

/* A file of the order that waits for its place. */
struct later_file {
	struct mica_tinode *inode;
	const struct packer_setting *set;
	uint64_t off, size; /* bytes, in the spool */
	uint32_t place;
	size_t number; /* files that came before */
};

struct packer_later {
	struct mica_spool *spool; /* NULL: none came yet */
	struct later_file *files; /* owned */
	size_t count, cap;
	bool waits; /* the file that comes is one of them */
	bool now;   /* all others are stored */
};

/* The large route. */
struct packer_large {
	struct slab *slab;	    /* being filled */
	struct slab *queue, **tail; /* looked at or about to be, in stream order */
	unsigned int queued, keep;  /* keep: so many may wait in the queue */
	uint32_t slab_size;
	struct mica_extindex *index;
	struct extents *job;	   /* being gathered */
	struct slab *free_slabs;   /* under free_lock */
	struct extents *free_jobs; /* under free_lock */
	/* of the file that is planned */
	uint64_t head; /* where its last extent begins */
	bool full;     /* it shares extents that the compact index cannot say */
};

/* Uncompressed files: the blocks of the piece that is being stored. */
struct packer_chunks {
	struct mica_blockindex *index;
	const unsigned char *digests;
	uint32_t *at; /* where each lies already, MICA_BLOCKINDEX_NONE: it has to be stored */
	uint32_t count;
};

struct mica_packer {
	const struct mica_build_opts *opts;
	struct mica_outfile *out;
	struct mica_spool *spool;
	struct mica_dedupe *dedupe;
	uint8_t hash_key[MICA_KEYHASH_KEY];
	struct mica_pipe *pipe;
	struct packer_worker *workers;
	unsigned int worker_count;
	struct packer_setting *settings;
	unsigned int setting_count;
	uint32_t cluster_max, extent_max; /* of all settings */
	uint32_t pile_extent;		  /* the largest of a segment of several; 0: none is */
	uint32_t batch_size;		  /* bytes of batch->in and batch->out */
	uint64_t data_start;		  /* of the image, where the packer began */

	/* front */
	struct mica_verify *verify; /* borrowed; NULL: nobody watches */
	struct batch *batch;	    /* being filled */
	struct mica_tinode *inode;
	const struct packer_setting *set; /* of that inode */
	bool sparse;			  /* much of it is holes */
	uint64_t size, fed;
	uint64_t bytes_in, bytes_dup; /* dup: of the hoard and of large files */
	uint32_t piece_len;	      /* bytes of the piece being filled, 0: none begun */
	uint32_t piece_fill;
	uint64_t chunk;
	uint64_t bytes_data, bytes_holes; /* declared so far, where holes cost; what they cost */
	enum piece_mode mode;
	enum route route;
	uint64_t tail_from; /* bytes from here on go into the hoard */
	uint64_t plan_end;  /* where the slab that is planned ends in its file */
	struct packer_hoard hoard;
	struct packer_pile pile;
	struct packer_later later;
	struct packer_large large;
	struct packer_known known;
	pthread_mutex_t free_lock;
	struct batch *free_batches;

	/* back; only in pipe->finish */
	struct store_file file, big, packed; /* one for each route */
	struct store_file *cur;
	struct packer_chunks chunks;
	struct mica_tinode packed_inode;
	struct placed *placed;
	uint32_t placed_count, placed_cap;
	struct mica_keyhash *file_hash; /* digest of the file's pieces */
	unsigned char *zero_buf;	/* MICA_ZERO_EXTENT of zeros */
	struct zero_run *zero_runs;	/* by setting */
	struct mica_packer_stats stats;
};

int packer_settings_init(struct mica_packer *p, struct mica_err *err);
void packer_settings_free(struct mica_packer *p);

int packer_work(void *ctx, unsigned int worker, void *job, struct mica_err *err);
int packer_store(void *ctx, void *job, struct mica_err *err);

/* In order and inside the file: what follows counts on it. */
int packer_runs_check(const struct mica_run *runs, size_t count, uint64_t size,
		      struct mica_err *err);
/*
 * The chunk size where declared holes pay, else 0; only where they cost something.
 * MICA_E_LIMIT when they would cost too much.
 */
int packer_holes_plan(struct mica_packer *p, const struct mica_run *runs, size_t count,
		      uint64_t size, uint64_t *chunk, struct mica_err *err);
/* How the content of a path is compressed. */
int packer_choose(struct mica_packer *p, const char *path, struct mica_err *err);
/* And its way, by its size; sparse: bytes of its chunks when it is stored as such. */
void packer_route(struct mica_packer *p, uint64_t size, uint64_t sparse);

/* Bytes (buf NULL: zeros) of the file that was begun, by its route. */
int packer_content(struct mica_packer *p, const unsigned char *buf, uint64_t len,
		   struct mica_err *err);

/*
 * Files that have a place in an order: begin decides whether the one that begins does
 * (later.waits), and store puts them behind all others.
 */
int packer_later_begin(struct mica_packer *p, const char *path, struct mica_err *err);
int packer_later_add(struct mica_packer *p, const void *buf, uint64_t len, struct mica_err *err);
int packer_later_store(struct mica_packer *p, struct mica_err *err);
void packer_later_free(struct mica_packer *p);

/* What a base has: nothing is stored for it. */
static inline bool packer_twin_is_known(const struct mica_tinode *twin)
{
	return !twin->mode;
}
void packer_known_free(struct mica_packer *p);
/* A file has the same content as twin, which is of a base. */
void packer_known_use(struct mica_packer *p, const struct mica_tinode *twin);
bool packer_piece_is_zeros(const struct mica_packer *p, uint32_t cluster, bool first,
			   const unsigned char *in, uint32_t len);
/* The digest that a file of the hoard is found by; begin: what comes before its bytes. */
void packer_hoard_digest_begin(struct mica_keyhash *h);
int packer_hoard_digest(struct mica_keyhash *h, const unsigned char *data, uint32_t len,
			uint8_t out[MICA_DIGEST], struct mica_err *err);
/* An extent that files may share; its number is that of mica_extindex_begin(). */
int packer_placed_push(struct mica_packer *p, struct placed at, struct mica_err *err);

/* What is before it in stream order goes first. Takes over the job. */
int packer_submit(struct mica_packer *p, void *job, struct mica_err *err);

/* Hoard: init, one file's bytes (buf NULL: zeros), and all that waits. */
int packer_hoard_init(struct mica_packer *p, struct mica_err *err);
void packer_hoard_free(struct mica_packer *p);
int packer_hoard_begin(struct mica_packer *p, uint64_t len, struct mica_err *err);
void packer_hoard_add(struct mica_packer *p, const void *buf, size_t len);
int packer_hoard_end(struct mica_packer *p, struct mica_err *err);
/* last: nothing comes behind it; else the route is as it was at first. */
int packer_hoard_flush(struct mica_packer *p, bool last, struct mica_err *err);
int packer_hoard_look(struct mica_packer *p, struct packer_worker *w, struct hoard_look *look,
		      struct mica_err *err);
int packer_segment_work(struct mica_packer *p, struct packer_worker *w, struct segment *s,
			struct mica_err *err);
int packer_segment_store(struct mica_packer *p, struct segment *s, struct mica_err *err);
void packer_segment_release(struct mica_packer *p, struct segment *s);
/* After the last segment: the packed inode is whole. */
int packer_packed_publish(struct mica_packer *p, struct mica_err *err);

/* The pile: the same. */
int packer_pile_init(struct mica_packer *p, struct mica_err *err);
void packer_pile_free(struct mica_packer *p);
int packer_pile_begin(struct mica_packer *p, struct mica_err *err);
int packer_pile_add(struct mica_packer *p, const void *buf, uint64_t len, struct mica_err *err);
int packer_pile_end(struct mica_packer *p, struct mica_err *err);
/* Chain its files in the order in which they are to be stored. */
int packer_pile_order(struct mica_packer *p, uint32_t *first, struct mica_err *err);
/* Everything in it leaves for the packed inode; last: nothing comes behind it. */
int packer_pile_flush(struct mica_packer *p, bool last, struct mica_err *err);
/* Threads that leave the memory that may be used for the rest, when each has a segment. */
unsigned int packer_pile_jobs(const struct mica_packer *p);
/* All files that wait in h become parts of the packed inode. */
int packer_hoard_store(struct mica_packer *p, struct mica_hoard *h, bool last,
		       struct mica_err *err);

/*
 * What of the pile is there twice, once it is in order from first on; its bytes will be
 * behind those of the packed inode.
 */
int packer_repeats_plan(struct mica_packer *p, struct mica_hoard *h, uint32_t first,
			struct mica_err *err);
void packer_repeats_clear(struct mica_packer *p);
/*
 * Of the next len bytes of the packed inode those that are alike: *repeat: what they are
 * the same as, or NULL. *begins: a segment has to begin here.
 */
uint32_t packer_repeats_next(struct mica_packer *p, uint32_t len, const struct mica_repeat **repeat,
			     bool *begins);
/* A segment's extent, stored. */
int packer_repeats_stored(struct mica_packer *p, uint64_t la, const struct placed *at,
			  struct mica_err *err);
int packer_repeat_store(struct mica_packer *p, const struct mica_repeat *r, struct mica_err *err);

/* Large files: the same. */
int packer_large_init(struct mica_packer *p, struct mica_err *err);
void packer_large_free(struct mica_packer *p);
int packer_large_write(struct mica_packer *p, const void *buf, size_t len, struct mica_err *err);
int packer_large_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err);
int packer_large_flush(struct mica_packer *p, struct mica_err *err);
int packer_slab_look(struct mica_packer *p, struct packer_worker *w, struct slab *s,
		     struct mica_err *err);
int packer_extents_work(struct mica_packer *p, struct packer_worker *w, struct extents *x,
			struct mica_err *err);
int packer_extents_store(struct mica_packer *p, struct extents *x, struct mica_err *err);
void packer_extents_release(struct mica_packer *p, struct extents *x);
/* Slabs in the queue become extents, until at most keep of them are left. */
int packer_large_plan(struct mica_packer *p, unsigned int keep, struct mica_err *err);

/*
 * Whether an extent can be stored plain: as stored blocks, one for each block of the file
 * that begins in it; from 6.15 on always.
 */
bool packer_plain_fits(const struct mica_packer *p, uint64_t la, uint64_t len, bool last);
/* The most bytes of a file that become one extent, which is about a cluster. */
uint32_t packer_extent_max(const struct mica_compat *compat, uint32_t cluster);
/* Room for an encoded extent that must not be plain, however little it shrinks. */
size_t packer_encoded_room(uint32_t len);
/* The worker's compressor for a setting, or for its noise; not for none. */
int packer_codec(struct mica_packer *p, struct packer_worker *w, unsigned int setting, bool noise,
		 struct mica_codec **out, struct mica_err *err);
/*
 * Whether these bytes look as if they were compressed or encrypted: their values differ
 * in frequency by one part of most at most, as a mean square.
 */
bool packer_looks_dense(const unsigned char *p, size_t len, unsigned int most);
/* Whether spec is so slow that noise should be found before; quick: what is good for it. */
bool packer_quick_find(const struct mica_codec_spec *spec, struct mica_codec_spec *quick);
/* *noise: the setting's compressor would take long and gain nothing. scratch: len bytes. */
int packer_probe(struct mica_packer *p, struct packer_worker *w, unsigned int setting,
		 const void *in, uint32_t len, unsigned char *scratch, bool *noise,
		 struct mica_err *err);
/* Compress, or *out_len 0: store it plain. */
int packer_encode(struct mica_packer *p, struct packer_worker *w, unsigned int setting,
		  bool plain_fits, const void *in, uint32_t len, unsigned char *out,
		  uint32_t *out_len, struct mica_err *err);
/* Encoded bytes, or (out_len 0) plain ones, as the next extent of p->cur. */
int packer_extent_write(struct mica_packer *p, unsigned int setting, const unsigned char *in,
			uint32_t len, const unsigned char *out, uint32_t out_len, struct placed *at,
			struct mica_err *err);
/* Whether what was compressed is worth it. */
bool packer_encoding_pays(const struct mica_packer *p, uint32_t len, uint32_t out_len);
/* p->cur is whole: what inode->data says of it. */
int packer_file_publish(struct mica_packer *p, enum piece_mode mode, struct mica_tinode *inode,
			struct mica_err *err);

/* Blocks of uncompressed files: what workers do, with the digests in b->out. */
int packer_chunks_init(struct mica_packer *p, struct mica_err *err);
void packer_chunks_free(struct mica_packer *p);
/* digests: room for one for each block */
int packer_chunks_digest(const struct mica_packer *p, struct mica_keyhash *h, struct piece *piece,
			 const unsigned char *in, unsigned char *digests, struct mica_err *err);
int packer_chunks_hash(const struct mica_packer *p, struct packer_worker *w, struct batch *b,
		       struct piece *piece, struct mica_err *err);
/* What of a piece is shared; asked for by the position in it, MICA_BLOCKINDEX_NONE: not this. */
void packer_chunks_plan(struct mica_packer *p, const struct piece *piece,
			const unsigned char *digests);
uint32_t packer_chunks_at(const struct mica_packer *p, uint32_t pos);
/* These bytes of the piece are at start in the image now. */
int packer_chunks_stored(struct mica_packer *p, uint32_t pos, uint32_t len, uint64_t start,
			 struct mica_err *err);

/*
 * A file's digest is that of its mode and of its pieces' digests. Start, add,
 * and both in one step for a file that is a single piece.
 */
void packer_digest_begin(struct mica_keyhash *h, const struct piece *first);
void packer_digest_zeros(struct mica_keyhash *h, uint64_t zeros);
int packer_digest_single(struct mica_keyhash *h, const struct piece *piece,
			 uint8_t out[MICA_DIGEST], struct mica_err *err);

bool packer_all_zero(const unsigned char *p, size_t len);

/* The next extent of the file that is being stored. */
int packer_ext_add(struct mica_packer *p, uint64_t llen, uint64_t pstart, uint32_t plen, int alg,
		   struct mica_err *err);
int packer_align(struct mica_packer *p, struct mica_err *err);

/* The two ways to store a piece of in; both keep file->done up to date. */
int packer_store_raw(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
		     const unsigned char *digests, struct mica_err *err);
int packer_store_cluster(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
			 const unsigned char *out, struct mica_err *err);
/* After the last piece: zeros at the end, what is left of the last block. */
int packer_end_raw(struct mica_packer *p, const struct piece *last, struct mica_err *err);
int packer_end_clusters(struct mica_packer *p, const struct mica_tinode *inode,
			struct mica_err *err);
/* An encoded extent of plen bytes belongs to p->cur. */
void packer_note_pcluster(struct mica_packer *p, enum erofs_alg alg, uint32_t plen);
/* p->cur is that of a new file. */
void packer_file_begin(struct mica_packer *p, unsigned int setting);
/* Zeros that wait in file->zeros become extents. */
int packer_flush_zeros(struct mica_packer *p, struct mica_err *err);

#endif
