/* SPDX-License-Identifier: MIT */
/* From a node to where it lies: its names up to the root, put together. */
#include "node.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "anchors.h"
#include "layer_impl.h"

/* Room is left for names that are put behind, and for /proc/self/fd before it. */
#define PATH_BEFORE_ANCHOR (PATH_MAX - 1024)

/* A path that is built from its end. */
struct backwards {
	char *buf, *at;
};

static int prepend(struct backwards *b, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(b->at - b->buf) < len + 1)
		return -ENAMETOOLONG;
	b->at -= len;
	memcpy(b->at, text, len);
	if (b->at > b->buf)
		*--b->at = '/';
	return 0;
}

static void backwards_begin(struct backwards *b, char buf[PATH_MAX], size_t cap)
{
	b->buf = buf;
	b->at = buf + cap - 1;
	*b->at = 0;
}

/* Moves it to the front, without the slash that begins it. */
static void backwards_end(struct backwards *b)
{
	const char *from = *b->at == '/' ? b->at + 1 : b->at;

	memmove(b->buf, from, strlen(from) + 1);
}

static int place_upper(const struct mica_ovl *ovl, struct mica_node *node, struct mica_place *out);

/*
 * Opens a directory for paths to begin at. must: the kernel takes paths of PATH_MAX at most,
 * but trees may be deeper
 */
static int anchor(const struct mica_ovl *ovl, struct mica_node *dir, bool must)
{
	struct mica_place at;
	int ret;

	dir->anchor_used = true;
	if (dir->fd >= 0 || !dir->parent)
		return 0;
	ret = place_upper(ovl, dir, &at);
	if (!ret)
		ret = mica_anchor_open(ovl, dir, &at, must);
	return must ? ret : 0;
}

static int place_upper(const struct mica_ovl *ovl, struct mica_node *node, struct mica_place *out)
{
	struct mica_node *up = node;
	struct backwards b;
	int ret = 0;

	mica_ovl_layer_root(&ovl->upper.layer, out);
	if (node->fd >= 0) {
		out->fd = node->fd;
		return 0;
	}
	backwards_begin(&b, out->path, PATH_BEFORE_ANCHOR);
	for (; up->parent && (up == node || up->fd < 0); up = up->parent) {
		if (!prepend(&b, up->name))
			continue;
		ret = anchor(ovl, up, true);
		if (ret)
			return ret;
		break;
	}
	if (up->parent)
		out->base = up->fd;
	if (!ret)
		ret = prepend(&b, ".");
	backwards_end(&b);
	return ret;
}

int mica_node_upper(const struct mica_ovl *ovl, struct mica_node *node, struct mica_place *out)
{
	struct mica_node *dir = S_ISDIR(node->type) && node->upper ? node : node->parent;

	if (dir && dir->upper && !dir->removed)
		anchor(ovl, dir, false);
	return place_upper(ovl, node, out);
}

int mica_node_path(const struct mica_node *node, char buf[PATH_MAX])
{
	struct backwards b;
	int ret = 0;

	backwards_begin(&b, buf, PATH_MAX);
	for (; !ret && node->parent; node = node->parent)
		ret = prepend(&b, node->name);
	backwards_end(&b);
	return ret;
}

int mica_node_merged_path(const struct mica_node *node, char buf[PATH_MAX])
{
	struct backwards b;
	int ret = 0;

	backwards_begin(&b, buf, PATH_MAX);
	for (; !ret && node->parent && !node->redirect; node = node->parent)
		ret = prepend(&b, node->name);
	if (!ret && node->redirect)
		ret = prepend(&b, node->redirect);
	if (!ret && b.at[0] == '/' && b.at[1] == '/')
		b.at++;
	memmove(buf, b.at, strlen(b.at) + 1);
	return ret;
}

static const struct mica_lower *lower_in(const struct mica_node *node,
					 const struct mica_ovl_layer *layer)
{
	for (unsigned int i = 0; i < node->lower_count; i++)
		if (node->lowers[i].layer == layer)
			return &node->lowers[i];
	return NULL;
}

int mica_node_lower_path(const struct mica_node *node, const struct mica_ovl_layer *layer,
			 char buf[PATH_MAX])
{
	const struct mica_lower *lower = lower_in(node, layer);
	struct backwards b;
	int ret = 0;

	backwards_begin(&b, buf, PATH_MAX);
	for (; !ret && node->parent && lower && !lower->path;
	     node = node->parent, lower = lower_in(node, layer))
		ret = prepend(&b, node->name);
	if (!ret)
		ret = prepend(&b, lower && lower->path ? lower->path : ".");
	backwards_end(&b);
	return ret;
}

int mica_node_lower(const struct mica_ovl *ovl, const struct mica_node *node, unsigned int i,
		    struct mica_place *out)
{
	const struct mica_lower *lower = &node->lowers[i];

	(void)ovl;
	mica_ovl_layer_root(lower->layer, out);
	out->nid = lower->nid;
	if (lower->layer->image)
		return 0;
	return mica_node_lower_path(node, lower->layer, out->path);
}

int mica_node_data(const struct mica_ovl *ovl, const struct mica_node *node, struct mica_place *out)
{
	return mica_node_lower(ovl, node, node->lower_count - 1, out);
}

int mica_node_settle_lowers(struct mica_node *node)
{
	char path[PATH_MAX];

	for (unsigned int i = 0; i < node->lower_count; i++) {
		struct mica_lower *lower = &node->lowers[i];
		int ret = lower->path ? 0 : mica_node_lower_path(node, lower->layer, path);

		if (!ret && !lower->path) {
			lower->path = strdup(path);
			ret = lower->path ? 0 : -ENOMEM;
		}
		if (ret)
			return ret;
	}
	return 0;
}

int mica_node_place(const struct mica_ovl *ovl, struct mica_node *node, struct mica_place *out)
{
	if (node->upper)
		return mica_node_upper(ovl, node, out);
	return mica_node_lower(ovl, node, 0, out);
}
