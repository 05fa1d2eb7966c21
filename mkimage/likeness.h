/* SPDX-License-Identifier: MIT */
/*
 * An order of files in which like lies near like. What two files have in common is told
 * from samples of all of their bytes: those places whose rolling hash is below a bound,
 * so that a shifted copy gives the same samples. The bound goes down when there are too many.
 * Then each file is followed by the one that most of is in the bytes right before it: as
 * many as are compressed together. Decides what an image looks like.
 */
#ifndef MICA_MKIMAGE_LIKENESS_H
#define MICA_MKIMAGE_LIKENESS_H

#include <stdbool.h>

#include "gear.h"
#include "hoard.h"

struct mica_likeness;

/* memory: bytes that may be used, most of them while files are put in order. */
int mica_likeness_new(uint64_t memory, struct mica_likeness **out, struct mica_err *err);
void mica_likeness_free(struct mica_likeness *l);

/* Bytes of the file that comes; files are numbered from 0 in the order of their ends. */
int mica_likeness_add(struct mica_likeness *l, const struct mica_gear *gear, const void *buf,
		      size_t len, struct mica_err *err);

/* keep: false if it has nothing in common with any other one, whatever its samples say. */
int mica_likeness_end(struct mica_likeness *l, bool keep, struct mica_err *err);

/*
 * Chain the files of h that have no twin, as mica_hoard_order() does, in an order of
 * likeness within those of a kind and of a setting; where nothing is like, in the
 * order in which they are in h. Their .number says which one came when. window: bytes that
 * are compressed together.
 */
int mica_likeness_order(const struct mica_likeness *l, struct mica_hoard *h, uint64_t window,
			uint32_t *first, struct mica_err *err);

/* All files are forgotten, and numbers begin with 0. */
void mica_likeness_clear(struct mica_likeness *l);

#endif
