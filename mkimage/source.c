/* SPDX-License-Identifier: MIT */
#include "source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "acl.h"
#include "quote.h"
#include "source_impl.h"

/* What all sources have. fd is taken over with success. */
static int source_finish(struct mica_source *src, const char *name, int *fd,
			 struct mica_report *report, struct mica_source **out, struct mica_err *err)
{
	src->report = report;
	src->name = strdup(name);
	if (!src->name) {
		mica_source_free(src);
		return mica_err_nomem(err);
	}
	src->fd = mica_steal_fd(fd);
	*out = src;
	return 0;
}

int mica_source_open_image(const char *path, struct mica_report *report, struct mica_source **out,
			   struct mica_err *err)
{
	struct mica_source *src;
	int fd = -1;
	int ret = mica_source_image_new(path, &src, err);

	return ret ? ret : source_finish(src, path, &fd, report, out, err);
}

int mica_source_open(const char *path, struct mica_report *report, struct mica_source **out,
		     struct mica_err *err)
{
	bool is_stdin = !strcmp(path, "-");
	const char *name = is_stdin ? "standard input" : path;
	cleanup_fd int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
				     : open(path, O_RDONLY | O_CLOEXEC);
	struct mica_tar_stream_spec spec = {.blob = {.fd = fd}};
	struct mica_source *src;
	struct stat st;
	int ret;

	if (fd < 0)
		return mica_err_sys(err, errno, "%s: open", name);
	if (fstat(fd, &st) < 0)
		return mica_err_sys(err, errno, "%s: stat", name);
	if (!is_stdin && mica_source_is_image(fd))
		return mica_source_open_image(path, report, out, err);
	if (S_ISDIR(st.st_mode) && !is_stdin)
		ret = mica_source_dir_new(fd, &src, err);
	else
		ret = mica_source_tar_new(&spec, &src, err);
	if (ret)
		return mica_err_wrap(err, "%s", name);
	return source_finish(src, name, &fd, report, out, err);
}

int mica_source_open_tar(const char *name, const struct mica_tar_stream_spec *spec,
			 struct mica_report *report, struct mica_source **out, struct mica_err *err)
{
	int fd = spec->blob.fd;
	struct mica_source *src;
	int ret = mica_source_tar_new(spec, &src, err);

	if (ret)
		return mica_err_wrap(err, "%s", name);
	return source_finish(src, name, &fd, report, out, err);
}

int mica_source_leave_out(struct mica_source *src, const struct mica_source_own *own,
			  struct mica_err *err)
{
	struct stat st;

	if (own->has_named && fstat(src->fd, &st) == 0 && st.st_dev == own->named_dev &&
	    st.st_ino == own->named_ino)
		return mica_err_set(err, MICA_E_USAGE, "%s: is the image to be made and a source",
				    src->name);
	src->own = *own;
	return 0;
}

int mica_source_start(struct mica_source *src, struct mica_ahead_pool *pool, struct mica_err *err)
{
	int ret = src->ops->start ? src->ops->start(src, pool, err) : 0;

	return ret ? mica_err_wrap(err, "%s", src->name) : 0;
}

const char *mica_source_name(const struct mica_source *src)
{
	return src->name;
}

struct mica_image *mica_source_image(const struct mica_source *src)
{
	return src->ops->image ? src->ops->image(src) : NULL;
}

int mica_source_next(struct mica_source *src, const struct mica_entry **entry, struct mica_err *err)
{
	int ret;

	mica_pool_reset(&src->pool);
	memset(&src->entry, 0, sizeof(src->entry));
	src->xattr_cap = 0;
	src->acl_access = NULL;
	src->acl_default = NULL;
	ret = src->ops->next(src, err);
	if (ret > 0) {
		int acl = mica_source_settle_xattrs(src, err);

		if (acl)
			ret = mica_err_wrap(err, "'%s'", mica_quote(src->entry.path).text);
	}
	if (ret < 0)
		return mica_err_wrap(err, "%s", src->name);
	*entry = &src->entry;
	return ret;
}

int mica_source_read(struct mica_source *src, const void **buf, size_t *len, uint64_t *off,
		     struct mica_err *err)
{
	int ret = src->ops->read(src, buf, len, off, err);

	return ret < 0 ? mica_err_wrap(err, "%s: '%s'", src->name, mica_quote(src->entry.path).text)
		       : ret;
}

void mica_source_blame(struct mica_source *src, struct mica_err *err)
{
	struct mica_err own = {0};

	if (!src->ops->blame)
		return;
	src->ops->blame(src, &own);
	if (!own.code)
		return;
	*err = own;
	mica_err_wrap(err, "%s", src->name);
}

void mica_source_progress(struct mica_source *src, uint64_t *done, uint64_t *total)
{
	src->ops->progress(src, done, total);
}

void mica_source_free(struct mica_source *src)
{
	if (!src)
		return;
	src->ops->free(src);
	if (src->fd >= 0)
		close(src->fd);
	mica_pool_free(&src->pool);
	free(src->name);
	free(src);
}

int mica_path_normalise(struct mica_pool *pool, const char *path, size_t len, const char *what,
			char **out, struct mica_err *err)
{
	char *norm = mica_pool_alloc(pool, len + 1);
	size_t used = 0;

	if (!norm)
		return mica_err_nomem(err);
	if (memchr(path, '\0', len))
		return mica_err_set(err, MICA_E_INPUT, "%s '%s' contains a NUL byte", what,
				    mica_quote(path).text);
	for (size_t i = 0; i < len;) {
		const char *name = path + i;
		const char *slash = memchr(name, '/', len - i);
		size_t n = slash ? (size_t)(slash - name) : len - i;

		i += n + 1;
		if (!n || (n == 1 && name[0] == '.'))
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			memcpy(norm, path, len);
			norm[len] = '\0';
			return mica_err_set(err, MICA_E_INPUT, "%s '%s' contains '..'", what,
					    mica_quote(norm).text);
		}
		if (used)
			norm[used++] = '/';
		memcpy(norm + used, name, n);
		used += n;
	}
	norm[used] = '\0';
	*out = norm;
	return 0;
}
