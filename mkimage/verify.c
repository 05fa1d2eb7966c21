/* SPDX-License-Identifier: MIT */
/* Takes the digests. verify_image.c compares. */
#include "verify.h"

#include "../lib/util.h"
#include "verify_priv.h"

int mica_verify_new(struct mica_verify **out, struct mica_err *err)
{
	struct mica_verify *v = calloc(1, sizeof(*v));
	int ret;

	if (!v)
		return mica_err_nomem(err);
	ret = mica_keyhash_key(v->key, err);
	if (!ret)
		ret = mica_filesum_init(&v->sum, v->key, err);
	if (ret) {
		mica_verify_free(v);
		return ret;
	}
	*out = v;
	return 0;
}

void mica_verify_free(struct mica_verify *v)
{
	if (!v)
		return;
	mica_filesum_clear(&v->sum);
	free(v->records);
	free(v);
}

void mica_verify_begin(struct mica_verify *v)
{
	if (v)
		mica_filesum_begin(&v->sum);
}

void mica_verify_add(struct mica_verify *v, const void *buf, size_t len)
{
	if (v)
		mica_filesum_add(&v->sum, buf, len);
}

void mica_verify_zeros(struct mica_verify *v, uint64_t len)
{
	if (v)
		mica_filesum_zeros(&v->sum, len);
}

int mica_verify_end(struct mica_verify *v, const struct mica_tinode *inode, struct mica_err *err)
{
	if (!v)
		return 0;
	if (v->count == v->cap) {
		size_t cap = v->cap ? v->cap + v->cap / 2 : 1024;
		struct verify_record *records = reallocarray(v->records, cap, sizeof(*records));

		if (!records)
			return mica_err_nomem(err);
		v->records = records;
		v->cap = cap;
	}
	v->records[v->count].inode = inode;
	return mica_filesum_end(&v->sum, v->records[v->count++].sum, err);
}

static int record_compare(const void *pa, const void *pb)
{
	const struct verify_record *a = pa, *b = pb;

	return ((uintptr_t)a->inode > (uintptr_t)b->inode) -
	       ((uintptr_t)a->inode < (uintptr_t)b->inode);
}

void verify_settle(struct mica_verify *v)
{
	if (v->count)
		qsort(v->records, v->count, sizeof(*v->records), record_compare);
}

const uint8_t *verify_find(const struct mica_verify *v, const struct mica_tinode *inode)
{
	const struct verify_record key = {.inode = inode}, *found;

	if (!v->count)
		return NULL;
	found = bsearch(&key, v->records, v->count, sizeof(key), record_compare);
	return found ? found->sum : NULL;
}
