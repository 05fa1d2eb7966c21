/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes: behind the inode a header, ids of shared attributes and
 * the inode's own ones; shared ones lie in an area of the image.
 */
#include "image_xattr.h"

#include <inttypes.h>
#include <string.h>
#define XXH_INLINE_ALL /* one small function: no library to load at every start */
#include <xxhash.h>

#include "util.h"

struct mica_xattr_iter {
	struct mica_image *img;
	struct mica_inode inode;
	unsigned int shared_count, shared_next;
	uint32_t filter;
	uint32_t pos;	 /* of the next own attribute in body */
	uint8_t *shared; /* the last shared one */
	uint8_t body[];	 /* inode.xattr_isize bytes */
};

static int xattr_wrap(const struct mica_inode *inode, uint64_t off, struct mica_err *err)
{
	return mica_err_wrap(err, "inode %" PRIu64 ": xattr at %" PRIu64, inode->nid, off);
}

static uint32_t entry_size(const struct erofs_xattr_entry_disk *e)
{
	return (uint32_t)mica_round_up(sizeof(*e) + e->name_len + le16_get(e->value_size),
				       EROFS_XATTR_ALIGN);
}

int mica_xattr_iter_new(struct mica_image *img, const struct mica_inode *inode,
			struct mica_xattr_iter **out, struct mica_err *err)
{
	cleanup_xattr_iter struct mica_xattr_iter *it = malloc(sizeof(*it) + inode->xattr_isize);
	const struct erofs_xattr_ibody_disk *h;
	int ret;

	if (!it)
		return mica_err_nomem(err);
	*it = (struct mica_xattr_iter){.img = img, .inode = *inode, .filter = UINT32_MAX};
	if (inode->xattr_isize) {
		ret = mica_meta_read(img, inode->in_metabox, inode->off + inode->isize, it->body,
				     inode->xattr_isize, err);
		if (ret)
			return xattr_wrap(inode, inode->off + inode->isize, err);
		h = (const struct erofs_xattr_ibody_disk *)it->body;
		it->shared_count = h->shared_count;
		it->pos = (uint32_t)(sizeof(*h) + it->shared_count * sizeof(le32));
		if (it->pos > inode->xattr_isize)
			return mica_err_set(err, MICA_E_CORRUPT,
					    "inode %" PRIu64 ": xattr at %" PRIu64
					    ": %u shared ids exceed %" PRIu32 " bytes",
					    inode->nid, inode->off + inode->isize, it->shared_count,
					    inode->xattr_isize);
	}
	*out = mica_steal_pointer(&it);
	return 0;
}

void mica_xattr_iter_free(struct mica_xattr_iter *it)
{
	if (!it)
		return;
	free(it->shared);
	free(it);
}

/* e: all of the entry is in memory */
static int xattr_fill(struct mica_xattr_iter *it, const struct erofs_xattr_entry_disk *e,
		      struct mica_xattr *out, struct mica_err *err)
{
	const char *name = (const char *)(e + 1);
	int ret = mica_xattr_name(it->img, e->name_index, name, e->name_len, out->name,
				  sizeof(out->name), err);

	out->value = name + e->name_len;
	out->value_len = le16_get(e->value_size);
	if (ret >= 0)
		it->filter &= ~mica_xattr_filter_bit(it->img, e->name_index, name, e->name_len);
	return ret;
}

static int iter_next_own(struct mica_xattr_iter *it, struct mica_xattr *out, struct mica_err *err)
{
	uint32_t left = it->inode.xattr_isize - it->pos;
	const struct erofs_xattr_entry_disk *e =
		(const struct erofs_xattr_entry_disk *)(it->body + it->pos);
	uint64_t off = it->inode.off + it->inode.isize + it->pos;
	int ret;

	if (left < sizeof(*e) || entry_size(e) > left) {
		mica_err_set(err, MICA_E_CORRUPT, "entry exceeds the %" PRIu32 " bytes left", left);
		return xattr_wrap(&it->inode, off, err);
	}
	it->pos += entry_size(e);
	out->shared = false;
	out->shared_id = 0;
	ret = xattr_fill(it, e, out, err);
	return ret < 0 ? xattr_wrap(&it->inode, off, err) : ret;
}

static int iter_next_shared(struct mica_xattr_iter *it, struct mica_xattr *out,
			    struct mica_err *err)
{
	bool in_metabox = it->img->sb.feature_compat & EROFS_COMPAT_SHARED_EA_IN_METABOX;
	const le32 *ids = (const le32 *)(it->body + sizeof(struct erofs_xattr_ibody_disk));
	uint32_t id = le32_get(ids[it->shared_next++]);
	uint64_t off = it->img->sb.xattr_off + (uint64_t)id * EROFS_XATTR_ALIGN;
	struct erofs_xattr_entry_disk e;
	uint8_t *all;
	size_t size;
	int ret;

