/* SPDX-License-Identifier: MIT */
/*
 * The xattrs of the image that is being built: each (name, value) pair is kept
 * once, each set of pairs once. Values wait in the spool, not in memory.
 */
#ifndef MICA_MKIMAGE_XATTRS_H
#define MICA_MKIMAGE_XATTRS_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/err.h"
#include "source.h"

struct mica_xattrs;
struct mica_pool;
struct mica_spool;
struct mica_outlet;

/* The number of an inode's shared attributes has 8 bits. */
#define MICA_XATTRS_SHARED_MAX 255u
/* Bytes of the area behind an inode: 16 bits for (bytes - 12) / 4 + 1. */
#define MICA_XATTRS_BYTES_MAX ((UINT16_MAX - 1u) * 4u + 12u)

/* spool is borrowed. */
int mica_xattrs_new(struct mica_spool *spool, struct mica_xattrs **out, struct mica_err *err);
void mica_xattrs_free(struct mica_xattrs *xattrs);

/*
 * Why EROFS cannot hold this attribute, or NULL when it can: unknown name
 * prefix, name too long or empty, value over 65,535 bytes.
 */
const char *mica_xattrs_refuse(const struct mica_kv *kv);

/*
 * A set of attributes that EROFS can hold, in any order, each name once.
 * *id: equal sets have equal ids; 0 is the empty set. MICA_E_LIMIT when the
 * set is larger than an inode can carry: more than MICA_XATTRS_SHARED_MAX, and more
 * than MICA_XATTRS_BYTES_MAX when none is shared.
 */
int mica_xattrs_intern(struct mica_xattrs *xattrs, const struct mica_kv *kvs, size_t count,
		       uint32_t *id, struct mica_err *err);

/* Whether set id is made of these, each name once, in any order. */
int mica_xattrs_equal(struct mica_xattrs *xattrs, uint32_t id, const struct mica_kv *kvs,
		      size_t count, bool *equal, struct mica_err *err);

/* The attributes of set id, by name, in pool. */
int mica_xattrs_list(struct mica_xattrs *xattrs, uint32_t id, struct mica_pool *pool,
		     struct mica_kv **kvs, size_t *count, struct mica_err *err);

/* One more inode carries this set. */
void mica_xattrs_ref(struct mica_xattrs *xattrs, uint32_t id);

/*
 * After the last ref: decide which attributes go to the shared area. *bytes:
 * the area's size.
 */
void mica_xattrs_place(struct mica_xattrs *xattrs, uint64_t *bytes);

/* Write the shared area. */
int mica_xattrs_write_shared(struct mica_xattrs *xattrs, const struct mica_outlet *to,
			     struct mica_err *err);

/* The inline area of an inode with this set: bytes (0 for set 0), and its content. */
uint32_t mica_xattrs_ibody_size(const struct mica_xattrs *xattrs, uint32_t id);
int mica_xattrs_ibody_encode(struct mica_xattrs *xattrs, uint32_t id, unsigned char *buf,
			     struct mica_err *err);

#endif
