/* SPDX-License-Identifier: MIT */
/*
 * In which order files are read. A tree is mostly read in the order in which the
 * kernel was told of its files: so that order is remembered, and a reader who
 * follows it gets a window of the files that come next.
 *
 * What is at hand already is not asked for, so one file in each window, the wire, is
 * left to be asked for: its read tells that the window is being used up. A reader who
 * passes by the wire does not read all files, and gets no more windows.
 *
 * Not thread-safe.
 */
#ifndef MICA_MOUNT_ORDER_H
#define MICA_MOUNT_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/err.h"

struct mica_order;

struct mica_order_file {
	uint64_t nid;
	uint64_t size; /* bytes */
};

/* Files of more than small bytes count as that many: only their start is fetched ahead. */
int mica_order_new(uint64_t small, uint64_t window_bytes, struct mica_order **out,
		   struct mica_err *err);
void mica_order_free(struct mica_order *order);

/* The kernel was told of a file; listed: with its directory, else alone. */
void mica_order_named(struct mica_order *order, uint64_t nid, uint64_t size, bool listed);

/* A file is being read from its start. True: there are files to take. */
bool mica_order_read(struct mica_order *order, uint64_t nid);

/* Up to max files of one window, to be fetched; 0: there are none. */
unsigned int mica_order_take(struct mica_order *order, struct mica_order_file *files,
			     unsigned int max);

#endif
