/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

void tool_die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

void tool_die_errno(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(saved));
	exit(2);
}

void *tool_alloc(size_t len)
{
	void *p = calloc(1, len ? len : 1);

	if (!p)
		tool_die("out of memory");
	return p;
}

void *tool_grow(void *p, size_t len)
{
	p = realloc(p, len ? len : 1);
	if (!p)
		tool_die("out of memory");
	return p;
}

char *tool_join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0)
		tool_die("out of memory");
	return path;
}

void tool_put_escaped(FILE *f, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++) {
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '\\')
			fputc(p[i], f);
		else
			fprintf(f, "\\x%02x", p[i]);
	}
}

static int xattr_compare(const void *a, const void *b)
{
	return strcmp(((const struct tool_xattr *)a)->name, ((const struct tool_xattr *)b)->name);
}

static void xattrs_read(struct tool_node *node, const char *proc, const char *path)
{
	ssize_t len = listxattr(proc, NULL, 0), got;
	char *list;

	if (len < 0 && errno != ENOTSUP)
		tool_die_errno("%s: listxattr", path);
	if (len <= 0)
		return;
	list = tool_alloc((size_t)len);
	/* The first answer may have been too large: overlayfs hides some names. */
	len = listxattr(proc, list, (size_t)len);
	if (len < 0)
		tool_die_errno("%s: listxattr", path);
	for (char *name = list; name < list + len; name += strlen(name) + 1) {
		struct tool_xattr *x;

		node->xattrs = tool_grow(node->xattrs, (node->xattr_count + 1) * sizeof(*x));
		x = &node->xattrs[node->xattr_count++];
		got = getxattr(proc, name, NULL, 0);
		if (got < 0)
			tool_die_errno("%s: getxattr %s", path, name);
		x->name = strdup(name);
		x->len = (size_t)got;
		x->value = tool_alloc(x->len);
		/* A length of 0 would ask for the length again. */
		if (x->len && getxattr(proc, name, x->value, x->len) != got)
			tool_die_errno("%s: getxattr %s, %zd bytes", path, name, got);
	}
	free(list);
	qsort(node->xattrs, node->xattr_count, sizeof(*node->xattrs), xattr_compare);
}

static void symlink_read(struct tool_node *node, const char *path)
{
	size_t cap = 65536;
	ssize_t len;

	node->symlink = tool_alloc(cap);
	len = readlinkat(node->fd, "", node->symlink, cap - 1);
	if (len < 0)
		tool_die_errno("%s: readlink", path);
	node->symlink[len] = '\0';
}

void tool_node_open(int dirfd, const char *name, const char *path, struct tool_node *node)
{
	char proc[64];

	memset(node, 0, sizeof(*node));
	node->fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (node->fd < 0)
		tool_die_errno("%s: open", path);
	if (fstatat(node->fd, "", &node->st, AT_EMPTY_PATH) < 0)
		tool_die_errno("%s: stat", path);
	if (S_ISLNK(node->st.st_mode))
		symlink_read(node, path);
	/* The only way to the xattrs of a symlink or device by descriptor. */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", node->fd);
	xattrs_read(node, proc, path);
}

void tool_node_close(struct tool_node *node)
{
	close(node->fd);
	free(node->symlink);
	for (size_t i = 0; i < node->xattr_count; i++) {
		free(node->xattrs[i].name);
		free(node->xattrs[i].value);
	}
	free(node->xattrs);
}

int tool_node_reopen(const struct tool_node *node, const char *path, int flags)
{
	char proc[64];
	int fd;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", node->fd);
	fd = open(proc, flags | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		tool_die_errno("%s: open for reading", path);
	return fd;
}
