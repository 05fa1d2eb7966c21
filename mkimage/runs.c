/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "../lib/util.h"
#include "source_impl.h"

/* 64 MiB of memory; 4 million holes in one file */
#define RUNS_MAX ((size_t)1 << 22)

int mica_runs_add(struct mica_runs *runs, uint64_t off, uint64_t len, struct mica_err *err)
{
	uint64_t end;

	if (mica_add_overflows(off, len, &end) || end > INT64_MAX)
		return mica_err_set(err, MICA_E_INPUT,
				    "sparse map: %" PRIu64 " bytes at %" PRIu64
				    " reach over the largest size, %" PRIi64,
				    len, off, INT64_MAX);
	if (off < runs->end)
		return mica_err_set(err, MICA_E_INPUT,
				    "sparse map: data at %" PRIu64
				    " comes after data that ends at %" PRIu64,
				    off, runs->end);
	if (runs->count && len &&
	    off == runs->v[runs->count - 1].off + runs->v[runs->count - 1].len) {
		runs->v[runs->count - 1].len += len;
	} else if (len) {
		if (runs->count == RUNS_MAX)
			return mica_err_set(err, MICA_E_LIMIT, "sparse map: more than %zu runs",
					    RUNS_MAX);
		if (runs->count == runs->cap) {
			size_t cap = runs->cap ? runs->cap * 2 : 64;
			struct mica_run *v = realloc(runs->v, cap * sizeof(*v));

			if (!v)
				return mica_err_nomem(err);
			runs->v = v;
			runs->cap = cap;
		}
		runs->v[runs->count++] = (struct mica_run){.off = off, .len = len};
	}
	runs->end = end;
	runs->total += len;
	return 0;
}

void mica_runs_free(struct mica_runs *runs)
{
	free(runs->v);
	*runs = (struct mica_runs){0};
}

int mica_runs_declare(const struct mica_runs *runs, struct mica_source *src, struct mica_err *err)
{
	struct mica_entry *entry = &src->entry;

	if (runs->end > entry->size)
		return mica_err_set(err, MICA_E_INPUT,
				    "sparse map: data up to %" PRIu64 " in a file of %" PRIu64
				    " bytes",
				    runs->end, entry->size);
	if (runs->total == entry->size)
		return 0;
	/* without data there is no array, but NULL would mean that there are no holes */
	entry->runs = runs->count ? runs->v : mica_pool_alloc(&src->pool, sizeof(*entry->runs));
	if (!entry->runs)
		return mica_err_nomem(err);
	entry->run_count = runs->count;
	return 0;
}
