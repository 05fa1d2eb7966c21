/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <errno.h>
#include <string.h>

#include "anchors.h"
#include "backing.h"
#include "files.h"
#include "listing.h"

#define BUCKETS_FIRST 1024

struct mica_nodes {
	pthread_mutex_t lock;
	struct mica_node **buckets;
	size_t bucket_count, node_count; /* the former a power of two */
};

int mica_nodes_new(struct mica_nodes **out)
{
	struct mica_nodes *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->buckets = calloc(BUCKETS_FIRST, sizeof(*t->buckets));
	t->bucket_count = BUCKETS_FIRST;
	if (!t->buckets || pthread_mutex_init(&t->lock, NULL)) {
		free(t->buckets);
		free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

static struct mica_node **bucket(struct mica_nodes *t, uint64_t id)
{
	return &t->buckets[(id * 0x9e3779b97f4a7c15u >> 20) & (t->bucket_count - 1)];
}

static struct mica_node **find(struct mica_nodes *t, uint64_t id)
{
	struct mica_node **p = bucket(t, id);

	while (*p && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

/* More buckets when there are as many nodes; without memory the chains grow longer. */
static void grow(struct mica_nodes *t)
{
	size_t old_count = t->bucket_count;
	struct mica_node **old = t->buckets;
	struct mica_node **fresh = calloc(old_count * 2, sizeof(*fresh));

	if (!fresh)
		return;
	t->buckets = fresh;
	t->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct mica_node *n = old[i], **to = bucket(t, n->id);

			old[i] = n->next;
			n->next = *to;
			*to = n;
		}
	}
	free(old);
}

static void node_free(struct mica_ovl *ovl, struct mica_node *n)
{
	mica_file_drop(ovl, n);
	if (S_ISDIR(n->type))
		mica_listing_drop(n);
	else
		free(n->backing);
	mica_node_clear_lowers(n);
	if (n->anchor)
		mica_anchor_keep(ovl, n);
	if (n->fd >= 0)
		close(n->fd);
	if (n->name != n->first_name)
		free(n->name);
	free(n->redirect);
	free(n);
}

void mica_nodes_clear(struct mica_ovl *ovl)
{
	struct mica_nodes *t = ovl->nodes;

	for (size_t i = 0; i < t->bucket_count; i++) {
		while (t->buckets[i]) {
			struct mica_node *n = t->buckets[i];

			t->buckets[i] = n->next;
			node_free(ovl, n);
		}
	}
}

void mica_nodes_free(struct mica_nodes *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->buckets);
	free(t);
}

struct mica_node *mica_node_get(struct mica_ovl *ovl, uint64_t id)
{
	struct mica_nodes *t = ovl->nodes;
	struct mica_node *n;

	pthread_mutex_lock(&t->lock);
	n = *find(t, id);
	if (n)
		n->uses++;
	pthread_mutex_unlock(&t->lock);
	return n;
}

struct mica_node *mica_node_use(struct mica_ovl *ovl, struct mica_node *node)
{
	pthread_mutex_lock(&ovl->nodes->lock);
	node->uses++;
	pthread_mutex_unlock(&ovl->nodes->lock);
	return node;
}

/* Takes the node out when nothing holds it. Returns it then, else NULL. */
static struct mica_node *unlink_unused(struct mica_nodes *t, struct mica_node *n)
{
	struct mica_node **p;

	if (n->uses || n->lookups)
		return NULL;
	p = find(t, n->id);
	if (*p == n) {
		*p = n->next;
		t->node_count--;
	}
	return n;
}

/* Frees node, which is out of the table already, and the parents that only it held. */
static void free_upwards(struct mica_ovl *ovl, struct mica_node *node)
{
	while (node) {
		struct mica_node *parent = node->parent;

		node_free(ovl, node);
		node = NULL;
		if (!parent)
			break;
		pthread_mutex_lock(&ovl->nodes->lock);
		parent->uses--;
		node = unlink_unused(ovl->nodes, parent);
		pthread_mutex_unlock(&ovl->nodes->lock);
	}
}

void mica_node_put(struct mica_ovl *ovl, struct mica_node *node)
{
	if (!node)
		return;
	pthread_mutex_lock(&ovl->nodes->lock);
	node->uses--;
	node = unlink_unused(ovl->nodes, node);
	pthread_mutex_unlock(&ovl->nodes->lock);
	free_upwards(ovl, node);
}

void mica_node_forget(struct mica_ovl *ovl, uint64_t id, uint64_t lookups)
{
	struct mica_node *n;

	pthread_mutex_lock(&ovl->nodes->lock);
	n = *find(ovl->nodes, id);
	if (n) {
		n->lookups -= lookups < n->lookups ? lookups : n->lookups;
		n = unlink_unused(ovl->nodes, n);
	}
	pthread_mutex_unlock(&ovl->nodes->lock);
	free_upwards(ovl, n);
}

void mica_node_looked_up(struct mica_ovl *ovl, struct mica_node *node)
{
	pthread_mutex_lock(&ovl->nodes->lock);
	node->lookups++;
	pthread_mutex_unlock(&ovl->nodes->lock);
}

struct mica_node *mica_node_new(struct mica_ovl *ovl, struct mica_node *parent, const char *name)
{
	size_t len = name ? strlen(name) + 1 : 0;
	struct mica_node *n = calloc(1, sizeof(*n) + len);

	if (!n)
		return NULL;
	n->fd = -1;
	n->name = name ? memcpy(n->first_name, name, len) : NULL;
	n->parent = parent ? mica_node_use(ovl, parent) : NULL;
	return n;
}

void mica_node_drop(struct mica_ovl *ovl, struct mica_node *node)
{
	free_upwards(ovl, node);
}

/*
 * Two inodes may claim one number: an upper file whose origin xattr was copied with it,
 * or the other name of a lower file after one was copied up. Each host inode is a node
 * of its own, so the second goes by the number that nobody else can have.
 */
static bool same_object(const struct mica_node *known, const struct mica_node *fresh)
{
	if (S_ISDIR(known->type) || !fresh->upper)
		return true;
	return known->upper && known->upper_ino == fresh->upper_ino;
}

struct mica_node *mica_node_intern(struct mica_ovl *ovl, struct mica_node *fresh)
{
	struct mica_nodes *t = ovl->nodes;
	struct mica_node *known, **p;

	pthread_mutex_lock(&t->lock);
	known = *find(t, fresh->id);
	if (known && !same_object(known, fresh)) {
		fresh->id = fresh->upper_ino;
		known = *find(t, fresh->id);
	}
	if (known) {
		known->uses++;
	} else {
		if (t->node_count >= t->bucket_count)
			grow(t);
		p = bucket(t, fresh->id);
		fresh->uses = 1;
		fresh->next = *p;
		*p = fresh;
		t->node_count++;
	}
	pthread_mutex_unlock(&t->lock);
	if (!known)
		return fresh;
	mica_node_drop(ovl, fresh);
	return known;
}

int mica_node_rename(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *parent,
		     const char *name)
{
	struct mica_node *before = node->parent;
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if (node->name != node->first_name)
		free(node->name);
	node->name = copy;
	node->parent = mica_node_use(ovl, parent);
	mica_node_put(ovl, before);
	return 0;
}

/* Room for one more. */
static int lowers_grow(struct mica_node *node)
{
	struct mica_lower *before = node->lowers == &node->one ? NULL : node->lowers;
	struct mica_lower *more;

	if (!node->lower_count) {
		node->lowers = &node->one;
		return 0;
	}
	more = realloc(before, (node->lower_count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (!before)
		*more = node->one;
	node->lowers = more;
	return 0;
}

int mica_node_add_lower(struct mica_node *node, const struct mica_ovl_layer *layer, uint64_t nid,
			const char *path)
{
	struct mica_lower *lower;

	if (lowers_grow(node))
		return -ENOMEM;
	lower = &node->lowers[node->lower_count];
	*lower = (struct mica_lower){.layer = layer, .nid = nid};
	if (path) {
		lower->path = strdup(path);
		if (!lower->path)
			return -ENOMEM;
	}
	node->lower_count++;
	return 0;
}

void mica_node_clear_lowers(struct mica_node *node)
{
	for (unsigned int i = 0; i < node->lower_count; i++)
		free(node->lowers[i].path);
	if (node->lowers != &node->one)
		free(node->lowers);
	node->lowers = NULL;
	node->lower_count = 0;
}
