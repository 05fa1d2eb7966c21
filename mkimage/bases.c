/* SPDX-License-Identifier: MIT */
#include "bases.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "../lib/util.h"
#include "../lib/uuid.h"
#include "data.h"
#include "outfile.h"

#define DEVICES_KERNEL MICA_KERNEL(5, 16)

static int base_open(const char *path, struct mica_image **out, struct mica_err *err)
{
	struct mica_io *io cleanup_io = NULL;
	int ret = mica_io_open_file(path, 0, &io, err);

	if (!ret)
		ret = mica_image_open(io, NULL, out, err);
	if (!ret)
		io = NULL;
	return ret;
}

/* What is in how a layer's metadata is written does not come along. */
static unsigned int data_kernel(const struct mica_super *sb)
{
	struct mica_super data = *sb;

	data.feature_incompat &= ~(EROFS_INCOMPAT_XATTR_PREFIXES | EROFS_INCOMPAT_METABOX);
	return mica_super_min_kernel(&data);
}

/* Devices that are joined to the image are a part of it. */
static int devices_check(struct mica_image *img, const char *path, struct mica_err *err)
{
	const struct mica_super *sb = mica_image_super(img);
	uint64_t size = mica_image_io(img)->size;

	for (unsigned int id = 1; id <= sb->extra_devices; id++) {
		const struct mica_device *d = mica_image_device(img, id);

		if (!d->start || !mica_range_in(d->start, d->size, size))
			return mica_err_set(
				err, MICA_E_UNSUPPORTED,
				"%s: refers to devices itself, which are not joined to it", path);
	}
	return 0;
}

/* What the superblock says, and whether it goes together with others. */
static int base_take(struct mica_bases *bases, const char *path, struct mica_err *err)
{
	struct mica_image *img cleanup_image = NULL;
	struct mica_base *l = &bases->v[bases->count];
	const struct mica_super *sb;
	struct mica_algcfgs cfgs;
	int ret = base_open(path, &img, err);

	if (ret)
		return ret;
	sb = mica_image_super(img);
	if (sb->block_size != MICA_BLOCK)
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "%s: has blocks of %" PRIu32 " bytes; layers are merged in "
				    "blocks of %u",
				    path, sb->block_size, MICA_BLOCK);
	ret = devices_check(img, path, err);
	if (ret)
		return ret;
	ret = mica_algcfg_read(mica_image_io(img), sb, &cfgs, err);
	if (ret)
		return mica_err_wrap(err, "%s", path);
	if (!cfgs.count && sb->feature_incompat & EROFS_INCOMPAT_ZERO_PADDING)
		mica_algcfg_plain_lz4(sb, &cfgs);
	mica_algcfgs_join(&bases->cfgs, &cfgs);
	if (data_kernel(sb) > bases->kernel) {
		bases->kernel = data_kernel(sb);
		bases->kernel_path = path;
	}
	l->path = path;
	l->bytes = mica_image_io(img)->size;
	l->blocks = mica_div_round_up(l->bytes, MICA_BLOCK);
	memcpy(l->uuid, sb->uuid, sizeof(l->uuid));
	mica_uuid_format(l->uuid, l->tag);
	bases->count++;
	return 0;
}

int mica_bases_open(const char *const *paths, unsigned int count, struct mica_bases *out,
		    struct mica_err *err)
{
	int ret = 0;

	*out = (struct mica_bases){0};
	if (count > MICA_BASES_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "%u layers; the limit is %u", count,
				    MICA_BASES_MAX);
	out->v = calloc(count + 1u, sizeof(*out->v));
	if (!out->v)
		return mica_err_nomem(err);
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = base_take(out, paths[i], err);
	return ret;
}

void mica_bases_free(struct mica_bases *bases)
{
	mica_bases_forget(bases);
	mica_extlist_free(&bases->list);
	free(bases->v);
	*bases = (struct mica_bases){0};
}

