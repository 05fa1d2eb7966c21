/* SPDX-License-Identifier: MIT */
#include "anchors.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "layer_impl.h"

#define SHARE	    4 /* part of the descriptors that the process may have */
#define ANCHORS_MAX 1024

struct mica_anchors {
	pthread_mutex_t lock;
	struct mica_node **v;
	size_t count, cap, max;
	atomic_bool full; /* one was not opened for that reason */
};

int mica_anchors_new(struct mica_anchors **out)
{
	struct mica_anchors *a = calloc(1, sizeof(*a));
	struct rlimit limit = {.rlim_cur = 1024};

	if (!a)
		return -ENOMEM;
	getrlimit(RLIMIT_NOFILE, &limit);
	a->max = mica_max(1, mica_min(limit.rlim_cur / SHARE, ANCHORS_MAX));
	if (pthread_mutex_init(&a->lock, NULL)) {
		free(a);
		return -ENOMEM;
	}
	*out = a;
	return 0;
}

void mica_anchors_free(struct mica_anchors *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a->v);
	free(a);
}

/* The lock is held. */
static int add(struct mica_anchors *a, struct mica_node *dir, int fd)
{
	if (a->count == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 64;
		struct mica_node **v = realloc(a->v, cap * sizeof(struct mica_node *));

		if (!v)
			return -ENOMEM;
		a->v = v;
		a->cap = cap;
	}
	a->v[a->count++] = dir;
	dir->anchor = (uint32_t)a->count;
	atomic_store(&dir->fd, fd);
	return 0;
}

/* The lock is held. */
static void take_out(struct mica_anchors *a, struct mica_node *node)
{
	struct mica_node *last = a->v[--a->count];

	a->v[node->anchor - 1] = last;
	last->anchor = node->anchor;
	node->anchor = 0;
}

int mica_anchor_open(const struct mica_ovl *ovl, struct mica_node *dir, const struct mica_place *at,
		     bool must)
{
	struct mica_anchors *a = ovl->anchors;
	int fd, ret = 0;

	if (!must && atomic_load(&a->full))
		return 0;
	fd = mica_in_dir_open_path(at);
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&a->lock);
	/* another thread may have been faster */
	if (dir->fd < 0 && (must || a->count < a->max)) {
		ret = add(a, dir, fd);
		fd = ret ? fd : -1;
	} else if (dir->fd < 0) {
		atomic_store(&a->full, true);
	}
	pthread_mutex_unlock(&a->lock);
	if (fd >= 0)
		close(fd);
	return ret;
}

void mica_anchor_keep(const struct mica_ovl *ovl, struct mica_node *node)
{
	pthread_mutex_lock(&ovl->anchors->lock);
	if (node->anchor)
		take_out(ovl->anchors, node);
	pthread_mutex_unlock(&ovl->anchors->lock);
}

/* Those that were used since the last time stay, if that makes room. The lock is held. */
static void close_some(struct mica_anchors *a, bool used)
{
	for (size_t i = a->count; i-- > 0;) {
		struct mica_node *node = a->v[i];

		if (node->anchor_used && !used) {
			node->anchor_used = false;
			continue;
		}
		take_out(a, node);
		close(atomic_exchange(&node->fd, -1));
	}
}

void mica_anchors_trim(struct mica_ovl *ovl)
{
	struct mica_anchors *a = ovl->anchors;

	if (!atomic_load(&a->full))
		return;
	pthread_rwlock_wrlock(&ovl->tree);
	pthread_mutex_lock(&a->lock);
	close_some(a, false);
	if (a->count > a->max / 2)
		close_some(a, true);
	atomic_store(&a->full, false);
	pthread_mutex_unlock(&a->lock);
	pthread_rwlock_unlock(&ovl->tree);
}
