/* SPDX-License-Identifier: MIT */
/* Compares inodes and directories of the finished image with the tree. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/filetype.h"
#include "../lib/image.h"
#include "../lib/util.h"
#include "verify_priv.h"

static int number_differs(const char *what, int64_t got, int64_t want, bool octal,
			  struct mica_err *err)
{
	return octal ? mica_err_set(err, MICA_E_CORRUPT,
				    "%s is 0%" PRIo64 " in the image, not 0%" PRIo64, what,
				    (uint64_t)got, (uint64_t)want)
		     : mica_err_set(err, MICA_E_CORRUPT,
				    "%s is %" PRId64 " in the image, not %" PRId64, what, got,
				    want);
}

static int compare_numbers(const struct mica_inode *got, const struct mica_tinode *want,
			   struct mica_err *err)
{
	bool device = S_ISCHR(want->mode) || S_ISBLK(want->mode);
	const struct {
		const char *what;
		int64_t got, want;
	} v[] = {
		{"the mode", got->mode, want->mode},
		{"the size", (int64_t)got->size, (int64_t)want->size},
		{"the user", got->uid, want->uid},
		{"the group", got->gid, want->gid},
		{"the time", got->mtime, want->mtime},
		{"the time's fraction", got->mtime_nsec, want->mtime_nsec},
		{"the link count", got->nlink, want->nlink},
		{"the device number", device ? got->rdev : 0, device ? want->rdev : 0},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (v[i].got != v[i].want)
			return number_differs(v[i].what, v[i].got, v[i].want, !i, err);
	return 0;
}

struct kvs {
	struct mica_kv *v; /* owned, as what is in it */
	size_t count, cap;
};

static void kvs_clear(struct kvs *kvs)
{
	for (size_t i = 0; i < kvs->count; i++) {
		free(kvs->v[i].name);
		free(kvs->v[i].value);
	}
	free(kvs->v);
}

/* One more, empty, with room in the array. */
static struct mica_kv *kvs_add(struct kvs *kvs)
{
	size_t cap = kvs->cap ? kvs->cap * 2 : 16;
	struct mica_kv *grown;

	if (kvs->count == kvs->cap) {
		grown = realloc(kvs->v, cap * sizeof(*grown));
		if (!grown)
			return NULL;
		kvs->v = grown;
		kvs->cap = cap;
	}
	kvs->v[kvs->count] = (struct mica_kv){0};
	return &kvs->v[kvs->count++];
}

static int kvs_read(struct mica_image *img, const struct mica_inode *inode, struct kvs *kvs,
		    struct mica_err *err)
{
	struct mica_xattr_iter *it cleanup_xattr_iter = NULL;
	struct mica_xattr x;
	int ret = mica_xattr_iter_new(img, inode, &it, err);

	while (!ret && (ret = mica_xattr_iter_next(it, &x, err)) > 0) {
		struct mica_kv *kv = kvs_add(kvs);

		if (!kv)
			return mica_err_nomem(err);
		*kv = (struct mica_kv){.name = strdup(x.name), .len = x.value_len};
		kv->value = malloc(x.value_len + 1);
		if (!kv->name || !kv->value)
			return mica_err_nomem(err);
		memcpy(kv->value, x.value, x.value_len);
		ret = 0;
	}
	return ret;
}

static int compare_xattrs(const struct mica_layout *l, struct mica_image *img,
			  const struct mica_inode *got, const struct mica_tinode *want,
			  struct mica_err *err)
{
	cleanup(kvs_clear) struct kvs kvs = {0};
	int ret = kvs_read(img, got, &kvs, err);
	bool same;

	if (!ret)
		ret = mica_xattrs_equal(l->xattrs, want->xattrs, kvs.v, kvs.count, &same, err);
	if (ret || same)
		return ret;
	return mica_err_set(err, MICA_E_CORRUPT,
			    "the extended attributes are not those of the source");
}

static int compare_entry(const struct mica_dirent *got, const struct mica_tnode *want,
			 struct mica_err *err)
{
	if (got->name_len != want->name_len || memcmp(got->name, want->name, got->name_len))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "the image has entry '%s' in place of '%s'", got->name,
				    want->name);
	if (got->nid != want->inode->nid || got->type != mica_filetype_of(want->inode->mode))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "entry '%s' leads to nid %" PRIu64
				    " of type %u, not to nid %" PRIu64 " of type %u",
				    got->name, got->nid, got->type, want->inode->nid,
				    mica_filetype_of(want->inode->mode));
	return 0;
}

static bool is_dots(const struct mica_dirent *e)
{
	return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static int compare_dir(struct mica_image *img, const struct mica_inode *got,
		       const struct mica_tnode *want, struct mica_err *err)
{
	const struct mica_tnode *child = want->inode->children;
	struct mica_dir *dir cleanup_dir = NULL;
	struct mica_dirent e;
	int ret = mica_dir_open(img, got, &dir, err);

	while (!ret && (ret = mica_dir_next(dir, &e, err)) > 0) {
		ret = 0;
		if (is_dots(&e))
			continue;
		if (!child)
			return mica_err_set(err, MICA_E_CORRUPT, "entry '%s' is in the image only",
					    e.name);
		ret = compare_entry(&e, child, err);
		child = child->sibling;
	}
	if (ret || !child)
		return ret;
	return mica_err_set(err, MICA_E_CORRUPT, "entry '%s' is not in the image", child->name);
}

int verify_inode(const struct mica_layout *l, struct mica_image *img, const struct mica_tnode *node,
		 struct mica_err *err)
{
	const struct mica_tinode *want = node->inode;
	struct mica_inode got;
	int ret = mica_image_inode(img, want->nid, &got, err);

	if (!ret)
		ret = compare_numbers(&got, want, err);
	if (!ret)
		ret = compare_xattrs(l, img, &got, want, err);
	if (!ret && S_ISDIR(want->mode))
		ret = compare_dir(img, &got, node, err);
	return ret;
}
