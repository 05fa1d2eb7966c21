/* SPDX-License-Identifier: MIT */
/* All other formats: libarchive's filters, without a format of archives behind them. */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "unpack_impl.h"

struct unpack_other {
	struct mica_unpack base;
	struct archive *archive;
	unsigned char *buf;	  /* owned; the blob's bytes on their way */
	struct mica_err read_err; /* of the callback, which cannot pass one on */
};

static la_ssize_t other_callback(struct archive *archive, void *ctx, const void **buf)
{
	struct unpack_other *o = ctx;
	size_t got;

	if (mica_blob_read(o->base.blob, o->buf, MICA_UNPACK_INPUT, &got, &o->read_err)) {
		archive_set_error(archive, o->read_err.sys, "%s", o->read_err.msg);
		return ARCHIVE_FATAL;
	}
	*buf = o->buf;
	return (la_ssize_t)got;
}

static const char *other_name(const struct unpack_other *o)
{
	/* the last filter of the chain is the file itself */
	if (archive_filter_count(o->archive) < 2)
		return NULL;
	return archive_filter_name(o->archive, 0);
}

/* An error of libarchive, or of the read below it. */
static int other_fail(struct unpack_other *o, struct mica_err *err)
{
	const char *text = archive_error_string(o->archive);
	const char *name = other_name(o);

	if (o->read_err.code) {
		*err = o->read_err;
		return err->code;
	}
	if (archive_errno(o->archive) == ENOMEM)
		return mica_err_nomem(err);
	return mica_err_set(err, MICA_E_INPUT, "%s%s%s", name ? name : "", name ? ": " : "",
			    text ? text : "cannot be decompressed");
}

static int other_open(struct unpack_other *o, struct mica_err *err)
{
	struct archive_entry *entry;
	int ret;

	/* warns that some of them need a program, which is no loss until one is met */
	if (archive_read_support_filter_all(o->archive) < ARCHIVE_WARN ||
	    archive_read_support_format_raw(o->archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(o->archive) != ARCHIVE_OK)
		return other_fail(o, err);
	if (archive_read_open(o->archive, o, NULL, other_callback, NULL) != ARCHIVE_OK)
		return other_fail(o, err);
	ret = archive_read_next_header(o->archive, &entry);
	if (ret != ARCHIVE_OK && ret != ARCHIVE_EOF)
		return other_fail(o, err);
	o->base.ended = ret == ARCHIVE_EOF;
	return 0;
}

static int other_read(struct mica_unpack *u, unsigned char *buf, size_t len, size_t *got,
		      struct mica_err *err)
{
	struct unpack_other *o = (struct unpack_other *)u;
	la_ssize_t n = archive_read_data(o->archive, buf, len);

	if (n < 0)
		return other_fail(o, err);
	*got = (size_t)n;
	return 0;
}

static void other_free(struct mica_unpack *u)
{
	struct unpack_other *o = (struct unpack_other *)u;

	archive_read_free(o->archive);
	free(o->buf);
}

static const struct mica_unpack_ops other_ops = {
	.read = other_read,
	.free = other_free,
};

const char *mica_unpack_name(const struct mica_unpack *u)
{
	return u->ops == &other_ops ? other_name((const struct unpack_other *)u) : u->ops->name;
}

int mica_unpack_other_new(struct mica_blob *blob, struct mica_unpack **out, struct mica_err *err)
{
	struct unpack_other *o = calloc(1, sizeof(*o));
	int ret = 0;

	if (!o)
		return mica_err_nomem(err);
	o->base.ops = &other_ops;
	o->base.blob = blob;
	o->archive = archive_read_new();
	o->buf = malloc(MICA_UNPACK_INPUT);
	if (!o->archive || !o->buf)
		ret = mica_err_nomem(err);
	if (!ret)
		ret = other_open(o, err);
	if (ret) {
		mica_unpack_free(&o->base);
		return ret;
	}
	*out = &o->base;
	return 0;
}
