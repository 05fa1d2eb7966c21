/* SPDX-License-Identifier: MIT */
/*
 * The device table: other files that hold a part of the image's data. Each has
 * its place in one address space, behind the image itself; so when no other
 * file is given, they are expected there, joined to the image.
 */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>

#include "util.h"
#include "uuid.h"

static void device_decode(const struct mica_super *sb, const struct erofs_device_disk *slot,
			  struct mica_device *out)
{
	uint64_t start = le32_get(slot->uniaddr_lo);
	uint64_t blocks = le32_get(slot->blocks_lo);

	if (sb->feature_incompat & EROFS_INCOMPAT_48BIT) {
		start |= (uint64_t)le16_get(slot->uniaddr_hi) << 32;
		blocks |= (uint64_t)le16_get(slot->blocks_hi) << 32;
	}
	*out = (struct mica_device){.start = start << sb->blkbits, .size = blocks << sb->blkbits};
	memcpy(out->tag, slot->tag, sizeof(slot->tag));
}

static int table_load(struct mica_image *img, struct mica_err *err)
{
	const struct mica_super *sb = &img->sb;
	struct erofs_device_disk slot;
	int ret;

	if (!mica_range_in(sb->devt_off, sb->extra_devices * (uint64_t)sizeof(slot), img->io->size))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "device table at %" PRIu32 ": %u slots of %zu bytes reach over "
				    "the end of the image at %" PRIu64,
				    sb->devt_off, sb->extra_devices, sizeof(slot), img->io->size);
	img->devices = calloc(sb->extra_devices, sizeof(*img->devices));
	if (!img->devices)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < sb->extra_devices; i++) {
		ret = mica_meta_read(img, false, sb->devt_off + i * sizeof(slot), &slot,
				     sizeof(slot), err);
		if (ret)
			return ret;
		device_decode(sb, &slot, &img->devices[i]);
	}
	return 0;
}

/* A tag that is a UUID tells which image the device is. */
static int device_check_tag(const struct mica_device *d, struct mica_io *io, struct mica_err *err)
{
	char found[MICA_UUID_TEXT];
	struct mica_super sb;
	uint8_t uuid[16];
	int ret;

	if (!mica_uuid_parse(d->tag, uuid))
		return 0;
	ret = mica_super_read(io, false, &sb, err);
	if (ret)
		return mica_err_wrap(err, "%s", io->name);
	if (!memcmp(sb.uuid, uuid, sizeof(uuid)))
		return 0;
	mica_uuid_format(sb.uuid, found);
	return mica_err_set(err, MICA_E_USAGE, "%s: its UUID is %s, not %s", io->name, found,
			    d->tag);
}

static int device_check(const struct mica_device *d, struct mica_io *io, struct mica_err *err)
{
	if (io->size < d->size)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s: it has %" PRIu64 " bytes, fewer than %" PRIu64, io->name,
				    io->size, d->size);
	return device_check_tag(d, io, err);
}

int mica_image_load_devices(struct mica_image *img, const struct mica_image_opts *opts,
			    struct mica_err *err)
{
	unsigned int given = opts ? opts->device_count : 0;
	int ret;

	if (given && given != img->sb.extra_devices)
		return mica_err_set(err, MICA_E_USAGE, "%u devices are given, the image has %u",
				    given, img->sb.extra_devices);
	if (!img->sb.extra_devices)
		return 0;
	ret = table_load(img, err);
	for (unsigned int i = 0; !ret && i < given; i++) {
		ret = device_check(&img->devices[i], opts->devices[i], err);
		if (ret)
			return mica_err_wrap(err, "device %u of %u", i + 1, given);
	}
	if (ret || !given)
		return ret;
	img->device_ios = calloc(given, sizeof(struct mica_io *));
	if (!img->device_ios)
		return mica_err_nomem(err);
	memcpy(img->device_ios, opts->devices, given * sizeof(struct mica_io *));
	return 0;
}

void mica_image_free_devices(struct mica_image *img)
{
	for (unsigned int i = 0; img->device_ios && i < img->sb.extra_devices; i++)
		mica_io_free(img->device_ios[i]);
	free(img->device_ios);
	free(img->devices);
}

const struct mica_device *mica_image_device(const struct mica_image *img, unsigned int id)
{
	return &img->devices[id - 1];
}

/* The extra device (from 1 on) that has unified address pa, 0: none. */
static unsigned int device_at(const struct mica_image *img, uint64_t pa)
{
	for (unsigned int i = 0; i < img->sb.extra_devices; i++) {
		const struct mica_device *d = &img->devices[i];

		if (d->start && pa >= d->start && pa - d->start < d->size)
			return i + 1;
	}
	return 0;
}

static int device_missing(const struct mica_image *img, unsigned int id, struct mica_err *err)
{
	const char *tag = img->devices[id - 1].tag;

	return mica_err_set(err, MICA_E_UNSUPPORTED,
			    "device %u of %u%s%s is another file, which was not given", id,
			    img->sb.extra_devices, *tag ? ", " : "", tag);
}

static int resolve_joined(const struct mica_image *img, uint16_t *device, uint64_t *pa,
			  uint64_t len, struct mica_err *err)
{
	unsigned int id = *device;

	if (id && !img->devices[id - 1].start)
		return device_missing(img, id, err);
	if (id && mica_add_overflows(*pa, img->devices[id - 1].start, pa))
		return mica_err_set(err, MICA_E_CORRUPT, "address overflow on device %u", id);
	*device = 0;
	if (mica_range_in(*pa, len, img->io->size))
		return 0;
	if (!id)
		id = device_at(img, *pa);
	if (id)
		return device_missing(img, id, err);
	return mica_err_set(err, MICA_E_CORRUPT,
			    "%" PRIu64 " bytes at %" PRIu64
			    " reach over the end of the image at %" PRIu64,
			    len, *pa, img->io->size);
}

int mica_image_resolve(const struct mica_image *img, uint16_t *device, uint64_t *pa, uint64_t len,
		       struct mica_err *err)
{
	struct mica_io *io;

	if (!img->device_ios)
		return resolve_joined(img, device, pa, len, err);
	if (!*device) {
		*device = (uint16_t)device_at(img, *pa);
		*pa -= *device ? img->devices[*device - 1].start : 0;
	}
	io = mica_image_device_io(img, *device);
	/* the table may say that a device has no blocks at all: mkfs.erofs 1.5 does */
	if (mica_range_in(*pa, len, io->size))
		return 0;
	return mica_err_set(err, MICA_E_CORRUPT,
			    "%" PRIu64 " bytes at %" PRIu64 " reach over the end of %s at %" PRIu64,
			    len, *pa, io->name, io->size);
}
