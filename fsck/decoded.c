/* SPDX-License-Identifier: MIT */
#include "decoded.h"

#include <stdlib.h>

#include "../lib/util.h"

/* Addresses of the metabox and of each device count for themselves. */
static uint64_t extent_key(const struct mica_extent *e)
{
	return e->pa ^ (uint64_t)e->in_metabox << 63 ^ (uint64_t)e->device << 47;
}

static int clusters_reserve(struct mica_decoded *d, struct mica_err *err)
{
	struct mica_decoded_cluster *v;
	size_t cap = d->cap ? d->cap * 2 : 256;

	if (d->index.count < d->cap)
		return 0;
	v = reallocarray(d->clusters, cap, sizeof(*v));
	if (!v)
		return mica_err_nomem(err);
	d->clusters = v;
	d->cap = cap;
	return 0;
}

static int cluster_count(struct mica_decoded *d, const struct mica_extent *e, uint64_t wanted,
			 struct mica_err *err)
{
	uint32_t at = (uint32_t)d->index.count;
	struct mica_decoded_cluster *c;
	int ret = clusters_reserve(d, err);

	if (ret)
		return ret;
	ret = mica_nidmap_add(&d->index, extent_key(e), at, &at, err);
	if (ret < 0)
		return ret;
	c = &d->clusters[at];
	if (ret > 0)
		*c = (struct mica_decoded_cluster){0};
	c->decoded = mica_max(c->decoded, e->llen);
	c->wanted += wanted;
	return 0;
}

static bool extent_is_encoded(const struct mica_extent *e)
{
	return e->kind == MICA_EXTENT_ENCODED && e->alg >= 0;
}

static int fragment_count(struct mica_decoded *d, struct mica_image *img,
			  const struct mica_extent *e, struct mica_err *err)
{
	struct mica_inode packed;
	struct mica_extent p;
	int ret = mica_image_inode(img, mica_image_super(img)->packed_nid, &packed, err);

	if (!ret)
		ret = mica_image_map(img, &packed, e->pa, &p, err);
	if (ret)
		return ret;
	if (extent_is_encoded(&p))
		return cluster_count(d, &p, e->llen, err);
	d->plain += e->llen;
	return 0;
}

int mica_decoded_extent(struct mica_decoded *d, struct mica_image *img, const struct mica_extent *e,
			struct mica_err *err)
{
	if (e->kind == MICA_EXTENT_FRAGMENT)
		return fragment_count(d, img, e, err);
	if (extent_is_encoded(e))
		return cluster_count(d, e, e->llen, err);
	if (e->kind != MICA_EXTENT_HOLE)
		d->plain += e->llen;
	return 0;
}

int mica_decoded_packed(struct mica_decoded *d, struct mica_image *img, struct mica_err *err)
{
	uint64_t nid = mica_image_super(img)->packed_nid;
	struct mica_inode packed;
	struct mica_extent e;
	int ret;

	if (!nid)
		return 0;
	ret = mica_image_inode(img, nid, &packed, err);
	for (uint64_t la = 0; !ret && la < packed.size; la = e.la + e.llen) {
		ret = mica_image_map(img, &packed, la, &e, err);
		if (!ret && extent_is_encoded(&e))
			ret = cluster_count(d, &e, 0, err);
	}
	return ret ? mica_err_wrap(err, "packed inode") : 0;
}

uint64_t mica_decoded_bytes(const struct mica_decoded *d)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->index.count; i++)
		sum += d->clusters[i].decoded;
	return sum;
}

uint64_t mica_decoded_by_read(const struct mica_decoded *d, uint32_t block)
{
	double cost = (double)d->plain * block, wanted = (double)d->plain;

	for (size_t i = 0; i < d->index.count; i++) {
		const struct mica_decoded_cluster *c = &d->clusters[i];

		cost += (double)c->wanted * (double)c->decoded;
		wanted += (double)c->wanted;
	}
	return wanted > 0 ? (uint64_t)(cost / wanted) : 0;
}

void mica_decoded_clear(struct mica_decoded *d)
{
	mica_nidmap_clear(&d->index);
	free(d->clusters);
	*d = (struct mica_decoded){0};
}
