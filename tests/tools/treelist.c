/* SPDX-License-Identifier: MIT */
/*
 * treelist DIR: prints a tree as one line for each name, in byte order: type,
 * mode, owner, size, links, device, mtime, hash of the content, xattrs, target.
 * For trees that cannot be compared side by side, such as one inside a virtual
 * machine; built static so that it runs there.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define CHUNK (1u << 20)

struct list {
	struct tool_links *links;
	unsigned char *buf;
};

static void hash_print(const char *label, XXH128_hash_t h)
{
	printf("%s%016llx%016llx", label, (unsigned long long)h.high64,
	       (unsigned long long)h.low64);
}

static void content_print(struct list *l, const struct tool_node *node, const char *path)
{
	int fd = tool_node_reopen(node, path, 0);
	XXH3_state_t *state = XXH3_createState();
	uint64_t total = 0;
	ssize_t n;

	XXH3_128bits_reset(state);
	while ((n = read(fd, l->buf, CHUNK)) > 0) {
		XXH3_128bits_update(state, l->buf, (size_t)n);
		total += (uint64_t)n;
	}
	if (n < 0)
		tool_die_errno("%s: read at %llu", path, (unsigned long long)total);
	printf(" bytes=%llu", (unsigned long long)total);
	hash_print(" ", XXH3_128bits_digest(state));
	XXH3_freeState(state);
	close(fd);
}

/* A directory's link count is 2 and its subdirectories, or is not kept: 1. */
static const char *dir_links(const struct stat *st, unsigned int subdirs)
{
	return st->st_nlink == 1 || st->st_nlink == 2 + subdirs ? "ok" : "wrong";
}

static void node_print(struct list *l, const struct tool_node *node, const char *path)
{
	const struct stat *st = &node->st;
	bool known = false;

	tool_put_escaped(stdout, *path ? path : ".", *path ? strlen(path) : 1);
	printf(" %07o %u:%u mtime=%lld.%09ld", st->st_mode, st->st_uid, st->st_gid,
	       (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		printf(" size=%lld", (long long)st->st_size);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		printf(" device=%u:%u", major(st->st_rdev), minor(st->st_rdev));
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		printf(" links=%llu group=%llu", (unsigned long long)st->st_nlink,
		       (unsigned long long)tool_links_number(l->links, st, &known));
	for (size_t i = 0; i < node->xattr_count; i++) {
		printf(" %s", node->xattrs[i].name);
		hash_print("=", XXH3_128bits(node->xattrs[i].value, node->xattrs[i].len));
	}
	if (node->symlink) {
		printf(" -> ");
		tool_put_escaped(stdout, node->symlink, strlen(node->symlink));
	}
	if (S_ISREG(st->st_mode) && !known)
		content_print(l, node, path);
}

static void tree_print(struct list *l, const struct tool_node *node, const char *path)
{
	struct tool_names names;
	unsigned int subdirs = 0;

	node_print(l, node, path);
	if (!S_ISDIR(node->st.st_mode)) {
		putchar('\n');
		return;
	}
	tool_names_read(node, path, &names);
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;

		if (fstatat(node->fd, names.v[i].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			tool_die_errno("%s/%s: stat", path, names.v[i].name);
		subdirs += S_ISDIR(st.st_mode);
	}
	printf(" links=%s\n", dir_links(&node->st, subdirs));
	for (size_t i = 0; i < names.count; i++) {
		char *child = tool_join(path, names.v[i].name);
		struct tool_node n;

		tool_node_open(node->fd, names.v[i].name, child, &n);
		tree_print(l, &n, child);
		tool_node_close(&n);
		free(child);
	}
	tool_names_free(&names);
}

int main(int argc, char **argv)
{
	struct list l = {.links = tool_links_new(), .buf = tool_alloc(CHUNK)};
	struct tool_node root;

	if (argc != 2)
		tool_die("usage: treelist DIR");
	tool_node_open(AT_FDCWD, argv[1], argv[1], &root);
	tree_print(&l, &root, "");
	tool_node_close(&root);
	tool_links_free(l.links);
	free(l.buf);
	if (fflush(stdout))
		tool_die_errno("standard output");
	return 0;
}
