/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../lib/util.h"
#include "quote.h"
#include "store_impl.h"

#define OPEN_TRIES 1000u

int mica_store_new(const char *path, int flags, struct mica_store **out, struct mica_err *err)
{
	struct mica_store *store = calloc(1, sizeof(*store));

	if (!store)
		return mica_err_nomem(err);
	store->fd = strcmp(path, "-") ? open(path, flags | O_RDONLY | O_CLOEXEC)
				      : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (store->fd < 0) {
		int ret = mica_err_sys(err, errno, "open");

		free(store);
		return ret;
	}
	*out = store;
	return 0;
}

int mica_store_open_dir(const char *path, struct mica_store **out, struct mica_err *err)
{
	return mica_store_new(path, O_DIRECTORY, out, err);
}

void mica_store_free(struct mica_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->count; i++) {
		free(store->members[i].name);
		free(store->members[i].link);
	}
	free(store->members);
	close(store->fd);
	free(store);
}

/* Links inside of the directory are fine: layouts share blobs that way. */
static int dir_open(const struct mica_store *store, const char *name)
{
	struct open_how how = {
		/* O_NONBLOCK: opening a FIFO must not hang before its type is known */
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	/* a rename or mount anywhere on the system makes it unsure about ".." in a link */
	for (unsigned int i = 0; i < OPEN_TRIES; i++) {
		fd = (int)syscall(SYS_openat2, store->fd, name, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

static int dir_find(struct mica_store *store, const char *name, struct mica_store_file *out,
		    struct mica_err *err)
{
	cleanup_fd int fd = dir_open(store, name);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return mica_err_set(err, MICA_E_NOENT, "'%s': there is no such file",
				    mica_quote(name).text);
	if (fd < 0 && errno == EXDEV)
		return mica_err_set(err, MICA_E_INPUT, "'%s': leads out of the directory",
				    mica_quote(name).text);
	if (fd < 0)
		return mica_err_sys(err, errno, "'%s': open%s", mica_quote(name).text,
				    errno == ENOSYS ? "at2 (Linux 5.6 or later is needed)" : "");
	if (fstat(fd, &st) < 0)
		return mica_err_sys(err, errno, "'%s': stat", mica_quote(name).text);
	if (!S_ISREG(st.st_mode))
		return mica_err_set(err, MICA_E_INPUT, "'%s': not a regular file",
				    mica_quote(name).text);
	*out = (struct mica_store_file){.size = (uint64_t)st.st_size};
	out->fd = mica_steal_fd(&fd);
	return 0;
}

int mica_store_find(struct mica_store *store, const char *name, struct mica_store_file *out,
		    struct mica_err *err)
{
	return store->archive ? mica_store_member_find(store, name, out, err)
			      : dir_find(store, name, out, err);
}

static int file_read(const struct mica_store_file *file, unsigned char *buf, struct mica_err *err)
{
	for (uint64_t done = 0; done < file->size;) {
		ssize_t n =
			pread(file->fd, buf + done, file->size - done, (off_t)(file->off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mica_err_sys(err, errno, "read");
		if (!n)
			return mica_err_set(err, MICA_E_INPUT,
					    "truncated: it ends at byte %" PRIu64 " of %" PRIu64,
					    done, file->size);
		done += (uint64_t)n;
	}
	return 0;
}

int mica_store_read(struct mica_store *store, const char *name, size_t max, void **buf, size_t *len,
		    struct mica_err *err)
{
	cleanup_free unsigned char *p = NULL;
	struct mica_store_file file;
	int ret = mica_store_find(store, name, &file, err);

	if (ret)
		return ret;
	if (file.size > max)
		ret = mica_err_set(err, MICA_E_LIMIT, "%" PRIu64 " bytes exceed %zu", file.size,
				   max);
	if (!ret && !(p = malloc(file.size + 1)))
		ret = mica_err_nomem(err);
	if (!ret)
		ret = file_read(&file, p, err);
	close(file.fd);
	if (ret)
		return mica_err_wrap(err, "'%s'", mica_quote(name).text);
	*len = (size_t)file.size;
	*buf = mica_steal_pointer(&p);
	return 0;
}
