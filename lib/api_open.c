/* SPDX-License-Identifier: MIT */
/* The public interface: from what the caller has to an image. */
#include "mica.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "api_err.h"
#include "image.h"
#include "util.h"

/* An io over the caller's functions. */
struct io_calls {
	struct mica_io io;
	struct mica_storage s;
};

static int io_calls_read_at(struct mica_io *io, void *buf, size_t len, uint64_t off,
			    struct mica_err *err)
{
	const struct mica_storage *s = &((struct io_calls *)io)->s;
	int sys = s->read(s->ctx, buf, len, off);

	if (sys)
		return mica_err_sys(err, sys, "%s: read %zu bytes at %" PRIu64, io->name, len, off);
	return 0;
}

static void io_calls_ahead(struct mica_io *io, uint64_t off, uint64_t len)
{
	const struct mica_storage *s = &((struct io_calls *)io)->s;

	if (s->ahead)
		s->ahead(s->ctx, off, len);
}

static const void *io_calls_map(struct mica_io *io, uint64_t off, uint64_t len)
{
	const struct mica_storage *s = &((struct io_calls *)io)->s;

	return s->map ? s->map(s->ctx, off, len) : NULL;
}

static const struct mica_io_ops io_calls_ops = {
	.read_at = io_calls_read_at,
	.ahead = io_calls_ahead,
	.map = io_calls_map,
};

static int io_calls_open(const struct mica_storage *s, const char *name, struct mica_io **out,
			 struct mica_err *err)
{
	struct io_calls *c;

	if (!s->read)
		return mica_err_set(err, MICA_E_USAGE, "%s: there is no function to read it", name);
	c = calloc(1, sizeof(*c));
	if (!c)
		return mica_err_nomem(err);
	c->io.ops = &io_calls_ops;
	c->io.size = s->length;
	c->io.name = strdup(name);
	if (!c->io.name) {
		free(c);
		return mica_err_nomem(err);
	}
	c->s = *s;
	*out = &c->io;
	return 0;
}

static int io_fd_open(int fd, const char *name, struct mica_io **out, struct mica_err *err)
{
	cleanup_fd int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int ret;

	if (own < 0)
		return mica_err_sys(err, errno, "%s: file descriptor %d", name, fd);
	ret = mica_io_open_fd(own, name, 0, out, err);
	if (!ret)
		own = -1;
	return ret;
}

/*
 * A struct of the caller's, whose header may be older or newer than this library: what
 * the caller does not know of is 0, and what the library does not know of must be.
 */
static int struct_take(void *to, size_t to_size, const void *from, size_t size, size_t least,
		       const char *what, struct mica_err *err)
{
	const uint8_t *bytes = from;

	if (size < least)
		return mica_err_set(err, MICA_E_USAGE, "%s.struct_size is %zu, less than %zu", what,
				    size, least);
	for (size_t i = to_size; i < size; i++)
		if (bytes[i])
			return mica_err_set(err, MICA_E_UNSUPPORTED,
					    "%s has a field that version " MICA_VERSION
					    " of the library does not know",
					    what);
	memset(to, 0, to_size);
	memcpy(to, from, mica_min(size, to_size));
	return 0;
}

static int storage_open_whole(const struct mica_storage *s, struct mica_io **out,
			      struct mica_err *err)
{
	const char *name = s->name ? s->name : "image";

	switch (s->kind) {
	case MICA_STORAGE_PATH:
		if (!s->name)
			return mica_err_set(err, MICA_E_USAGE, "a path is needed");
		return mica_io_open_file(s->name, 0, out, err);
	case MICA_STORAGE_FD:
		return io_fd_open(s->fd, name, out, err);
	case MICA_STORAGE_MEMORY:
		if (s->length > SIZE_MAX || (s->length && !s->data))
			return mica_err_set(err, MICA_E_USAGE, "%s: there are no %" PRIu64 " bytes",
					    name, s->length);
		return mica_io_open_mem(name, s->data, (size_t)s->length, out, err);
	case MICA_STORAGE_CALLS:
		return io_calls_open(s, name, out, err);
	default:
		return mica_err_set(err, MICA_E_USAGE, "%s: no kind %" PRIu32 " of storage", name,
				    s->kind);
	}
}

/* *offset: of the storage */
static int storage_open(const struct mica_storage *storage, struct mica_io **out, uint64_t *offset,
			struct mica_err *err)
{
	cleanup_io struct mica_io *whole = NULL;
	struct mica_storage s;
	int ret;

	if (!storage)
		return mica_err_set(err, MICA_E_USAGE, "a storage is needed");
	ret = struct_take(&s, sizeof(s), storage, storage->struct_size, sizeof(s),
			  "struct mica_storage", err);
	if (!ret)
		ret = storage_open_whole(&s, &whole, err);
	if (!ret && s.offset)
		ret = mica_io_open_window(whole, true, s.offset, out, err);
	else if (!ret)
		*out = whole;
	if (ret)
		return ret;
	whole = NULL;
	*offset = s.offset;
	return 0;
}

static int ios_open(const struct mica_storage *storage, const struct mica_options *o,
		    struct mica_image_ios *ios, struct mica_err *err)
{
	uint64_t offset, ignored;
	int ret;

	ios->devices = calloc((size_t)o->device_count + 1, sizeof(struct mica_io *));
	if (!ios->devices)
		return mica_err_nomem(err);
	ret = storage_open(storage, &ios->io, &offset, err);
	if (!ret && !offset)
		ret = mica_image_ios_place(ios, o->device_count, err);
	for (uint32_t i = 0; !ret && i < o->device_count; i++) {
		ret = storage_open(o->devices[i], &ios->devices[i], &ignored, err);
		if (!ret)
			ios->device_count = i + 1;
	}
	return ret;
}

static int options_take(const struct mica_options *options, struct mica_options *out,
			struct mica_err *err)
{
	int ret;

	*out = (struct mica_options){.struct_size = sizeof(*out)};
	if (!options)
		return 0;
	ret = struct_take(out, sizeof(*out), options, options->struct_size, sizeof(*out),
			  "struct mica_options", err);
	if (ret)
		return ret;
	if (out->flags)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "flags 0x%" PRIx32 " are not known",
				    out->flags);
	if (out->device_count > UINT16_MAX || (out->device_count && !out->devices))
		return mica_err_set(err, MICA_E_USAGE, "%" PRIu32 " devices cannot be given",
				    out->device_count);
	return 0;
}

int mica_open_storage(const struct mica_storage *storage, const struct mica_options *options,
		      struct mica_image **out, struct mica_err *err)
{
	cleanup(mica_image_ios_clear) struct mica_image_ios ios = {0};
	struct mica_image_opts opts = {0};
	struct mica_options o;
	int ret;

	err = API_ERR(err);
	ret = options_take(options, &o, err);
	if (!ret)
		ret = ios_open(storage, &o, &ios, err);
	if (ret)
		return ret;
	opts.cache_bytes = o.cache_bytes;
	opts.devices = ios.devices;
	opts.device_count = ios.device_count;
	ret = mica_image_open(ios.io, &opts, out, err);
	if (!ret)
		mica_image_ios_release(&ios);
	return ret;
}

int mica_open(const char *path, const struct mica_options *options, struct mica_image **out,
	      struct mica_err *err)
{
	const struct mica_storage storage = {
		.struct_size = sizeof(storage),
		.kind = MICA_STORAGE_PATH,
		.name = path,
	};

	return mica_open_storage(&storage, options, out, err);
}

void mica_close(struct mica_image *image)
{
	mica_image_free(image);
}
