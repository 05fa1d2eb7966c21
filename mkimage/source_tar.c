/* SPDX-License-Identifier: MIT */
/*
 * The tar source. libarchive decompresses; headers are read here, because
 * names must come through as bytes in any locale, global pax headers and
 * fractions of negative times must count, and errors must say where.
 */
#include "source_tar.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/image.h"
#include "../lib/util.h"
#include "quote.h"

/* Of one header; sparse maps and xattrs are the large ones. */
#define TAR_TEXT_MAX ((uint64_t)64 << 20)
/* Global records are read again for each entry. */
#define TAR_GLOBAL_MAX ((uint64_t)64 << 10)

int mica_tar_truncated(struct mica_source_tar *t, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_INPUT, "truncated: the archive ends at byte %" PRIu64,
			    mica_tar_stream_offset(t->stream));
}

int mica_tar_skip(struct mica_source_tar *t, uint64_t len, struct mica_err *err)
{
	uint64_t got;
	int ret = mica_tar_stream_skip(t->stream, len, &got, err);

	if (ret || got == len)
		return ret;
	return mica_tar_truncated(t, err);
}

int mica_tar_text_add(struct mica_tar_text *text, const void *p, size_t len, struct mica_err *err)
{
	size_t need = text->len + len + 1;
	size_t cap = text->cap ? text->cap : 256;
	char *grown;

	while (cap < need)
		cap *= 2;
	if (cap != text->cap) {
		grown = realloc(text->p, cap);
		if (!grown)
			return mica_err_nomem(err);
		text->p = grown;
		text->cap = cap;
	}
	memcpy(text->p + text->len, p, len);
	text->len += len;
	text->p[text->len] = '\0';
	return 0;
}

int mica_tar_text_read(struct mica_source_tar *t, struct mica_tar_text *text, uint64_t len,
		       struct mica_err *err)
{
	while (len) {
		const unsigned char *p;
		size_t n;
		int ret = mica_tar_stream_peek(t->stream, &p, &n, err);

		if (ret < 0)
			return ret;
		if (!ret)
			return mica_tar_truncated(t, err);
		/* memory follows what is there, not what a header claims */
		n = mica_min(n, len);
		ret = mica_tar_text_add(text, p, n, err);
		if (ret)
			return ret;
		mica_tar_stream_take(t->stream, n);
		len -= n;
	}
	return 0;
}

int mica_tar_field(struct mica_source_tar *t, const char *what, const char *field, size_t len,
		   int64_t *out, struct mica_err *err)
{
	cleanup_free char *shown = NULL;

	if (mica_tar_number(field, len, out))
		return 0;
	shown = strndup(field, len);
	if (!shown)
		return mica_err_nomem(err);
	return mica_err_set(err, MICA_E_INPUT, "header at byte %" PRIu64 ": %s '%s' is no number",
			    mica_tar_stream_offset(t->stream) - MICA_TAR_BLOCK, what,
			    mica_quote(shown).text);
}

