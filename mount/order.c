/* SPDX-License-Identifier: MIT */
#include "order.h"

#include <stdlib.h>

#include "../lib/util.h"

#define NAMED	   (1u << 17) /* files remembered */
#define PLACES	   (1u << 18)
#define READERS	   8u
#define STEP	   2u  /* as far may the next file of a reader who reads them all be away */
#define REACH	   16u /* beyond that it is another reader's */
#define RUN	   3u  /* files in order before there is a window */
#define LEAD	   4u
#define WINDOW_MIN 16u
#define WINDOW_MAX 512u

/* Positions count all files ever named, from 1 on. */
struct reader {
	uint64_t last; /* position of the file read last; 0: the reader is not in use */
	uint64_t next; /* to be taken next */
	uint64_t end;  /* of the window; next == end: all is taken */
	uint64_t wire; /* 0: none */
	uint64_t used;
	unsigned int run; /* files in order */
	unsigned int window;
};

struct mica_order {
	uint64_t small, window_bytes;
	uint64_t count; /* position of the file named last */
	uint64_t clock;
	struct reader readers[READERS];
	struct mica_order_file named[NAMED]; /* a ring */
	uint64_t places[PLACES];	     /* nid's hash to position; the later one wins */
};

int mica_order_new(uint64_t small, uint64_t window_bytes, struct mica_order **out,
		   struct mica_err *err)
{
	struct mica_order *order = calloc(1, sizeof(*order));

	if (!order)
		return mica_err_nomem(err);
	order->small = small;
	order->window_bytes = window_bytes;
	*out = order;
	return 0;
}

void mica_order_free(struct mica_order *order)
{
	free(order);
}

static uint64_t *order_place(struct mica_order *order, uint64_t nid)
{
	return &order->places[nid * 0x9e3779b97f4a7c15ULL >> 40 & (PLACES - 1)];
}

static struct mica_order_file *order_file(struct mica_order *order, uint64_t pos)
{
	return &order->named[pos % NAMED];
}

/* Still in the ring; windows stay clear of where it is written next. */
static bool order_has(const struct mica_order *order, uint64_t pos)
{
	return pos && pos <= order->count && order->count - pos < NAMED - WINDOW_MAX;
}

static uint64_t order_find(struct mica_order *order, uint64_t nid)
{
	uint64_t pos = *order_place(order, nid);

	return order_has(order, pos) && order_file(order, pos)->nid == nid ? pos : 0;
}

void mica_order_named(struct mica_order *order, uint64_t nid, uint64_t size, bool listed)
{
	uint64_t pos = order->count + 1;

	/* who asks for an empty file asks for nothing */
	if (!size || (!listed && order_find(order, nid)))
		return;
	*order_file(order, pos) = (struct mica_order_file){nid, size};
	*order_place(order, nid) = pos;
	order->count = pos;
}

static void reader_begin(struct reader *r, uint64_t pos)
{
	*r = (struct reader){.last = pos, .next = pos + 1, .end = pos + 1};
}

/* Whose file pos is; one that nobody expects begins a reader in the place of the idlest. */
static struct reader *reader_at(struct mica_order *order, uint64_t pos)
{
	struct reader *idlest = order->readers, *found = NULL;

	for (struct reader *r = order->readers; r < order->readers + READERS; r++) {
		uint64_t from = r->last > REACH ? r->last - REACH : 0;

		if (r->last && pos > from && pos <= mica_max(r->last, r->end) + REACH &&
		    (!found || r->used > found->used))
			found = r;
		if (r->used < idlest->used)
			idlest = r;
	}
	if (found)
		return found;
	reader_begin(idlest, pos);
	return idlest;
}

/* pos: of the file that is being read */
static void reader_open_window(struct mica_order *order, struct reader *r, uint64_t pos)
{
	uint64_t bytes = 0;

	r->window = (unsigned int)mica_min(mica_max(r->window * 2, WINDOW_MIN), WINDOW_MAX);
	/* a reader who has caught up is not raced for the very next files */
	if (pos >= r->next)
		r->next = pos + LEAD;
	r->end = r->next;
	while (r->end <= order->count && r->end <= pos + r->window) {
		bytes += mica_min(order_file(order, r->end)->size, order->small);
		if (bytes > order->window_bytes)
			break;
		r->end++;
	}
	r->wire =
		mica_min(mica_max(r->next, pos + r->window / 2), r->next + (r->end - r->next) / 2);
	/* a short one is used up soon anyhow */
	if (r->end - r->next < WINDOW_MIN / 2)
		r->wire = 0;
}

bool mica_order_read(struct mica_order *order, uint64_t nid)
{
	uint64_t pos = order_find(order, nid);
	struct reader *r;

	if (!pos)
		return false;
	r = reader_at(order, pos);
	r->used = ++order->clock;
	if (pos <= r->last)
		return false;
	if (r->wire && pos > r->wire + STEP) {
		reader_begin(r, pos);
		r->used = order->clock;
		return false;
	}
	if (pos <= mica_max(r->last, r->end) + STEP)
		r->run++;
	else
		r->run = 0;
	r->last = pos;
	if (r->run < RUN || (pos < r->next && pos < r->wire))
		return false;
	reader_open_window(order, r, pos);
	return r->next < r->end;
}

unsigned int mica_order_take(struct mica_order *order, struct mica_order_file *files,
			     unsigned int max)
{
	unsigned int n = 0;

	for (struct reader *r = order->readers; r < order->readers + READERS && !n; r++) {
		for (; n < max && r->next < r->end; r->next++)
			if (r->next != r->wire && order_has(order, r->next))
				files[n++] = *order_file(order, r->next);
	}
	return n;
}
