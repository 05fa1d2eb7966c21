/* SPDX-License-Identifier: MIT */
#include "layer_queue.h"

#include "../lib/util.h"
#include "ahead.h"

#define OPEN_MAX_AHEAD 32u /* files that wait for their turn */
/* Of decompressed data that waits; more does not help fewer CPUs. */
#define MEMORY_EACH ((uint64_t)16 << 20)

struct mica_layer_queue {
	const struct mica_layer *layers;
	size_t left;	   /* layers that were not handed out */
	size_t next_ahead; /* [next_ahead, left) were looked at */
	struct mica_report *report;
	struct mica_ahead_pool *pool;
	struct mica_source **opened; /* for each layer; NULL: not, or handed out */
};

int mica_layer_queue_new(const struct mica_layer *layers, size_t count, unsigned int threads,
			 uint64_t memory, struct mica_report *report, struct mica_layer_queue **out,
			 struct mica_err *err)
{
	struct mica_layer_queue *q = calloc(1, sizeof(*q));
	int ret = 0;

	if (!q)
		return mica_err_nomem(err);
	q->layers = layers;
	q->left = q->next_ahead = count;
	q->report = report;
	q->opened = calloc(count + 1, sizeof(struct mica_source *));
	if (!q->opened)
		ret = mica_err_nomem(err);
	if (!ret)
		ret = mica_ahead_pool_new(mica_min(threads * MEMORY_EACH, memory), threads,
					  &q->pool, err);
	if (ret) {
		mica_layer_queue_free(q);
		return ret;
	}
	*out = q;
	return 0;
}

void mica_layer_queue_free(struct mica_layer_queue *q)
{
	if (!q)
		return;
	for (size_t i = 0; q->opened && i < q->left; i++)
		mica_source_free(q->opened[i]);
	free(q->opened);
	mica_ahead_pool_free(q->pool);
	free(q);
}

void mica_layer_queue_ahead(struct mica_layer_queue *q)
{
	struct mica_source **src;
	struct mica_err unsaid;

	while (q->next_ahead && q->left - q->next_ahead < OPEN_MAX_AHEAD &&
	       mica_ahead_pool_has_room(q->pool)) {
		const struct mica_layer *layer = &q->layers[--q->next_ahead];

		src = &q->opened[q->next_ahead];
		/* to open a pipe too early could mean to wait for the wrong one */
		if (!mica_layer_is_lasting(layer))
			continue;
		/* what fails will fail again, and be told, when its turn comes */
		if (mica_layer_open(layer, q->report, src, &unsaid)) {
			*src = NULL;
		} else if (mica_source_start(*src, q->pool, &unsaid)) {
			mica_source_free(*src);
			*src = NULL;
		}
	}
}

int mica_layer_queue_next(struct mica_layer_queue *q, struct mica_source **out,
			  struct mica_err *err)
{
	struct mica_source *src;
	int ret;

	if (!q->left)
		return 0;
	q->left--;
	q->next_ahead = (size_t)mica_min(q->next_ahead, q->left);
	src = q->opened[q->left];
	q->opened[q->left] = NULL;
	if (!src) {
		ret = mica_layer_open(&q->layers[q->left], q->report, &src, err);
		if (ret)
			return ret;
		ret = mica_source_start(src, q->pool, err);
		if (ret) {
			mica_source_free(src);
			return ret;
		}
	}
	mica_layer_queue_ahead(q);
	*out = src;
	return 1;
}
