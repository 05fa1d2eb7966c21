/* SPDX-License-Identifier: MIT */
/*
 * From paths to open files: where in its file an image begins, and which files
 * its devices are.
 */
#include <inttypes.h>

#include "../formats/footer.h"
#include "image_priv.h"
#include "util.h"

static bool footer_fits(const struct mica_footer *f, uint64_t size)
{
	return f->image % MICA_FOOTER_ALIGN == 0 &&
	       mica_range_in(f->image, f->length, size - sizeof(struct mica_footer_disk)) &&
	       f->device <= f->image;
}

int mica_footer_find(struct mica_io *io, struct mica_footer *out, struct mica_err *err)
{
	struct mica_footer_disk d;
	uint64_t off = io->size - sizeof(d);
	struct mica_footer f;
	int ret;

	if (io->size < sizeof(d))
		return 0;
	ret = mica_io_read(io, &d, sizeof(d), off, err);
	if (ret)
		return ret;
	if (!mica_footer_decode(&d, &f))
		return 0;
	if (!footer_fits(&f, io->size))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "%s: footer at 0x%" PRIx64 ": image of %" PRIu64
				    " bytes at %" PRIu64 " behind a device of %" PRIu64
				    ", in a file of %" PRIu64,
				    io->name, off, f.length, f.image, f.device, io->size);
	*out = f;
	return 1;
}

/* 1: an image that is not the first thing in its file, as *footer says */
static int files_find(struct mica_io *io, struct mica_footer *footer, struct mica_err *err)
{
	le32 magic;

	/* what the kernel would mount comes first */
	if (io->size >= EROFS_SUPER_OFFSET + sizeof(magic)) {
		int ret = mica_io_read(io, &magic, sizeof(magic), EROFS_SUPER_OFFSET, err);

		if (ret || le32_get(magic) == EROFS_MAGIC)
			return ret;
	}
	return mica_footer_find(io, footer, err);
}

int mica_image_ios_place(struct mica_image_ios *ios, bool devices_given, struct mica_err *err)
{
	struct mica_io *whole = ios->io;
	struct mica_footer f;
	bool is_device;
	int ret = files_find(whole, &f, err);

	if (ret <= 0)
		return ret;
	is_device = f.device && !devices_given;
	ret = mica_io_open_window(whole, !is_device, f.image, &ios->io, err);
	if (ret || !is_device)
		return ret;
	ios->devices[0] = whole;
	ios->device_count = 1;
	return 0;
}

int mica_image_ios_open(const struct mica_image_files *files, struct mica_image_ios *out,
			struct mica_err *err)
{
	struct mica_image_ios ios = {
		.devices = calloc(files->device_count + 1u, sizeof(struct mica_io *))};
	int ret;

	if (!ios.devices)
		return mica_err_nomem(err);
	ret = mica_io_open_file(files->path, files->offset, &ios.io, err);
	if (!ret && !files->offset)
		ret = mica_image_ios_place(&ios, files->device_count, err);
	if (!ret && files->device_count) {
		ret = mica_io_open_files(files->devices, files->device_count, ios.devices, err);
		ios.device_count = ret ? 0 : files->device_count;
	}
	if (ret) {
		mica_image_ios_clear(&ios);
		return ret;
	}
	*out = ios;
	return 0;
}

void mica_image_ios_clear(struct mica_image_ios *ios)
{
	mica_io_free(ios->io);
	for (unsigned int i = 0; i < ios->device_count; i++)
		mica_io_free(ios->devices[i]);
	free(ios->devices);
	*ios = (struct mica_image_ios){0};
}

void mica_image_ios_release(struct mica_image_ios *ios)
{
	free(ios->devices);
	*ios = (struct mica_image_ios){0};
}

int mica_image_open_files(const struct mica_image_files *files, const struct mica_image_opts *opts,
			  struct mica_image **out, struct mica_err *err)
{
	struct mica_image_opts all = opts ? *opts : (struct mica_image_opts){0};
	cleanup(mica_image_ios_clear) struct mica_image_ios ios = {0};
	int ret = mica_image_ios_open(files, &ios, err);

	if (ret)
		return ret;
	all.devices = ios.devices;
	all.device_count = ios.device_count;
	ret = mica_image_open(ios.io, &all, out, err);
	if (!ret)
		mica_image_ios_release(&ios);
	return ret;
}
