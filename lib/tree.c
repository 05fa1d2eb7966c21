/* SPDX-License-Identifier: MIT */
/*
 * Names and inodes come from slabs with free lists; one hash table over
 * (directory, name) serves all directories. Until mica_tree_finish() a
 * directory's children are an unsorted list. Nothing here recurses, so that
 * depth costs no stack.
 */
#include "tree.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "util.h"

#define TREE_SLAB_BYTES ((size_t)256 * 1024)
#define TREE_ALIGN	8
#define TREE_NAME_MAX	255
#define TREE_BUCKETS	1024
/* size classes of freed names: their bytes / TREE_ALIGN */
#define TREE_CLASSES ((sizeof(struct mica_tnode) + TREE_NAME_MAX + 1) / TREE_ALIGN + 1)

/* with two hash buckets and a NUL this leaves room in the 256 bytes promised for an entry */
static_assert(sizeof(struct mica_tinode) + sizeof(struct mica_tnode) <= 176, "size of an entry");

struct tree_slab {
	struct tree_slab *next;
	size_t used;
	_Alignas(TREE_ALIGN) unsigned char bytes[];
};

struct tree_free {
	struct tree_free *next;
};

struct mica_tree {
	struct tree_slab *slabs;
	struct tree_free *free_inodes;
	struct tree_free *free_names[TREE_CLASSES];
	struct mica_tnode **buckets;
	size_t bucket_count; /* a power of two */
	size_t name_count;   /* names in the hash */
	uint64_t seed;
	struct mica_tnode *root;
};

static void *tree_alloc(struct mica_tree *tree, size_t len)
{
	struct tree_slab *slab = tree->slabs;

	if (!slab || TREE_SLAB_BYTES - sizeof(*slab) - slab->used < len) {
		slab = malloc(TREE_SLAB_BYTES);
		if (!slab)
			return NULL;
		slab->next = tree->slabs;
		slab->used = 0;
		tree->slabs = slab;
	}
	slab->used += len;
	return slab->bytes + slab->used - len;
}

static void *tree_alloc_from(struct mica_tree *tree, struct tree_free **list, size_t len)
{
	struct tree_free *p = *list;

	if (!p)
		return tree_alloc(tree, len);
	*list = p->next;
	return p;
}

static void tree_give_back(struct tree_free **list, void *mem)
{
	struct tree_free *p = mem;

	p->next = *list;
	*list = p;
}

static size_t name_bytes(size_t len)
{
	return (size_t)mica_round_up(offsetof(struct mica_tnode, name) + len + 1, TREE_ALIGN);
}

static size_t hash_bucket(const struct mica_tree *tree, const struct mica_tnode *dir,
			  const char *name, size_t len)
{
	uint64_t seed = tree->seed ^ ((uint64_t)(uintptr_t)dir * 0x9e3779b97f4a7c15u);

	return (size_t)XXH3_64bits_withSeed(name, len, seed) & (tree->bucket_count - 1);
}

static void hash_insert(struct mica_tree *tree, struct mica_tnode *node)
{
	size_t b = hash_bucket(tree, node->parent, node->name, node->name_len);

	node->hash_next = tree->buckets[b];
	tree->buckets[b] = node;
}

static int hash_grow(struct mica_tree *tree, struct mica_err *err)
{
	struct mica_tnode **old = tree->buckets;
	size_t old_count = tree->bucket_count;

	tree->buckets = calloc(old_count * 2, sizeof(struct mica_tnode *));
	if (!tree->buckets) {
		tree->buckets = old;
		return mica_err_nomem(err);
	}
	tree->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct mica_tnode *node = old[i];

			old[i] = node->hash_next;
			hash_insert(tree, node);
		}
	}
	free(old);
	return 0;
}

static void hash_remove(struct mica_tree *tree, struct mica_tnode *node)
{
	size_t b = hash_bucket(tree, node->parent, node->name, node->name_len);
	struct mica_tnode **p = &tree->buckets[b];

	while (*p != node)
		p = &(*p)->hash_next;
	*p = node->hash_next;
	tree->name_count--;
}

static void node_link(struct mica_tree *tree, struct mica_tnode *dir, struct mica_tnode *node)
{
	node->parent = dir;
	node->sibling = dir->inode->children;
	dir->inode->children = node;
	hash_insert(tree, node);
	tree->name_count++;
}

static struct mica_tnode *node_new(struct mica_tree *tree, const char *name, size_t len)
{
	size_t bytes = name_bytes(len);
	struct mica_tnode *node =
		tree_alloc_from(tree, &tree->free_names[bytes / TREE_ALIGN], bytes);

	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->cut = MICA_TREE_UNCUT;
	node->name_len = (uint8_t)len;
	memcpy(node->name, name, len);
	node->name[len] = '\0';
	return node;
}

int mica_tree_inode_new(struct mica_tree *tree, struct mica_tinode **out, struct mica_err *err)
{
	struct mica_tinode *inode = tree_alloc_from(tree, &tree->free_inodes, sizeof(*inode));

	if (!inode)
		return mica_err_nomem(err);
	memset(inode, 0, sizeof(*inode));
	*out = inode;
	return 0;
}

void mica_tree_inode_hold(struct mica_tinode *inode)
{
	inode->refs++;
}

