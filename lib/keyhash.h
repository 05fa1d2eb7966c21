/* SPDX-License-Identifier: MIT */
/*
 * A keyed 128-bit hash (GMAC, that is AES-GCM's universal hash) for finding
 * equal contents inside one process. The key is random and the values leave
 * the process in no form, so nobody can prepare a collision; it is ten times as
 * fast as SHA-256. Values differ from run to run: never store or order by them.
 */
#ifndef MICA_LIB_KEYHASH_H
#define MICA_LIB_KEYHASH_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define MICA_KEYHASH_LEN 16
#define MICA_KEYHASH_KEY 16

struct mica_keyhash; /* one running hash; reusable; one thread at a time */

/* A fresh random key. */
int mica_keyhash_key(uint8_t key[MICA_KEYHASH_KEY], struct mica_err *err);
/* Hashes under the same key are comparable. */
int mica_keyhash_new(const uint8_t key[MICA_KEYHASH_KEY], struct mica_keyhash **out,
		     struct mica_err *err);
/* A failure inside the library is kept until mica_keyhash_end(). */
void mica_keyhash_begin(struct mica_keyhash *h);
void mica_keyhash_add(struct mica_keyhash *h, const void *buf, size_t len);
int mica_keyhash_end(struct mica_keyhash *h, uint8_t out[MICA_KEYHASH_LEN], struct mica_err *err);
void mica_keyhash_free(struct mica_keyhash *h);

#endif
