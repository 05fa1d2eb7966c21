/* SPDX-License-Identifier: MIT */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "layer_impl.h"
#include "owners.h"
#include "xattrs.h"

/* Without the mounts below it, as overlayfs sees a layer, where the caller may ask for that. */
static int directory_open(const char *path)
{
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return fd >= 0 ? fd : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int mica_ovl_layer_open(struct mica_ovl_layer *layer, const struct mica_image_files *files,
			const struct mica_image_opts *opts, struct mica_err *err)
{
	struct stat st;

	layer->fd = -1;
	layer->name = strdup(files->path);
	if (!layer->name)
		return mica_err_nomem(err);
	if (stat(files->path, &st) < 0)
		return mica_err_sys(err, errno, "%s", files->path);
	if (S_ISDIR(st.st_mode)) {
		layer->fd = directory_open(files->path);
		if (layer->fd < 0)
			return mica_err_sys(err, errno, "%s: open", files->path);
		return 0;
	}
	if (mica_image_open_files(files, opts, &layer->image, err))
		return err->code;
	layer->sb = mica_image_super(layer->image);
	memcpy(layer->uuid, layer->sb->uuid, sizeof(layer->uuid));
	return 0;
}

void mica_ovl_layer_clear(struct mica_ovl_layer *layer)
{
	mica_image_free(layer->image);
	if (layer->fd >= 0)
		close(layer->fd);
	free(layer->name);
	*layer = (struct mica_ovl_layer){.fd = -1};
}

void mica_ovl_layer_root(const struct mica_ovl_layer *layer, struct mica_place *out)
{
	out->layer = layer;
	out->nid = layer->image ? layer->sb->root_nid : 0;
	out->fd = -1;
	out->base = layer->fd;
	strcpy(out->path, layer->image ? "" : ".");
}

int mica_place_enter(struct mica_place *place, const char *name, const struct mica_found *found)
{
	size_t used = strlen(place->path), len = strlen(name);

	place->nid = found->nid;
	if (place->layer->image)
		return 0;
	if (place->fd >= 0) {
		place->base = place->fd;
		place->fd = -1;
		strcpy(place->path, ".");
		used = 1;
	}
	if (used + 1 + len >= sizeof(place->path))
		return -ENAMETOOLONG;
	place->path[used] = '/';
	memcpy(place->path + used + 1, name, len + 1);
	return 0;
}

int mica_place_stat(const struct mica_place *place, struct stat *st)
{
	int ret;

	if (place->layer->image)
		return mica_in_image_stat(place, st);
	ret = mica_in_dir_stat(place, st);
	if (!ret && place->layer->owners)
		mica_owners_show(place, st);
	return ret;
}

/* The second kind: an empty file that says so, since no device can be made everywhere. */
static bool whiteout_by_xattr(const struct mica_place *dir, const char *name,
			      const struct mica_found *found)
{
	struct mica_place at = *dir;

	return S_ISREG(found->st.st_mode) && found->st.st_size == 0 &&
	       !mica_place_enter(&at, name, found) && mica_overlay_marked(&at, "whiteout", NULL);
}

/*
 * The third kind, of OCI layers, which fuse-overlayfs writes where it can make no devices:
 * ".wh.NAME" is a whiteout of NAME, ".wh..wh..opq" an opaque mark.
 */
#define DOT_OPAQUE ".wh..wh..opq"

bool mica_ovl_layer_reserves(const struct mica_ovl_layer *layer, const char *name)
{
	return layer->dot_whiteouts && !layer->image &&
	       !strncmp(name, MICA_DOT_WHITEOUT, strlen(MICA_DOT_WHITEOUT));
}

static int dot_whiteout(const struct mica_place *dir, const char *name, struct mica_found *out)
{
	char mark[sizeof(MICA_DOT_WHITEOUT) + NAME_MAX];

	if (!dir->layer->dot_whiteouts || dir->layer->image)
		return -ENOENT;
	snprintf(mark, sizeof(mark), MICA_DOT_WHITEOUT "%s", name);
	if (mica_in_dir_lookup(dir, mark, out))
		return -ENOENT;
	out->whiteout = true;
	return 0;
}

bool mica_place_dot_opaque(const struct mica_place *dir)
{
	struct mica_found found;

	return dir->layer->dot_whiteouts && !dir->layer->image &&
	       !mica_in_dir_lookup(dir, DOT_OPAQUE, &found);
}

static void owners_show(const struct mica_place *dir, const char *name, struct mica_found *found)
{
	struct mica_place at = *dir;

	if (!mica_place_enter(&at, name, found))
		mica_owners_show(&at, &found->st);
}

int mica_place_lookup(const struct mica_place *dir, const char *name, struct mica_found *out)
{
	int ret = -ENOENT;

	if (dir->layer->image)
		ret = mica_in_image_lookup(dir, name, out);
	else if (!mica_ovl_layer_reserves(dir->layer, name))
		ret = mica_in_dir_lookup(dir, name, out);
	if (ret)
		return ret == -ENOENT ? dot_whiteout(dir, name, out) : ret;
	if (dir->layer->owners)
		owners_show(dir, name, out);
	out->whiteout = (S_ISCHR(out->st.st_mode) && out->st.st_rdev == makedev(0, 0)) ||
			whiteout_by_xattr(dir, name, out);
	return 0;
}

int mica_place_readlink(const struct mica_place *place, char *buf, size_t cap)
{
	return place->layer->image ? mica_in_image_readlink(place, buf, cap)
				   : mica_in_dir_readlink(place, buf, cap);
}

long mica_place_getxattr(const struct mica_place *place, const char *name, void *buf, size_t cap)
{
	return place->layer->image ? mica_in_image_getxattr(place, name, buf, cap)
				   : mica_in_dir_getxattr(place, name, buf, cap);
}

long mica_place_listxattr(const struct mica_place *place, char *buf, size_t cap)
{
	return place->layer->image ? mica_in_image_listxattr(place, buf, cap)
				   : mica_in_dir_listxattr(place, buf, cap);
}

struct without_dots {
	const struct mica_ovl_layer *layer;
	mica_place_each *each;
	void *ctx;
};

static int each_without_dots(void *ctx, const char *name, uint64_t ino, mode_t type)
{
	const struct without_dots *w = ctx;

	return mica_ovl_layer_reserves(w->layer, name) ? 0 : w->each(w->ctx, name, ino, type);
}

int mica_place_list(const struct mica_place *dir, mica_place_each *each, void *ctx)
{
	struct without_dots w = {.layer = dir->layer, .each = each, .ctx = ctx};

	if (dir->layer->image)
		return mica_in_image_list(dir, each, ctx);
	return mica_in_dir_list(dir, each_without_dots, &w);
}

int mica_place_open(const struct mica_place *place, int *fd)
{
	*fd = -1;
	return place->layer->image ? 0 : mica_in_dir_open(place, fd);
}

long mica_place_read(const struct mica_place *place, int fd, void *buf, size_t len, uint64_t off)
{
	ssize_t n;

	if (place->layer->image)
		return mica_in_image_read(place, buf, len, off);
	n = pread(fd, buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

off_t mica_place_seek(const struct mica_place *place, int fd, uint64_t off, bool hole)
{
	off_t to;

	if (place->layer->image)
		return mica_in_image_seek(place, off, hole);
	to = lseek(fd, (off_t)off, hole ? SEEK_HOLE : SEEK_DATA);
	return to < 0 ? -errno : to;
}