int mica_bases_settle(struct mica_bases *bases, bool flat, bool given, struct mica_compat *c,
		      struct mica_err *err)
{
	if (!flat && c->kernel < DEVICES_KERNEL)
		return mica_err_set(err, MICA_E_USAGE,
				    "an image over several devices needs Linux %u.%u, but it must "
				    "mount on %u.%u (--compat)",
				    DEVICES_KERNEL / 1000, DEVICES_KERNEL % 1000, c->kernel / 1000,
				    c->kernel % 1000);
	if (bases->kernel > c->kernel && given)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s needs Linux %u.%u, but the image must mount on %u.%u "
				    "(--compat)",
				    bases->kernel_path, bases->kernel / 1000, bases->kernel % 1000,
				    c->kernel / 1000, c->kernel % 1000);
	if (bases->kernel > c->kernel)
		mica_compat_set(bases->kernel, c);
	bases->extents = c->extents;
	return 0;
}

int mica_bases_place(struct mica_bases *bases, uint64_t end, unsigned int block_bits,
		     struct mica_err *err)
{
	uint64_t block = mica_round_up(end, MICA_BLOCK) >> block_bits;

	for (unsigned int i = 0; i < bases->count; i++) {
		struct mica_base *l = &bases->v[i];

		l->start = block << block_bits;
		if (mica_add_overflows(block, l->blocks, &block) || block > MICA_BLOCKS_MAX)
			return mica_err_set(err, MICA_E_LIMIT,
					    "%s: image and layers have more than %" PRIu32
					    " blocks of %u bytes together",
					    l->path, MICA_BLOCKS_MAX, 1u << block_bits);
	}
	return 0;
}

int mica_bases_ios(const struct mica_bases *bases, struct mica_io ***out, struct mica_err *err)
{
	cleanup_free const char **paths = calloc(bases->count + 1u, sizeof(*paths));
	cleanup_free struct mica_io **ios = calloc(bases->count + 1u, sizeof(*ios));
	int ret;

	if (!paths || !ios)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < bases->count; i++)
		paths[i] = bases->v[i].path;
	ret = mica_io_open_files(paths, bases->count, ios, err);
	if (!ret)
		*out = mica_steal_pointer(&ios);
	return ret;
}

int mica_bases_append(const struct mica_bases *bases, struct mica_outfile *out,
		      struct mica_err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < bases->count; i++) {
		const struct mica_base *l = &bases->v[i];
		cleanup_fd int fd = open(l->path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return mica_err_sys(err, errno, "%s: open", l->path);
		ret = mica_outfile_append_file(out, fd, l->bytes, l->path, err);
	}
	return ret;
}

int mica_bases_check(const struct mica_bases *bases, unsigned int base,
		     const struct mica_image *img, struct mica_err *err)
{
	const struct mica_base *l = &bases->v[base];

	if (!memcmp(mica_image_super(img)->uuid, l->uuid, sizeof(l->uuid)))
		return 0;
	return mica_err_set(err, MICA_E_INPUT, "%s: was replaced while it was read", l->path);
}

int mica_bases_map(struct mica_image *img, const struct mica_inode *inode, uint64_t la,
		   struct mica_extent *out, struct mica_err *err)
{
	int ret = mica_image_map(img, inode, la, out, err);

	if (ret || (out->la == la && out->llen))
		return ret;
	return mica_err_set(err, MICA_E_CORRUPT, "extent %" PRIu64 "+%" PRIu64 " at byte %" PRIu64,
			    out->la, out->llen, la);
}

int mica_bases_reopen(const struct mica_bases *bases, unsigned int base, struct mica_image **out,
		      struct mica_err *err)
{
	struct mica_image *img cleanup_image = NULL;
	int ret = base_open(bases->v[base].path, &img, err);

	if (!ret)
		ret = mica_bases_check(bases, base, img, err);
	if (!ret)
		*out = mica_steal_pointer(&img);
	return ret;
}
