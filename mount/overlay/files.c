/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "layer_impl.h"
#include "upper.h"

#define SHARE	  4 /* part of the descriptors that the process may have */
#define FILES_MAX 1024

struct mica_files {
	pthread_mutex_t lock;
	struct mica_file *newest, *oldest;
	unsigned int count, max;
};

int mica_files_new(struct mica_files **out)
{
	struct mica_files *f = calloc(1, sizeof(*f));
	struct rlimit limit = {.rlim_cur = 1024};

	if (!f)
		return -ENOMEM;
	getrlimit(RLIMIT_NOFILE, &limit);
	f->max = (unsigned int)mica_max(1, mica_min(limit.rlim_cur / SHARE, FILES_MAX));
	if (pthread_mutex_init(&f->lock, NULL)) {
		free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

static void unchain(struct mica_files *f, struct mica_file *file)
{
	*(file->newer ? &file->newer->older : &f->newest) = file->older;
	*(file->older ? &file->older->newer : &f->oldest) = file->newer;
	file->newer = file->older = NULL;
	f->count--;
}

static void chain(struct mica_files *f, struct mica_file *file)
{
	file->newer = NULL;
	file->older = f->newest;
	*(f->newest ? &f->newest->newer : &f->oldest) = file;
	f->newest = file;
	f->count++;
}

static void file_free(struct mica_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

/* No longer its node's; the lock is held. */
static void detach(struct mica_files *f, struct mica_file *file)
{
	unchain(f, file);
	file->node->file = NULL;
	file->node = NULL;
	if (!file->pins)
		file_free(file);
}

static void evict(struct mica_files *f)
{
	struct mica_file *file = f->oldest, *newer;

	for (; file && f->count > f->max; file = newer) {
		newer = file->newer;
		if (!file->pins)
			detach(f, file);
	}
}

void mica_files_free(struct mica_files *f)
{
	if (!f)
		return;
	while (f->oldest)
		detach(f, f->oldest);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int open_upper(struct mica_ovl *ovl, struct mica_node *node, bool write,
		      struct mica_file *out)
{
	struct mica_place at;
	int ret = mica_node_upper(ovl, node, &at);

	if (ret)
		return ret;
	out->writable = true;
	out->fd = mica_in_dir_open_as(&at, O_RDWR);
	if (out->fd < 0 && !write) {
		out->writable = false;
		out->fd = mica_in_dir_open_as(&at, O_RDONLY);
	}
	if (out->fd < 0)
		return out->fd;
	/* an empty file's data is nowhere else, whatever the kernel's overlayfs says of it */
	if (out->writable)
		mica_upper_unmark(&ovl->upper, out->fd, "metacopy");
	return 0;
}

static int open_lower(struct mica_ovl *ovl, struct mica_node *node, struct mica_file *out)
{
	struct mica_place at;
	int ret = mica_node_data(ovl, node, &at);

	return ret ? ret : mica_place_open(&at, &out->fd);
}

/* The node's file if it will do, pinned. The lock is held. */
static struct mica_file *take(struct mica_files *f, struct mica_node *node, bool write)
{
	struct mica_file *file = node->file;

	if (!file || (write && !file->writable))
		return NULL;
	file->pins++;
	unchain(f, file);
	chain(f, file);
	return file;
}

int mica_file_get(struct mica_ovl *ovl, struct mica_node *node, bool write, struct mica_file **out)
{
	struct mica_files *f = ovl->files;
	struct mica_file *file;
	bool upper = mica_node_owns_data(node);
	int ret;

	pthread_mutex_lock(&f->lock);
	*out = take(f, node, write);
	pthread_mutex_unlock(&f->lock);
	if (*out)
		return 0;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	*file = (struct mica_file){.fd = -1, .pins = 1};
	ret = upper ? open_upper(ovl, node, write, file) : open_lower(ovl, node, file);
	if (ret) {
		free(file);
		return ret;
	}
	pthread_mutex_lock(&f->lock);
	if (node->file)
		detach(f, node->file);
	/* what was opened below while it was copied up still reads right, but once only */
	if (upper == mica_node_owns_data(node)) {
		file->node = node;
		node->file = file;
		chain(f, file);
		evict(f);
	}
	pthread_mutex_unlock(&f->lock);
	*out = file;
	return 0;
}

void mica_file_put(struct mica_ovl *ovl, struct mica_file *file)
{
	bool last;

	pthread_mutex_lock(&ovl->files->lock);
	last = !--file->pins && !file->node;
	pthread_mutex_unlock(&ovl->files->lock);
	if (last)
		file_free(file);
}

void mica_file_drop(struct mica_ovl *ovl, struct mica_node *node)
{
	pthread_mutex_lock(&ovl->files->lock);
	if (node->file)
		detach(ovl->files, node->file);
	pthread_mutex_unlock(&ovl->files->lock);
}