void mica_tree_inode_release(struct mica_tree *tree, struct mica_tinode *inode)
{
	assert(inode->refs);
	if (--inode->refs)
		return;
	assert(!inode->children);
	if (!inode->pinned)
		tree_give_back(&tree->free_inodes, inode);
}

int mica_tree_root_new(struct mica_tree *tree, struct mica_tnode **out, struct mica_err *err)
{
	struct mica_tnode *node = node_new(tree, "", 0);
	struct mica_tinode *inode;
	int ret;

	if (!node)
		return mica_err_nomem(err);
	ret = mica_tree_inode_new(tree, &inode, err);
	if (ret)
		return ret;
	inode->mode = S_IFDIR | 0755;
	inode->implicit = true;
	mica_tree_set_inode(tree, node, inode);
	*out = node;
	return 0;
}

int mica_tree_new(struct mica_tree **out, struct mica_err *err)
{
	struct mica_tree *tree = calloc(1, sizeof(*tree));
	int ret;

	if (!tree)
		return mica_err_nomem(err);
	/* unknown to whoever made the input, so that names cannot be chosen to collide */
	if (getrandom(&tree->seed, sizeof(tree->seed), GRND_NONBLOCK) < 0)
		tree->seed = (uintptr_t)tree;
	tree->bucket_count = TREE_BUCKETS;
	tree->buckets = calloc(tree->bucket_count, sizeof(struct mica_tnode *));
	ret = tree->buckets ? mica_tree_root_new(tree, &tree->root, err) : mica_err_nomem(err);
	if (ret) {
		mica_tree_free(tree);
		return ret;
	}
	*out = tree;
	return 0;
}

void mica_tree_free(struct mica_tree *tree)
{
	if (!tree)
		return;
	while (tree->slabs) {
		struct tree_slab *slab = tree->slabs;

		tree->slabs = slab->next;
		free(slab);
	}
	free(tree->buckets);
	free(tree);
}

struct mica_tnode *mica_tree_root(struct mica_tree *tree)
{
	return tree->root;
}

struct mica_tnode *mica_tree_find(struct mica_tree *tree, const struct mica_tnode *dir,
				  const char *name, size_t len)
{
	struct mica_tnode *node = tree->buckets[hash_bucket(tree, dir, name, len)];

	while (node &&
	       (node->parent != dir || node->name_len != len || memcmp(node->name, name, len)))
		node = node->hash_next;
	return node;
}

int mica_tree_add(struct mica_tree *tree, struct mica_tnode *dir, const char *name, size_t len,
		  struct mica_tnode **out, struct mica_err *err)
{
	struct mica_tnode *node;
	int ret;

	assert(len >= 1 && len <= TREE_NAME_MAX && dir->inode);
	if (tree->name_count >= tree->bucket_count) {
		ret = hash_grow(tree, err);
		if (ret)
			return ret;
	}
	node = node_new(tree, name, len);
	if (!node)
		return mica_err_nomem(err);
	node_link(tree, dir, node);
	*out = node;
	return 0;
}

void mica_tree_set_inode(struct mica_tree *tree, struct mica_tnode *node, struct mica_tinode *inode)
{
	struct mica_tinode *old = node->inode;

	if (inode == old)
		return;
	if (old && old->children) {
		if (!inode)
			mica_tree_clear(tree, node);
		else
			inode->children = old->children;
		old->children = NULL;
	}
	if (inode)
		inode->refs++;
	node->inode = inode;
	if (old)
		mica_tree_inode_release(tree, old);
}

struct mica_tnode *mica_tree_pop(struct mica_tree *tree, struct mica_tnode *dir)
{
	struct mica_tnode *node = dir->inode->children;

	if (!node)
		return NULL;
	hash_remove(tree, node);
	dir->inode->children = node->sibling;
	node->sibling = NULL;
	node->parent = NULL;
	return node;
}

void mica_tree_put(struct mica_tree *tree, struct mica_tnode *dir, struct mica_tnode *node)
{
	node_link(tree, dir, node);
}

void mica_tree_drop(struct mica_tree *tree, struct mica_tnode *node)
{
	/* .sibling is free in a detached node: it chains those that are still to be taken apart */
	node->sibling = NULL;
	while (node) {
		struct mica_tnode *child =
			node->inode && node->inode->children ? mica_tree_pop(tree, node) : NULL;

		if (child) {
			child->sibling = node;
			node = child;
			continue;
		}
		child = node;
		node = child->sibling;
		mica_tree_set_inode(tree, child, NULL);
		tree_give_back(&tree->free_names[name_bytes(child->name_len) / TREE_ALIGN], child);
	}
}

void mica_tree_clear(struct mica_tree *tree, struct mica_tnode *dir)
{
	struct mica_tnode *child;

	while (dir->inode && (child = mica_tree_pop(tree, dir)))
		mica_tree_drop(tree, child);
}

char *mica_tree_path(const struct mica_tnode *node)
{
	const struct mica_tnode *n;
	size_t len = 0;
	char *path, *end;

	for (n = node; n->parent; n = n->parent)
		len += (size_t)n->name_len + 1;
	path = malloc(len + 1);
	if (!path)
		return NULL;
	/* each name was counted with one separator, the first one needs none */
	end = path + (len ? len - 1 : 0);
	*end = '\0';
	for (n = node; n->parent; n = n->parent) {
		end -= n->name_len;
		memcpy(end, n->name, n->name_len);
		if (n->parent->parent)
			*--end = '/';
	}
	return path;
}
