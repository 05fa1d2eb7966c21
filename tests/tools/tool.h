/* SPDX-License-Identifier: MIT */
/*
 * What the test programs share: ending with a message, printing names of any
 * bytes on one line, and reading everything that a file system says about one
 * name without following symlinks.
 */
#ifndef MICA_TESTS_TOOL_H
#define MICA_TESTS_TOOL_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

/* Print "PROGRAM: MESSAGE[: strerror(errno)]" and exit with status 2. */
void tool_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void tool_die_errno(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

void *tool_alloc(size_t len); /* zeroed; dies */
void *tool_grow(void *p, size_t len);
char *tool_join(const char *dir, const char *name); /* "dir/name", malloc'd */

/* Bytes outside of printable ASCII, backslash and blanks as \xNN. */
void tool_put_escaped(FILE *f, const void *bytes, size_t len);

struct tool_xattr {
	char *name;
	void *value;
	size_t len;
};

struct tool_node {
	int fd; /* O_PATH */
	struct stat st;
	char *symlink;		   /* NULL: none */
	struct tool_xattr *xattrs; /* sorted by name */
	size_t xattr_count;
};

void tool_node_open(int dirfd, const char *name, const char *path, struct tool_node *node);
void tool_node_close(struct tool_node *node);

/* A descriptor to read the node's content or entries with. */
int tool_node_reopen(const struct tool_node *node, const char *path, int flags);

struct tool_name {
	char *name;
	unsigned char d_type;
	ino_t d_ino;
};

struct tool_names {
	struct tool_name *v; /* sorted by bytes, without "." and ".." */
	size_t count;
	bool dots; /* "." and ".." were there */
};

void tool_names_read(const struct tool_node *dir, const char *path, struct tool_names *names);
void tool_names_free(struct tool_names *names);

/*
 * Numbers hard link groups by the order in which they are met: the first name
 * of each inode gets the next number. *known: the inode was met before.
 */
struct tool_links;
struct tool_links *tool_links_new(void);
uint64_t tool_links_number(struct tool_links *links, const struct stat *st, bool *known);
void tool_links_free(struct tool_links *links);

#endif
