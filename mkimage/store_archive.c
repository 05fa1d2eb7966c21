/* SPDX-License-Identifier: MIT */
/* A layout in a tar archive: the places of its members. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "quote.h"
#include "source_tar.h"
#include "store_impl.h"
#include "tmpfile.h"

#define MEMBERS_MAX 100000
#define LINKS_MAX   8 /* from one member to the next */

static int archive_grow(struct mica_store *store, struct mica_err *err)
{
	size_t cap = store->cap ? 2 * store->cap : 64;
	struct mica_store_member *grown;

	if (store->count < store->cap)
		return 0;
	if (store->count == MEMBERS_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "it has more than %d members", MEMBERS_MAX);
	grown = reallocarray(store->members, cap, sizeof(*grown));
	if (!grown)
		return mica_err_nomem(err);
	store->members = grown;
	store->cap = cap;
	return 0;
}

/*
 * The name that a symlink in an archive leads to, *out NULL: none in it. Old
 * "docker save" links a layer to the same one of another image.
 */
static int link_resolve(const char *name, const char *target, char **out, struct mica_err *err)
{
	const char *slash = strrchr(name, '/'), *rest = target, *part;
	size_t used = slash ? (size_t)(slash - name) : 0;
	char *path = malloc(strlen(name) + strlen(target) + 2);

	*out = NULL;
	if (!path)
		return mica_err_nomem(err);
	memcpy(path, name, used);
	for (; *target != '/' && *rest; rest += *rest == '/') {
		size_t len = strcspn(rest, "/");

		part = rest;
		rest += len;
		if (!len || (len == 1 && part[0] == '.'))
			continue;
		if (len == 2 && !memcmp(part, "..", 2)) {
			if (!used)
				break;
			while (used && path[used - 1] != '/')
				used--;
			used -= used > 0;
			continue;
		}
		if (used)
			path[used++] = '/';
		memcpy(path + used, part, len);
		used += len;
	}
	path[used] = '\0';
	if (*target == '/' || *rest) {
		free(path);
		return 0;
	}
	*out = path;
	return 0;
}

static int archive_add(struct mica_store *store, struct mica_source *src,
		       const struct mica_entry *e, struct mica_err *err)
{
	struct mica_store_member m = {.order = store->count, .size = e->size};
	int ret = 0;

	if (!e->hardlink && !S_ISREG(e->mode) && !S_ISLNK(e->mode))
		return 0;
	if (!e->hardlink && S_ISREG(e->mode) && !mica_source_tar_place(src, &m.off))
		return mica_err_set(err, MICA_E_UNSUPPORTED,
				    "'%s': is stored sparse, so it cannot be read in place",
				    mica_quote(e->path).text);
	ret = archive_grow(store, err);
	if (ret)
		return ret;
	if (e->hardlink && !(m.link = strdup(e->hardlink)))
		return mica_err_nomem(err);
	if (!e->hardlink && e->symlink)
		ret = link_resolve(e->path, e->symlink, &m.link, err);
	/* links that lead out of the archive are as good as none */
	if (ret || (e->symlink && !m.link))
		return ret;
	m.name = strdup(e->path);
	if (!m.name) {
		free(m.link);
		return mica_err_nomem(err);
	}
	store->members[store->count++] = m;
	return 0;
}