	ret = mica_meta_read(it->img, in_metabox, off, &e, sizeof(e), err);
	if (ret)
		return xattr_wrap(&it->inode, off, err);
	size = sizeof(e) + e.name_len + le16_get(e.value_size);
	all = realloc(it->shared, size);
	if (!all)
		return mica_err_nomem(err);
	it->shared = all;
	ret = mica_meta_read(it->img, in_metabox, off, all, size, err);
	if (ret)
		return xattr_wrap(&it->inode, off, err);
	out->shared = true;
	out->shared_id = id;
	ret = xattr_fill(it, (const struct erofs_xattr_entry_disk *)all, out, err);
	return ret < 0 ? xattr_wrap(&it->inode, off, err) : ret;
}

int mica_xattr_iter_next(struct mica_xattr_iter *it, struct mica_xattr *out, struct mica_err *err)
{
	int ret = 0;

	while (!ret) {
		if (it->pos < it->inode.xattr_isize)
			ret = iter_next_own(it, out, err);
		else if (it->shared_next < it->shared_count)
			ret = iter_next_shared(it, out, err);
		else
			break;
	}
	return ret;
}

uint32_t mica_xattr_iter_filter(const struct mica_xattr_iter *it)
{
	return it->filter;
}

/* The filter says that no attribute of this name is there. */
static int xattr_filtered(struct mica_image *img, const struct mica_inode *inode, const char *name,
			  bool *out, struct mica_err *err)
{
	struct erofs_xattr_ibody_disk h;
	const char *suffix;
	unsigned int index = mica_xattr_index(name, &suffix);
	uint32_t bit;
	int ret;

	*out = !inode->xattr_isize || !index;
	if (*out || !img->sb.xattr_filter)
		return 0;
	ret = mica_meta_read(img, inode->in_metabox, inode->off + inode->isize, &h, sizeof(h), err);
	if (ret)
		return xattr_wrap(inode, inode->off + inode->isize, err);
	bit = XXH32(suffix, strlen(suffix), EROFS_XATTR_FILTER_SEED + index) & 31;
	*out = le32_get(h.name_filter) >> bit & 1;
	return 0;
}

long mica_xattr_get(struct mica_image *img, const struct mica_inode *inode, const char *name,
		    void *buf, size_t cap, struct mica_err *err)
{
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	struct mica_xattr attr;
	bool absent;
	int ret;

	ret = xattr_filtered(img, inode, name, &absent, err);
	if (ret)
		return ret;
	if (!absent) {
		ret = mica_xattr_iter_new(img, inode, &it, err);
		if (ret)
			return ret;
		do
			ret = mica_xattr_iter_next(it, &attr, err);
		while (ret > 0 && strcmp(attr.name, name));
	}
	if (ret < 0)
		return ret;
	if (!ret)
		return mica_err_set(err, MICA_E_NOENT, "inode %" PRIu64 " has no xattr '%s'",
				    inode->nid, name);
	if (!cap)
		return (long)attr.value_len;
	if (cap < attr.value_len)
		return mica_err_set(err, MICA_E_LIMIT,
				    "xattr '%s' of %" PRIu32 " bytes does not fit into %zu", name,
				    attr.value_len, cap);
	memcpy(buf, attr.value, attr.value_len);
	return (long)attr.value_len;
}

long mica_xattr_list(struct mica_image *img, const struct mica_inode *inode, bool trusted,
		     char *buf, size_t cap, struct mica_err *err)
{
	cleanup_xattr_iter struct mica_xattr_iter *it = NULL;
	struct mica_xattr attr;
	size_t used = 0;
	int ret;

	ret = mica_xattr_iter_new(img, inode, &it, err);
	if (ret)
		return ret;
	while ((ret = mica_xattr_iter_next(it, &attr, err)) > 0) {
		size_t len = strlen(attr.name) + 1;

		if (!trusted && !strncmp(attr.name, "trusted.", 8))
			continue;
		if (cap && len > cap - used)
			return mica_err_set(err, MICA_E_LIMIT,
					    "xattr names of inode %" PRIu64
					    " do not fit into %zu bytes",
					    inode->nid, cap);
		if (cap)
			memcpy(buf + used, attr.name, len);
		used += len;
	}
	return ret < 0 ? ret : (long)used;
}
