/* SPDX-License-Identifier: MIT */
#include "overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "anchors.h"
#include "files.h"
#include "layer_impl.h"
#include "node.h"
#include "owners.h"
#include "upper.h"

#ifndef FS_IOC_GETFSUUID
/* from Linux 6.9 on */
struct fsuuid2 {
	uint8_t len;
	uint8_t uuid[16];
};
#define FS_IOC_GETFSUUID _IOR(0x15, 0, struct fsuuid2)
#endif

static void directory_uuid(struct mica_ovl_layer *layer)
{
	struct mica_place at;
	struct fsuuid2 found;
	cleanup_fd int fd = -1;

	mica_ovl_layer_root(layer, &at);
	fd = mica_in_dir_open_as(&at, O_RDONLY | O_DIRECTORY);
	if (fd >= 0 && !ioctl(fd, FS_IOC_GETFSUUID, &found) && found.len == sizeof(layer->uuid))
		memcpy(layer->uuid, found.uuid, sizeof(layer->uuid));
}

/* Directories on one file system number their inodes alike: also the upper one's. */
static unsigned int file_system_number(const struct mica_ovl *ovl,
				       const struct mica_ovl_layer *layer)
{
	const struct mica_ovl_layer *first = NULL;
	struct stat mine, other;

	if (layer->image || fstat(layer->fd, &mine) < 0)
		return layer->depth;
	if (ovl->upper.layer.fd >= 0 && !fstat(ovl->upper.layer.fd, &other) &&
	    mine.st_dev == other.st_dev)
		return 0;
	/* without an upper directory the first takes its place: numbers as on the host */
	for (unsigned int i = 0; ovl->upper.layer.fd < 0 && i < layer->depth; i++)
		if (!ovl->lowers[i].image) {
			first = &ovl->lowers[i];
			break;
		}
	if (first && (first == layer || (!fstat(first->fd, &other) && mine.st_dev == other.st_dev)))
		return 0;
	for (unsigned int i = 0; i + 1 < layer->depth; i++)
		if (!ovl->lowers[i].image && !fstat(ovl->lowers[i].fd, &other) &&
		    mine.st_dev == other.st_dev)
			return ovl->lowers[i].fs;
	return layer->depth;
}

static int lowers_open(struct mica_ovl *ovl, const struct mica_ovl_opts *opts, struct mica_err *err)
{
	const struct mica_image_opts image_opts = {
		.cache_bytes = opts->cache_bytes / mica_max(1, opts->lower_count),
	};

	if (opts->lower_count > MICA_OVL_LAYERS_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "%u layers exceed %u", opts->lower_count,
				    MICA_OVL_LAYERS_MAX);
	ovl->lowers = calloc(opts->lower_count, sizeof(*ovl->lowers));
	if (!ovl->lowers)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < opts->lower_count; i++) {
		const struct mica_image_files files = {.path = opts->lowers[i]};
		struct mica_ovl_layer *layer = &ovl->lowers[i];

		layer->fd = -1;
		ovl->lower_count++;
		if (mica_ovl_layer_open(layer, &files, &image_opts, err))
			return err->code;
		layer->depth = i + 1;
		layer->userxattr = ovl->upper.layer.userxattr;
		layer->dot_whiteouts = ovl->flags & MICA_OVL_DOT_WHITEOUTS;
		layer->fs = file_system_number(ovl, layer);
		if (!layer->image)
			directory_uuid(layer);
	}
	return 0;
}

static int root_make(struct mica_ovl *ovl, struct mica_err *err)
{
	struct mica_node *root = mica_node_new(ovl, NULL, NULL);
	struct stat st;
	int ret = root ? 0 : -ENOMEM;

	if (!ret) {
		root->id = MICA_OVL_ROOT;
		root->type = S_IFDIR;
		root->lookups = 1;
		root->upper = mica_ovl_writable(ovl);
	}
	for (unsigned int i = ovl->lower_count; !ret && i-- > 0;)
		ret = mica_node_add_lower(root, &ovl->lowers[i],
					  ovl->lowers[i].image ? ovl->lowers[i].sb->root_nid : 0,
					  ".");
	if (!ret && root->upper && !fstat(ovl->upper.layer.fd, &st))
		root->upper_ino = st.st_ino;
	if (ret) {
		if (root)
			mica_node_drop(ovl, root);
		return mica_err_nomem(err);
	}
	mica_node_put(ovl, mica_node_intern(ovl, root));
	return 0;
}

