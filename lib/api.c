/* SPDX-License-Identifier: MIT */
/* The public interface: what is in an image. Inodes are read anew by each call, from the cache. */
#include "mica.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "api_err.h"
#include "filetype.h"
#include "image.h"
#include "util.h"

const char *mica_version(void)
{
	return MICA_VERSION;
}

uint32_t mica_version_number(void)
{
	return MICA_VERSION_NUMBER;
}

void mica_info(const struct mica_image *image, struct mica_info *out)
{
	const struct mica_super *sb = mica_image_super(image);

	*out = (struct mica_info){
		.root = sb->root_nid,
		.inodes = sb->inos,
		.blocks = sb->blocks,
		.epoch = sb->epoch,
		.block_size = sb->block_size,
		.device_count = sb->extra_devices,
	};
	memcpy(out->uuid, sb->uuid, sizeof(out->uuid));
	memcpy(out->volume_name, sb->volume_name, sizeof(sb->volume_name));
}

int mica_stat(struct mica_image *image, uint64_t nid, struct mica_stat *out, struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = mica_image_inode(image, nid, &inode, err);
	if (!ret)
		mica_inode_stat(mica_image_super(image), &inode, out);
	return ret;
}

int mica_lookup(struct mica_image *image, uint64_t dir, const char *name, struct mica_stat *out,
		struct mica_err *err)
{
	struct mica_inode inode;
	uint64_t nid;
	uint8_t type;
	int ret;

	err = API_ERR(err);
	ret = mica_image_inode(image, dir, &inode, err);
	if (!ret)
		ret = mica_dir_lookup(image, &inode, name, strlen(name), &nid, &type, err);
	return ret ? ret : mica_stat(image, nid, out, err);
}

int mica_walk(struct mica_image *image, const char *path, struct mica_stat *out,
	      struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = mica_image_walk(image, path, &inode, err);
	if (!ret)
		mica_inode_stat(mica_image_super(image), &inode, out);
	return ret;
}

long mica_readlink(struct mica_image *image, uint64_t nid, char *buf, size_t cap,
		   struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = mica_image_inode(image, nid, &inode, err);
	return ret ? ret : mica_image_readlink(image, &inode, buf, cap, err);
}

int mica_opendir(struct mica_image *image, uint64_t nid, struct mica_dir **out,
		 struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = mica_image_inode(image, nid, &inode, err);
	return ret ? ret : mica_dir_open(image, &inode, out, err);
}

int mica_readdir(struct mica_dir *dir, struct mica_name *out, struct mica_err *err)
{
	struct mica_dirent de;
	int ret = mica_dir_next(dir, &de, API_ERR(err));

	if (ret <= 0)
		return ret;
	out->nid = de.nid;
	out->ino = mica_super_ino(mica_image_super(mica_dir_image(dir)), de.nid);
	out->next = de.next;
	out->type = mica_filetype_mode(de.type);
	out->name_len = de.name_len;
	memcpy(out->name, de.name, de.name_len + 1);
	return ret;
}

void mica_seekdir(struct mica_dir *dir, uint64_t cookie)
{
	mica_dir_seek(dir, cookie);
}

void mica_closedir(struct mica_dir *dir)
{
	mica_dir_free(dir);
}

static int file_inode(struct mica_image *image, uint64_t nid, struct mica_inode *out,
		      struct mica_err *err)
{
	int ret = mica_image_inode(image, nid, out, err);

	if (!ret && !S_ISREG(out->mode))
		return mica_err_set(err, MICA_E_USAGE, "inode %" PRIu64 " is not a regular file",
				    nid);
	return ret;
}

long mica_read(struct mica_image *image, uint64_t nid, void *buf, size_t len, uint64_t off,
	       struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = file_inode(image, nid, &inode, err);
	return ret ? ret : mica_image_read(image, &inode, buf, len, off, err);
}

int mica_map(struct mica_image *image, uint64_t nid, uint64_t off, uint64_t len, const void **data,
	     uint64_t *got, struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = file_inode(image, nid, &inode, err);
	return ret ? ret : mica_image_bytes(image, &inode, off, len, data, got, err);
}

int mica_seek(struct mica_image *image, uint64_t nid, uint64_t off, int hole, uint64_t *out,
	      struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = file_inode(image, nid, &inode, err);
	return ret ? ret : mica_image_seek(image, &inode, off, hole, out, err);
}

int mica_ahead(struct mica_image *image, uint64_t nid, uint64_t off, uint64_t len,
	       struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = file_inode(image, nid, &inode, err);
	return ret ? ret : mica_image_ahead(image, &inode, off, len, err);
}

long mica_getxattr(struct mica_image *image, uint64_t nid, const char *name, void *buf, size_t cap,
		   struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = mica_image_inode(image, nid, &inode, err);
	return ret ? ret : mica_xattr_get(image, &inode, name, buf, cap, err);
}

long mica_listxattr(struct mica_image *image, uint64_t nid, char *buf, size_t cap,
		    struct mica_err *err)
{
	struct mica_inode inode;
	int ret;

	err = API_ERR(err);
	ret = mica_image_inode(image, nid, &inode, err);
	return ret ? ret : mica_xattr_list(image, &inode, true, buf, cap, err);
}