static bool bytes_are_zero(const unsigned char *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* Headers that belong to an entry which did not come. */
static int tar_check_pending(struct mica_source_tar *t, struct mica_err *err)
{
	if (t->name.len || t->link.len || t->pax.len)
		return mica_err_set(err, MICA_E_INPUT,
				    "truncated: the archive ends at byte %" PRIu64
				    ", between the headers of an entry",
				    mica_tar_stream_offset(t->stream));
	return 0;
}

/*
 * Whether an archive is followed by its own index (mkimage --append): a footer
 * at the end of the file says so.
 */
static bool tar_find_footer(const struct mica_source_tar *t, struct mica_footer *footer)
{
	struct mica_io *io cleanup_io = NULL;
	struct mica_err err = {0};
	struct stat st;
	int fd;

	if (mica_tar_stream_filter(t->stream) || fstat(t->base.fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	fd = fcntl(t->base.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (mica_io_open_fd(fd, t->base.name, 0, &io, &err)) {
		close(fd);
		return false;
	}
	return mica_footer_find(io, footer, &err) > 0 && footer->device;
}

static int tar_no_archive(struct mica_source_tar *t, struct mica_err *err)
{
	const char *filter = mica_tar_stream_filter(t->stream);

	return mica_err_set(err, MICA_E_INPUT, "not a tar archive%s%s", filter ? " inside " : "",
			    filter ? filter : "");
}

/*
 * Behind the end mark. Others stop here, too, whatever follows; reading it all
 * lets filters check their sums, and the writer of a pipe write.
 */
static int tar_end(struct mica_source_tar *t, struct mica_err *err)
{
	struct mica_footer footer;
	const unsigned char *p;
	bool told = false;
	size_t n;
	int ret = tar_check_pending(t, err);

	t->ended = true;
	while (!ret && (ret = mica_tar_stream_peek(t->stream, &p, &n, err)) > 0) {
		uint64_t at = mica_tar_stream_offset(t->stream);

		if (!told && !bytes_are_zero(p, n)) {
			if (tar_find_footer(t, &footer) && at <= footer.image)
				return 0;
			/* such as an image, which begins with zeros */
			if (!t->any)
				return tar_no_archive(t, err);
			for (size_t i = 0; !p[i]; i++)
				at++;
			mica_report_warn(
				t->base.report,
				"%s: what follows the end of the archive, from byte %" PRIu64
				" on, is left out (see --ignore-zeros)",
				t->base.name, at);
			told = true;
		}
		mica_tar_stream_take(t->stream, n);
		ret = 0;
	}
	return ret;
}

/* An end mark that is no end: the next archive may follow. 1: it may; 0: this is the end */
static int tar_pass_mark(struct mica_source_tar *t, struct mica_err *err)
{
	struct mica_footer footer;

	if (!t->marked && tar_find_footer(t, &footer))
		t->bytes = footer.device;
	t->marked = true;
	return mica_tar_stream_offset(t->stream) < t->bytes ? 1 : tar_end(t, err);
}

void mica_source_ignore_zeros(struct mica_source *src)
{
	struct mica_source_tar *t = (struct mica_source_tar *)src;

	if (!mica_source_is_tar(src))
		return;
	t->ignore_zeros = true;
	t->bytes = UINT64_MAX;
}

/* 1: a header; 0: the end of the archive */
static int tar_read_header(struct mica_source_tar *t, struct mica_tar_header *h,
			   struct mica_err *err)
{
	size_t got;
	int ret;

	while (!(ret = mica_tar_stream_read(t->stream, h, sizeof(*h), &got, err)) &&
	       got == sizeof(*h) && mica_tar_is_zero(h)) {
		ret = t->ignore_zeros ? tar_pass_mark(t, err) : tar_end(t, err);
		if (ret <= 0)
			return ret;
	}
	if (ret)
		return ret;
	if (t->marked && bytes_are_zero((const unsigned char *)h, got)) {
		t->ended = true;
		return tar_check_pending(t, err);
	}
	if (!got) {
		t->ended = true;
		mica_report_warn(t->base.report,
				 "%s: no end mark at byte %" PRIu64
				 ": the archive may be truncated",
				 t->base.name, mica_tar_stream_offset(t->stream));
		return tar_check_pending(t, err);
	}
	if (!t->any && (got < sizeof(*h) || !mica_tar_checksum_ok(h)))
		return tar_no_archive(t, err);
	if (got < sizeof(*h))
		return mica_tar_truncated(t, err);
	if (!mica_tar_checksum_ok(h))
		return mica_err_set(err, MICA_E_INPUT,
				    "header at byte %" PRIu64 ", after '%s': wrong checksum",
				    mica_tar_stream_offset(t->stream) - sizeof(*h),
				    mica_quote(t->path.p ? t->path.p : "").text);
	t->any = true;
	t->marked = false;
	return 1;
}

/* Read the data of a special header into text, NULL: skip it. */
static int tar_read_special(struct mica_source_tar *t, const struct mica_tar_header *h,
			    struct mica_tar_text *text, uint64_t max, struct mica_err *err)
{
	uint64_t at = mica_tar_stream_offset(t->stream) - sizeof(*h);
	uint64_t used = text ? text->len : 0;
	int64_t size;
	int ret;

	ret = mica_tar_field(t, "size", h->size, sizeof(h->size), &size, err);
	if (ret)
		return ret;
	if (size < 0 || (text && (uint64_t)size > max - used))
		return mica_err_set(err, MICA_E_LIMIT,
				    "header of type '%c' at byte %" PRIu64 ": %" PRIi64
				    " bytes exceed %" PRIu64,
				    h->typeflag, at, size, max - used);
	ret = text ? mica_tar_text_read(t, text, (uint64_t)size, err)
		   : mica_tar_skip(t, (uint64_t)size, err);
	if (!ret)
		ret = mica_tar_skip(t, -(uint64_t)size % MICA_TAR_BLOCK, err);
	return ret ? mica_err_wrap(err, "header of type '%c' at byte %" PRIu64, h->typeflag, at)
		   : 0;
}

/* 1: the header described the next entry or the archive, and was taken in; 0: it is an entry */
static int tar_take_special(struct mica_source_tar *t, const struct mica_tar_header *h,
			    struct mica_err *err)
{
	struct mica_tar_text *text = NULL;
	uint64_t max = TAR_TEXT_MAX;
	int ret;

	switch (h->typeflag) {
	case MICA_TAR_PAX:
	case MICA_TAR_PAX_SUN:
		text = &t->pax;
		t->pax_seen = true;
		break;
	case MICA_TAR_PAX_GLOBAL:
		text = &t->global;
		max = TAR_GLOBAL_MAX;
		t->pax_seen = true;
		break;
	case MICA_TAR_GNU_NAME:
		text = &t->name;
		text->len = 0;
		break;
	case MICA_TAR_GNU_LINK:
		text = &t->link;
		text->len = 0;
		break;
	case MICA_TAR_GNU_VOLUME:
		break;
	case MICA_TAR_SUN_ACL:
	case MICA_TAR_GNU_RENAMES:
		mica_report_warn(
			t->base.report, "%s: header of type '%c' at byte %" PRIu64 " is left out",
			t->base.name, h->typeflag, mica_tar_stream_offset(t->stream) - sizeof(*h));
		break;
	default:
		return 0;
	}
	ret = tar_read_special(t, h, text, max, err);
	return ret ? ret : 1;
}

static int tar_next(struct mica_source *src, struct mica_err *err)
{
	struct mica_source_tar *t = (struct mica_source_tar *)src;
	struct mica_tar_header h;
	int ret;

	for (;;) {
		ret = mica_tar_skip(t, t->stored_left + t->padding, err);
		if (ret)
			return mica_err_wrap(err, "'%s'", mica_quote(t->path.p).text);
		t->stored_left = t->padding = 0;
		t->runs_left = 0;
		if (t->ended)
			return 0;
		ret = tar_read_header(t, &h, err);
		if (ret <= 0)
			return ret;
		ret = tar_take_special(t, &h, err);
		if (ret < 0)
			return ret;
		if (ret)
			continue;
		ret = mica_tar_entry(t, &h, err);
		t->name.len = t->link.len = t->pax.len = 0;
		if (ret != 2)
			return ret;
	}
}

static int tar_read(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		    struct mica_err *err)
{
	struct mica_source_tar *t = (struct mica_source_tar *)src;
	const unsigned char *p;
	size_t n;
	int ret;

	while (t->runs_left && t->run_done == t->run->len) {
		t->run++;
		t->runs_left--;
		t->run_done = 0;
	}
	if (!t->runs_left)
		return 0;
	ret = mica_tar_stream_peek(t->stream, &p, &n, err);
	if (ret < 0)
		return ret;
	if (!ret)
		return mica_err_set(err, MICA_E_INPUT,
				    "truncated: the archive ends at byte %" PRIu64 ", %" PRIu64
				    " bytes before the end of the file",
				    mica_tar_stream_offset(t->stream), t->stored_left);
	n = mica_min(n, t->run->len - t->run_done);
	*buf = p;
	*len = n;
	*off = t->run->off + t->run_done;
	/* the bytes stay where they are until the next peek */
	mica_tar_stream_take(t->stream, n);
	t->run_done += n;
	t->stored_left -= n;
	return 1;
}

static void tar_progress(struct mica_source *src, uint64_t *done, uint64_t *total)
{
	mica_tar_stream_progress(((struct mica_source_tar *)src)->stream, done, total);
}

static int tar_start(struct mica_source *src, struct mica_ahead_pool *pool, struct mica_err *err)
{
	return mica_tar_stream_start(((struct mica_source_tar *)src)->stream, pool, err);
}

static void tar_blame(struct mica_source *src, struct mica_err *err)
{
	mica_tar_stream_blame(((struct mica_source_tar *)src)->stream, err);
}

static void tar_free(struct mica_source *src)
{
	struct mica_source_tar *t = (struct mica_source_tar *)src;

	mica_tar_stream_free(t->stream);
	mica_runs_free(&t->runs);
	free(t->name.p);
	free(t->link.p);
	free(t->pax.p);
	free(t->global.p);
	free(t->path.p);
	for (size_t i = 0; i < MICA_TAR_KEYS_MAX; i++)
		free(t->reported[i]);
}

bool mica_source_tar_place(const struct mica_source *src, uint64_t *off)
{
	const struct mica_source_tar *t = (const struct mica_source_tar *)src;

	*off = mica_tar_stream_offset(t->stream);
	return !src->entry.runs && t->stored_left == src->entry.size &&
	       !mica_source_tar_filter(src);
}

uint64_t mica_source_tar_offset(const struct mica_source *src)
{
	return mica_tar_stream_offset(((const struct mica_source_tar *)src)->stream);
}

const char *mica_source_tar_filter(const struct mica_source *src)
{
	return mica_tar_stream_filter(((const struct mica_source_tar *)src)->stream);
}

static const struct mica_source_ops tar_ops = {
	.next = tar_next,
	.read = tar_read,
	.progress = tar_progress,
	.start = tar_start,
	.blame = tar_blame,
	.free = tar_free,
};

bool mica_source_is_tar(const struct mica_source *src)
{
	return src->ops == &tar_ops;
}

int mica_source_tar_new(const struct mica_tar_stream_spec *spec, struct mica_source **out,
			struct mica_err *err)
{
	struct mica_source_tar *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return mica_err_nomem(err);
	t->base.ops = &tar_ops;
	t->base.fd = -1;
	ret = mica_tar_stream_new(spec, &t->stream, err);
	if (ret) {
		mica_source_free(&t->base);
		return ret;
	}
	*out = &t->base;
	return 0;
}
