/* SPDX-License-Identifier: MIT */
/*
 * Inside the packer. Its three parts: the front (packer.c) cuts files into
 * pieces and gathers them into batches; the workers (packer_work.c) hash and
 * compress batches in parallel; the back (packer_store.c) stores pieces in
 * stream order, one at a time.
 */
#ifndef MICA_MKIMAGE_PACKER_INT_H
#define MICA_MKIMAGE_PACKER_INT_H

#include <pthread.h>

#include "../lib/codec.h"
#include "../lib/keyhash.h"
#include "../lib/pipe.h"
#include "build.h"
#include "data.h"
#include "dedupe.h"
#include "extlist.h"
#include "outfile.h"
#include "packer.h"

#define MICA_ZERO_EXTENT (4u << 20) /* decoded bytes of one pcluster of zeros */

enum piece_mode {
	PIECE_COMPRESS,
	PIECE_RAW, /* blocks as they are, zero blocks left out */
};

/* At most one cluster of a file, or a run of whole clusters of zeros. */
struct piece {
	struct mica_tinode *inode;
	uint64_t zeros;		   /* != 0: this many zero bytes and nothing else */
	uint32_t in_off, in_len;   /* in batch->in */
	uint32_t out_off, out_len; /* in batch->out; out_len 0: not compressed */
	uint32_t chunk;		   /* PIECE_RAW: bytes that are stored or left out together */
	bool first, last;	   /* of its file */
	enum piece_mode mode;
	uint8_t digest[MICA_DIGEST]; /* finds equal contents */
};

struct batch {
	struct batch *next_free;
	unsigned char *in, *out;
	uint32_t in_len, out_len;
	struct piece *pieces;
	unsigned int count;
};

#define BATCH_PIECES 256

/* The file that is being stored. */
struct store_file {
	struct mica_extlist exts;
	uint64_t origin;       /* position before the file */
	uint64_t start;	       /* position of its first stored byte in the image */
	uint64_t zeros;	       /* zeros that came last and are not stored yet */
	uint64_t digest_zeros; /* zeros that came last and are not in the digest yet */
	uint64_t done;	       /* bytes stored or left out, without .zeros */
	bool any_encoded;      /* one of the extents is compressed */
	bool any_hole;
	unsigned char tail[MICA_BLOCK];
	uint32_t tail_len;
	bool tail_encoded;
};

struct packer_worker {
	struct mica_codec *codec; /* NULL with -z none */
	struct mica_keyhash *hash;
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
	uint32_t batch_size; /* bytes of batch->in and batch->out */

	/* front */
	struct mica_verify *verify; /* borrowed; NULL: nobody watches */
	struct batch *batch;	    /* being filled */
	struct mica_tinode *inode;
	uint64_t size, fed;
	uint32_t piece_len; /* bytes of the piece being filled, 0: none begun */
	uint32_t piece_fill;
	uint32_t chunk;
	enum piece_mode mode;
	pthread_mutex_t free_lock;
	struct batch *free_batches;

	/* back; only in pipe->finish */
	struct store_file file;
	struct mica_keyhash *file_hash; /* digest of the file's pieces */
	struct mica_codec *zero_codec;
	unsigned char *zero_buf, *zero_out; /* MICA_ZERO_EXTENT of zeros and their encoding */
	uint64_t zero_len;		    /* what zero_out encodes */
	long zero_out_len;
	struct mica_packer_stats stats;
};

int packer_work(void *ctx, unsigned int worker, void *job, struct mica_err *err);
int packer_store(void *ctx, void *job, struct mica_err *err);

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
		     struct mica_err *err);
int packer_store_cluster(struct mica_packer *p, const struct piece *piece, const unsigned char *in,
			 const unsigned char *out, struct mica_err *err);
/* After the last piece: zeros at the end, what is left of the last block. */
int packer_end_raw(struct mica_packer *p, const struct piece *last, struct mica_err *err);
int packer_end_clusters(struct mica_packer *p, struct mica_err *err);
/* Zeros that wait in file->zeros become extents. */
int packer_flush_zeros(struct mica_packer *p, struct mica_err *err);

#endif