static int member_compare(const void *a, const void *b)
{
	const struct mica_store_member *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int archive_scan(struct mica_store *store, struct mica_source *src, struct mica_err *err)
{
	const struct mica_entry *e;
	int ret;

	while ((ret = mica_source_next(src, &e, err)) > 0) {
		ret = archive_add(store, src, e, err);
		if (ret)
			return ret;
	}
	if (ret)
		return ret;
	if (store->count)
		qsort(store->members, store->count, sizeof(*store->members), member_compare);
	return 0;
}

/* All of the archive, decompressed, to a file without a name, which takes its place. */
static int archive_unpack(struct mica_store *store, struct mica_tar_stream *from,
			  const char *scratch, struct mica_err *err)
{
	struct mica_tmpfile to;
	const unsigned char *p;
	size_t len;
	int ret = mica_tmpfile_open(scratch, false, &to, err);

	if (ret)
		return ret;
	while ((ret = mica_tar_stream_peek(from, &p, &len, err)) > 0) {
		ret = mica_tmpfile_write(&to, "scratch file", p, len, mica_tar_stream_offset(from),
					 err);
		if (ret)
			break;
		mica_tar_stream_take(from, len);
	}
	if (!ret && lseek(to.fd, 0, SEEK_SET) < 0)
		ret = mica_err_sys(err, errno, "scratch file: seek");
	if (!ret) {
		close(store->fd);
		store->fd = mica_steal_fd(&to.fd);
	}
	mica_tmpfile_close(&to);
	return ret;
}

/* Members are read in place, so the archive has to be a file that has them as they are. */
static int archive_settle(struct mica_store *store, const char *scratch, struct mica_err *err)
{
	struct mica_tar_stream_spec spec = {.blob.fd = store->fd};
	struct mica_tar_stream *stream;
	struct stat st;
	int ret;

	if (fstat(store->fd, &st) < 0)
		return mica_err_sys(err, errno, "stat");
	if (S_ISDIR(st.st_mode))
		return mica_err_set(err, MICA_E_USAGE, "is a directory, not an archive");
	ret = mica_tar_stream_new(&spec, &stream, err);
	if (ret)
		return ret;
	if (!mica_tar_stream_is_easy(stream))
		ret = archive_unpack(store, stream, scratch, err);
	mica_tar_stream_free(stream);
	return ret;
}

static int archive_index(struct mica_store *store, struct mica_report *report, struct mica_err *err)
{
	off_t start = lseek(store->fd, 0, SEEK_CUR);
	struct mica_tar_stream_spec spec = {0};
	struct mica_source *src;
	int ret;

	if (start < 0)
		return mica_err_sys(err, errno, "seek");
	spec.blob.fd = fcntl(store->fd, F_DUPFD_CLOEXEC, 0);
	if (spec.blob.fd < 0)
		return mica_err_sys(err, errno, "dup");
	ret = mica_source_open_tar("archive", &spec, report, &src, err);
	if (ret) {
		close(spec.blob.fd);
		return ret;
	}
	ret = archive_scan(store, src, err);
	mica_source_free(src);
	/* standard input may have been read from before */
	for (size_t i = 0; i < store->count; i++)
		store->members[i].off += (uint64_t)start;
	return ret;
}

int mica_store_open_archive(const char *path, const char *scratch, struct mica_report *report,
			    struct mica_store **out, struct mica_err *err)
{
	struct mica_store *store;
	int ret = mica_store_new(path, O_NOCTTY, &store, err);

	if (ret)
		return ret;
	store->archive = true;
	ret = archive_settle(store, scratch, err);
	if (!ret)
		ret = archive_index(store, report, err);
	if (ret) {
		mica_store_free(store);
		return ret;
	}
	*out = store;
	return 0;
}

/* The last one of that name. */
static const struct mica_store_member *member_lookup(const struct mica_store *store,
						     const char *name)
{
	size_t low = 0, high = store->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(store->members[mid].name, name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low && !strcmp(store->members[low - 1].name, name) ? &store->members[low - 1] : NULL;
}

int mica_store_member_find(struct mica_store *store, const char *name, struct mica_store_file *out,
			   struct mica_err *err)
{
	const struct mica_store_member *m = member_lookup(store, name);
	int fd;

	for (unsigned int i = 0; m && m->link && i < LINKS_MAX; i++)
		m = member_lookup(store, m->link);
	if (!m)
		return mica_err_set(err, MICA_E_NOENT, "'%s': there is no such member",
				    mica_quote(name).text);
	if (m->link)
		return mica_err_set(err, MICA_E_INPUT, "'%s': is a link through more than %d links",
				    mica_quote(name).text, LINKS_MAX);
	fd = fcntl(store->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return mica_err_sys(err, errno, "dup");
	*out = (struct mica_store_file){.fd = fd, .off = m->off, .size = m->size};
	return 0;
}
