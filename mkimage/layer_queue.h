/* SPDX-License-Identifier: MIT */
/*
 * The sources of layers, topmost first, one after another; those that come next
 * are read and decompressed in the meantime.
 */
#ifndef MICA_MKIMAGE_LAYER_QUEUE_H
#define MICA_MKIMAGE_LAYER_QUEUE_H

#include "layers.h"

struct mica_layer_queue;

/*
 * Everything is borrowed. threads: how many layers may be decompressed at once.
 * memory: bytes that what waits may take.
 */
int mica_layer_queue_new(const struct mica_layer *layers, size_t count, unsigned int threads,
			 uint64_t memory, struct mica_report *report, struct mica_layer_queue **out,
			 struct mica_err *err);
void mica_layer_queue_free(struct mica_layer_queue *q);

/* 1: the next source, the caller's, but to be freed before the queue; 0: there are no more. */
int mica_layer_queue_next(struct mica_layer_queue *q, struct mica_source **out,
			  struct mica_err *err);

/* Start with layers to come, if there is room for more. To be called now and then. */
void mica_layer_queue_ahead(struct mica_layer_queue *q);

#endif
