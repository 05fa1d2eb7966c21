/* SPDX-License-Identifier: MIT */
/* Names that go: out of the upper directory, and under a whiteout where one is left below. */
#include "change.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <unistd.h>

#include "anchors.h"
#include "copyup.h"
#include "index.h"
#include "layer_impl.h"
#include "listing.h"
#include "lookup.h"
#include "upper.h"

int mica_change_empty(struct mica_ovl *ovl, struct mica_node *dir)
{
	struct mica_listing *listing;
	uint64_t position = 0;
	const char *name;
	int ret = mica_listing_get(ovl, dir, true, &listing);

	if (ret)
		return ret;
	while (!ret && (name = mica_listing_at(listing, position, &position))) {
		struct mica_node *node = NULL;
		struct stat st;

		ret = mica_ovl_lookup(ovl, dir, name, &node, &st);
		mica_node_put(ovl, node);
		ret = ret == -ENOENT ? 0 : ret ? ret : -ENOTEMPTY;
	}
	mica_listing_put(listing);
	mica_listing_done(ovl, dir);
	return ret;
}

static bool known_as(const struct mica_node *node, const struct mica_node *dir, const char *name)
{
	return node->parent == dir && node->name && !strcmp(node->name, name);
}

int mica_change_retain(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *dir,
		       const char *name)
{
	struct mica_place at;
	int ret;

	if (!node->upper || !known_as(node, dir, name))
		return 0;
	if (node->fd >= 0) {
		mica_anchor_keep(ovl, node);
		return 0;
	}
	ret = mica_node_upper(ovl, node, &at);
	if (ret)
		return ret;
	ret = mica_in_dir_open_path(&at);
	if (ret < 0)
		return ret;
	node->fd = ret;
	return 0;
}

void mica_change_lost(struct mica_ovl *ovl, struct mica_node *node, const struct mica_spot *n)
{
	if (!S_ISDIR(node->type))
		mica_index_name_lost(ovl, node, !n->type);
	if (known_as(node, n->dir, n->name))
		node->removed = true;
}

/* A whiteout takes the place of a file, or changes places with a directory. */
static int cover(struct mica_ovl *ovl, const struct mica_spot *n)
{
	struct mica_upper *u = &ovl->upper;
	char temp[MICA_TEMP_NAME_MAX];
	int ret;

	if (!n->type)
		return mica_upper_whiteout(u, &n->at);
	ret = mica_upper_whiteout_temp(u, temp);
	if (!ret)
		ret = mica_upper_place(u, temp, &n->at, S_ISDIR(n->type) ? RENAME_EXCHANGE : 0);
	/* the directory, when they changed places */
	mica_upper_discard(u, temp);
	return ret;
}

/* What is gone from the host leaves nothing to be covered. */
static int uncover(struct mica_ovl *ovl, const struct mica_spot *n)
{
	struct mica_upper *u = &ovl->upper;
	char temp[MICA_TEMP_NAME_MAX];

	if (!S_ISDIR(n->type))
		return unlinkat(n->at.base, n->at.path, 0) < 0 ? -errno : 0;
	if (!unlinkat(n->at.base, n->at.path, AT_REMOVEDIR))
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	/* whiteouts are left in it */
	mica_upper_temp(u, temp);
	if (renameat2(n->at.base, n->at.path, u->work, temp, RENAME_NOREPLACE) < 0)
		return -errno;
	mica_upper_discard(u, temp);
	return 0;
}

static int remove_locked(struct mica_ovl *ovl, struct mica_node *dir, const char *name, bool is_dir,
			 struct mica_node *node)
{
	struct mica_spot n;
	int ret, below;

	if (is_dir != S_ISDIR(node->type))
		return is_dir ? -ENOTDIR : -EISDIR;
	ret = is_dir ? mica_change_empty(ovl, node) : 0;
	if (!ret)
		ret = mica_copy_up(ovl, dir, UINT64_MAX);
	if (!ret)
		ret = node->upper ? mica_spot_find(ovl, dir, name, &n)
				  : mica_spot_free(ovl, dir, name, &n);
	if (!ret)
		ret = mica_change_retain(ovl, node, dir, name);
	if (ret)
		return ret;
	below = node->upper ? mica_ovl_lower_has(ovl, dir, name, NULL) : 0;
	if (below && below != -ENOENT)
		return below;
	ret = below ? uncover(ovl, &n) : cover(ovl, &n);
	if (!ret)
		mica_change_lost(ovl, node, &n);
	return ret;
}

int mica_change_remove(struct mica_ovl *ovl, struct mica_node *dir, const char *name, bool is_dir)
{
	struct mica_node *node = NULL;
	struct stat st;
	int ret;

	pthread_rwlock_wrlock(&ovl->tree);
	ret = mica_ovl_lookup(ovl, dir, name, &node, &st);
	if (!ret)
		ret = remove_locked(ovl, dir, name, is_dir, node);
	mica_node_put(ovl, node);
	pthread_rwlock_unlock(&ovl->tree);
	return ret;
}
