/* SPDX-License-Identifier: MIT */
/*
 * Files that have a place in the order of --order. A source gives them in its own order, and
 * perhaps once only: so they wait on disk until all others are stored, and then go through
 * the packer one behind the other. They end up right before the metadata, which whoever
 * reads them needs first.
 */
#include <stdlib.h>

#include "../lib/util.h"
#include "ordered.h"
#include "outfile.h"
#include "packer_int.h"

#define FEED_BYTES (1u << 20)

int packer_later_begin(struct mica_packer *p, const char *path, struct mica_err *err)
{
	struct packer_later *l = &p->later;
	uint32_t place;
	int ret = 0;

	l->waits = p->size && mica_ordered_find(p->opts->ordered, path, &place);
	if (!l->waits)
		return 0;
	if (!l->spool)
		ret = mica_spool_new(mica_outfile_path(p->out), &l->spool, err);
	if (!ret && l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct later_file *files = reallocarray(l->files, cap, sizeof(*files));

		if (!files)
			return mica_err_nomem(err);
		l->files = files;
		l->cap = cap;
	}
	if (!ret)
		l->files[l->count] = (struct later_file){.inode = p->inode,
							 .set = p->set,
							 .size = p->size,
							 .place = place,
							 .number = l->count};
	l->count += !ret;
	return ret;
}

int packer_later_add(struct mica_packer *p, const void *buf, uint64_t len, struct mica_err *err)
{
	struct packer_later *l = &p->later;
	int ret = 0;

	while (!ret && len) {
		uint64_t n = buf ? len : mica_min(len, MICA_ZERO_EXTENT), off;

		ret = mica_spool_write(l->spool, buf ? buf : p->zero_buf, (size_t)n, &off, err);
		if (!p->fed)
			l->files[l->count - 1].off = off;
		p->fed += n;
		len -= n;
	}
	return ret;
}

static int later_compare(const void *a, const void *b)
{
	const struct later_file *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int later_feed(struct mica_packer *p, const struct later_file *f, void *buf,
		      struct mica_err *err)
{
	uint64_t done = 0;
	int ret = 0;

	p->inode = f->inode;
	p->set = f->set;
	p->sparse = false;
	packer_route(p, f->size, 0);
	while (!ret && done < f->size) {
		size_t n = (size_t)mica_min(f->size - done, FEED_BYTES);

		ret = mica_spool_read(p->later.spool, buf, n, f->off + done, err);
		if (!ret)
			ret = packer_content(p, buf, n, err);
		done += n;
	}
	return ret;
}

int packer_later_store(struct mica_packer *p, struct mica_err *err)
{
	struct packer_later *l = &p->later;
	cleanup_free void *buf = malloc(FEED_BYTES);
	int ret = buf ? 0 : mica_err_nomem(err);

	l->waits = false;
	l->now = true;
	qsort(l->files, l->count, sizeof(*l->files), later_compare);
	for (size_t i = 0; !ret && i < l->count; i++)
		ret = later_feed(p, &l->files[i], buf, err);
	return ret;
}

void packer_later_free(struct mica_packer *p)
{
	free(p->later.files);
	mica_spool_free(p->later.spool);
}
