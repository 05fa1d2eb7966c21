/* SPDX-License-Identifier: MIT */
/*
 * Finds long runs of bytes that came before, farther away than a compressor looks back.
 * Content comes as chunks that are cut by itself; a run is chunks that follow each other
 * just as they did the first time.
 */
#ifndef MICA_MKIMAGE_REPEATS_H
#define MICA_MKIMAGE_REPEATS_H

#include <stddef.h>
#include <stdint.h>

#include "../lib/err.h"
#include "dedupe.h"

/* The len bytes from at on are those from from on, which end before at. */
struct mica_repeat {
	uint64_t at, from, len;
};

struct mica_repeats;

/*
 * memory: bytes that may be used; what comes when they are full is compared, but not
 * remembered. least: bytes of a run that is worth it. near: one that ends within so many
 * bytes behind the beginning of what it repeats is none.
 */
int mica_repeats_new(uint64_t memory, uint64_t least, uint64_t near, struct mica_repeats **out,
		     struct mica_err *err);
void mica_repeats_free(struct mica_repeats *r);

/* The next chunk: digest of its len bytes, which are at at. Places grow. */
int mica_repeats_add(struct mica_repeats *r, const uint8_t digest[MICA_DIGEST], uint64_t at,
		     uint32_t len, struct mica_err *err);

/* No run goes on over this place. */
int mica_repeats_break(struct mica_repeats *r, struct mica_err *err);

/* What was found so far, in the order of its places; the caller's to free. */
struct mica_repeat *mica_repeats_take(struct mica_repeats *r, uint32_t *count);

#endif
