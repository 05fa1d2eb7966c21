/* SPDX-License-Identifier: MIT */
/* From a node to where it lies: its names up to the root, put together. */
#include "node.h"

#include <errno.h>
#include <string.h>

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

static void backwards_begin(struct backwards *b, char buf[PATH_MAX])
{
	b->buf = buf;
	b->at = buf + PATH_MAX - 1;
	*b->at = 0;
}

/* Moves it to the front, without the slash that begins it. */
static void backwards_end(struct backwards *b)
{
	const char *from = *b->at == '/' ? b->at + 1 : b->at;

	memmove(b->buf, from, strlen(from) + 1);
}

int mica_node_upper(const struct mica_ovl *ovl, const struct mica_node *node,
		    struct mica_place *out)
{
	struct backwards b;
	int ret = 0;

	mica_ovl_layer_root(&ovl->upper.layer, out);
	if (node->fd >= 0) {
		out->fd = node->fd;
		return 0;
	}
	backwards_begin(&b, out->path);
	for (; !ret && node->parent; node = node->parent)
		ret = prepend(&b, node->name);
	if (!ret)
		ret = prepend(&b, ".");
	backwards_end(&b);
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

	backwards_begin(&b, buf);
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

int mica_node_place(const struct mica_ovl *ovl, const struct mica_node *node,
		    struct mica_place *out)
{
	if (node->upper)
		return mica_node_upper(ovl, node, out);
	return mica_node_lower(ovl, node, 0, out);
}