static int locks_make(struct mica_ovl *ovl, struct mica_err *err)
{
	pthread_rwlockattr_t attr;
	int ret = pthread_rwlockattr_init(&attr);

	if (ret)
		return mica_err_sys(err, ret, "lock");
	/* else a stream of lookups keeps out whoever wants to change a name */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	ret = pthread_rwlock_init(&ovl->tree, &attr);
	pthread_rwlockattr_destroy(&attr);
	if (!ret)
		ret = pthread_mutex_init(&ovl->listings, NULL);
	if (!ret)
		ret = pthread_mutex_init(&ovl->backings, NULL);
	for (unsigned int i = 0; !ret && i < MICA_OVL_COPYING; i++)
		ret = pthread_mutex_init(&ovl->copying[i], NULL);
	if (ret)
		return mica_err_sys(err, ret, "lock");
	ovl->locks = true;
	return 0;
}

int mica_ovl_new(const struct mica_ovl_opts *opts, struct mica_ovl **out, struct mica_err *err)
{
	struct mica_ovl *ovl = calloc(1, sizeof(*ovl));

	*out = ovl;
	if (!ovl)
		return mica_err_nomem(err);
	ovl->flags = opts->flags;
	ovl->timeout = opts->timeout;
	ovl->ids = opts->ids;
	ovl->upper.layer.fd = ovl->upper.work = ovl->upper.lock = ovl->upper.index = -1;
	ovl->upper.layer.userxattr = opts->flags & MICA_OVL_USERXATTR;
	ovl->upper.layer.dot_whiteouts = opts->flags & MICA_OVL_DOT_WHITEOUTS;
	if (locks_make(ovl, err))
		return err->code;
	if (mica_nodes_new(&ovl->nodes) || mica_anchors_new(&ovl->anchors) ||
	    mica_files_new(&ovl->files))
		return mica_err_nomem(err);
	if (opts->upper && mica_upper_open(&ovl->upper, opts->upper, opts->work, opts->flags, err))
		return err->code;
	/* the kernel does not follow what any user could have written */
	if (ovl->upper.layer.userxattr && !(ovl->flags & MICA_OVL_REDIRECT_USER))
		ovl->flags &= ~(unsigned int)MICA_OVL_REDIRECT;
	if (!opts->upper && geteuid() != 0)
		ovl->upper.layer.userxattr = true;
	if (lowers_open(ovl, opts, err))
		return err->code;
	if (mica_owners_open(ovl, opts->owners, err))
		return err->code;
	return root_make(ovl, err);
}

void mica_ovl_free(struct mica_ovl *ovl)
{
	if (!ovl)
		return;
	if (ovl->nodes && ovl->anchors && ovl->files)
		mica_nodes_clear(ovl);
	mica_nodes_free(ovl->nodes);
	mica_anchors_free(ovl->anchors);
	mica_files_free(ovl->files);
	for (unsigned int i = 0; i < ovl->lower_count; i++)
		mica_ovl_layer_clear(&ovl->lowers[i]);
	free(ovl->lowers);
	mica_upper_close(&ovl->upper);
	if (ovl->locks) {
		pthread_rwlock_destroy(&ovl->tree);
		pthread_mutex_destroy(&ovl->listings);
		pthread_mutex_destroy(&ovl->backings);
		for (unsigned int i = 0; i < MICA_OVL_COPYING; i++)
			pthread_mutex_destroy(&ovl->copying[i]);
	}
	free(ovl);
}
