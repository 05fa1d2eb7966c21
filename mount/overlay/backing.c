/* SPDX-License-Identifier: MIT */
#include "backing.h"

#include <errno.h>

#include "ops.h"

/* In fuse_file_info.fh: which way it went. */
enum {
	BY_REQUESTS,
	BY_FILE,
};

/* 0: the kernel does not want it, because of where it lies for instance. */
static int kernel_open(fuse_req_t req, int fd)
{
#ifdef FUSE_CAP_PASSTHROUGH
	int id = fd < 0 ? 0 : fuse_passthrough_open(req, fd);

	return id > 0 ? id : 0;
#else
	(void)req;
	(void)fd;
	return 0;
#endif
}

static void kernel_close(fuse_req_t req, int id)
{
#ifdef FUSE_CAP_PASSTHROUGH
	fuse_passthrough_close(req, id);
#else
	(void)req;
	(void)id;
#endif
}

static void fi_set(struct fuse_file_info *fi, int id)
{
#ifdef FUSE_CAP_PASSTHROUGH
	fi->backing_id = id;
#endif
	fi->fh = id ? BY_FILE : BY_REQUESTS;
	fi->keep_cache = !id;
}

int mica_backing_open(fuse_req_t req, struct mica_node *node, int fd, struct fuse_file_info *fi)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_backing *b;
	int ret = 0;

	pthread_mutex_lock(&ovl->backings);
	if (!node->backing)
		node->backing = calloc(1, sizeof(*b));
	b = node->backing;
	if (!b)
		ret = -ENOMEM;
	else if (!b->backed && !b->cached)
		b->id = kernel_open(req, fd);
	if (!ret && b->id)
		b->backed++;
	else if (!ret)
		b->cached++;
	if (!ret)
		fi_set(fi, b->id);
	pthread_mutex_unlock(&ovl->backings);
	return ret;
}

void mica_backing_close(fuse_req_t req, struct mica_node *node, const struct fuse_file_info *fi)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_backing *b;

	pthread_mutex_lock(&ovl->backings);
	b = node->backing;
	if (b && fi->fh == BY_FILE && !--b->backed)
		kernel_close(req, b->id);
	else if (b && fi->fh == BY_REQUESTS)
		b->cached--;
	if (b && !b->backed && !b->cached) {
		node->backing = NULL;
		free(b);
	}
	pthread_mutex_unlock(&ovl->backings);
}
