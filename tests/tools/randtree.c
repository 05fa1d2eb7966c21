/* SPDX-License-Identifier: MIT */
/*
 * randtree SEED DIR: fills the directory with a tree that follows from the
 * seed: names of any bytes, all types of files, hard links, sizes around the
 * limits of an image's layouts, contents of all kinds, xattrs, ACLs, owners,
 * times. Devices and FIFOs have one name each, since GNU tar, and mica with it,
 * keeps no hard links to them. With --tar there are no sockets.
 */
#include "rand.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_MAX_LEN 255
#define DIRS_MAX     400

struct entry {
	int dirfd;
	char *name;
	mode_t type;
};

struct tree {
	struct rng rng;
	struct meta_limits limits;
	bool tar_only;
	size_t max_file;
	int dirs[DIRS_MAX]; /* [0]: the root */
	size_t dir_count;
	struct entry *entries; /* every inode once, in order of creation */
	size_t count, cap, linkable;
	struct content *contents; /* of files written so far */
	struct content large;	  /* that several files have, nearly; size 0: none has yet */
	size_t content_count;
};

static size_t name_bytes(struct rng *rng, char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		do
			name[i] = (char)rng_range(rng, 1, 255);
		while (name[i] == '/');
	return len;
}

/* Any name; most are plain ones, with extensions that repeat. */
static void name_make(struct rng *rng, char *name)
{
	static const char *const extensions[] = {".c", ".h", ".so.1", ".txt", ".gz", "", ".o"};
	static const char first[] = "!-.+~#%a";
	size_t len;

	switch (rng_range(rng, 0, 9)) {
	case 0: /* any bytes */
		len = name_bytes(rng, name, rng_range(rng, 1, 40));
		break;
	case 1: /* the longest */
		len = rng_percent(rng, 30) ? name_bytes(rng, name, NAME_MAX_LEN)
					   : name_bytes(rng, name, rng_range(rng, 200, 255));
		break;
	case 2: /* sorts before or after "." and ".." */
		name[0] = first[rng_range(rng, 0, sizeof(first) - 2)];
		len = 1;
		while (rng_percent(rng, 70))
			name[len++] = (char)rng_range(rng, '!', '.');
		break;
	default:
		len = (size_t)snprintf(
			name, NAME_MAX_LEN, "%s%u%s", rng_percent(rng, 50) ? "lib" : "file ",
			(unsigned int)rng_range(rng, 0, 9999), rng_pick(rng, extensions));
		break;
	}
	name[len] = '\0';
	/* "." and ".." are no names, and .wh. names mean something else in a layer. */
	if (!strcmp(name, ".") || !strcmp(name, "..") || !strncmp(name, ".wh.", 4))
		name[0] = 'x';
}

static void symlink_make(struct rng *rng, char *target)
{
	size_t len = rng_range(rng, 1, 60);

	if (rng_percent(rng, 15))
		len = rng_percent(rng, 50) ? 4095 : rng_range(rng, 3000, 4095);
	for (size_t i = 0; i < len; i++)
		target[i] = (char)rng_range(rng, 1, 255);
	target[len] = '\0';
}

static dev_t device_make(struct rng *rng)
{
	if (rng_percent(rng, 50))
		return makedev(1 + (unsigned int)rng_range(rng, 0, 254),
			       (unsigned int)rng_range(rng, 0, 255));
	return makedev((unsigned int)rng_range(rng, 1, 4095),
		       (unsigned int)rng_range(rng, 0, 1048575));
}

/* A large file, and now and then another one that has most of it: extents are shared. */
static void content_share(struct tree *t, struct content *content)
{
	size_t least = 200000;

	if (t->max_file && t->max_file < 8 * least)
		return;
	if (!t->large.size) {
		t->large = (struct content){.seed = rng_next(&t->rng)};
		t->large.size = rng_range(&t->rng, least, 8 * least);
	}
	*content = t->large;
	content->prefix = rng_percent(&t->rng, 50) ? rng_range(&t->rng, 1, 9000) : 0;
	content->cut = rng_range(&t->rng, 1, content->size);
	content->gap = rng_percent(&t->rng, 50) ? rng_range(&t->rng, 1, 9000) : 0;
	content->sparse = rng_percent(&t->rng, 10);
}

static void content_choose(struct tree *t, struct content *content)
{
	content_pick(&t->rng, t->max_file, content);
	if (t->content_count && rng_percent(&t->rng, 15)) {
		/* a copy of another file's content, perhaps shifted or cut */
		*content = t->contents[rng_range(&t->rng, 0, t->content_count - 1)];
		if (rng_percent(&t->rng, 40))
			content->prefix = rng_range(&t->rng, 1, 5000);
	}
	if (rng_percent(&t->rng, 5))
		content_share(t, content);
	t->contents = tool_grow(t->contents, (t->content_count + 1) * sizeof(*content));
	t->contents[t->content_count++] = *content;
}

static int regular_create(struct tree *t, int dirfd, const char *name)
{
	struct content content;
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	content_choose(t, &content);
	content_write(fd, &content);
	return close(fd);
}

static int socket_create(int dirfd, const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ret;
	size_t room = sizeof(addr.sun_path);

	/* Bound under a short path, then moved: sun_path holds 107 bytes. */
	snprintf(addr.sun_path, room, "/proc/self/fd/%d/.socket", dirfd);
	ret = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	if (ret < 0)
		tool_die_errno("bind");
	ret = renameat2(dirfd, ".socket", dirfd, name, RENAME_NOREPLACE);
	if (ret < 0) {
		int saved = errno;

		unlinkat(dirfd, ".socket", 0);
		errno = saved;
	}
	return ret;
}

static int dir_create(struct tree *t, int dirfd, const char *name)
{
	int fd;

	if (mkdirat(dirfd, name, 0700) < 0)
		return -1;
	fd = openat(dirfd, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		tool_die_errno("%s", name);
	t->dirs[t->dir_count++] = fd;
	return 0;
}

static bool link_allowed(mode_t type)
{
	return S_ISREG(type) || S_ISLNK(type) || S_ISSOCK(type);
}

static int link_create(struct tree *t, int dirfd, const char *name)
{
	const struct entry *e = &t->entries[rng_range(&t->rng, 0, t->count - 1)];

	while (!link_allowed(e->type))
		e = &t->entries[rng_range(&t->rng, 0, t->count - 1)];
	return linkat(e->dirfd, e->name, dirfd, name, 0);
}

static int type_create(struct tree *t, mode_t type, int dirfd, const char *name)
{
	char target[4096];

	switch (type) {
	case S_IFREG:
		return regular_create(t, dirfd, name);
	case S_IFDIR:
		return dir_create(t, dirfd, name);
	case S_IFLNK:
		symlink_make(&t->rng, target);
		return symlinkat(target, dirfd, name);
	case S_IFSOCK:
		return socket_create(dirfd, name);
	case 0:
		return link_create(t, dirfd, name);
	default:
		return mknodat(dirfd, name, type | 0600, device_make(&t->rng));
	}
}

static mode_t type_pick(struct tree *t)
{
	unsigned int kind = (unsigned int)rng_range(&t->rng, 0, 99);

	if (kind < 12 && t->dir_count < DIRS_MAX)
		return S_IFDIR;
	if (kind < 24)
		return S_IFLNK;
	if (kind < 33 && t->linkable)
		return 0; /* a hard link */
	if (kind < 36)
		return S_IFIFO;
	if (kind < 39)
		return S_IFCHR;
	if (kind < 42)
		return S_IFBLK;
	if (kind < 45 && !t->tar_only)
		return S_IFSOCK;
	return S_IFREG;
}

static void entry_create(struct tree *t, mode_t type, int dirfd)
{
	char name[NAME_MAX_LEN + 1];
	int ret;

	do {
		name_make(&t->rng, name);
		ret = type_create(t, type, dirfd, name);
	} while (ret < 0 && errno == EEXIST);
	if (ret < 0)
		tool_die_errno("cannot create a file of type %07o", type);
	if (!type)
		return;
	t->linkable += link_allowed(type);
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 64;
		t->entries = tool_grow(t->entries, t->cap * sizeof(*t->entries));
	}
	t->entries[t->count++] = (struct entry){.dirfd = dirfd, .name = strdup(name), .type = type};
}

static void tree_fill(struct tree *t, uint64_t entries)
{
	if (rng_percent(&t->rng, 15)) /* a deep one */
		for (int i = 0; i < 40; i++)
			entry_create(t, S_IFDIR, t->dirs[t->dir_count - 1]);
	for (uint64_t i = 0; i < entries; i++)
		entry_create(t, type_pick(t), t->dirs[rng_range(&t->rng, 0, t->dir_count - 1)]);
	if (rng_percent(&t->rng, 15)) { /* a wide one, of several directory blocks */
		int dirfd = t->dirs[rng_range(&t->rng, 0, t->dir_count - 1)];

		for (uint64_t i = rng_range(&t->rng, 100, 500); i; i--)
			entry_create(t, S_IFLNK, dirfd);
	}
}

/* Backwards, so that nothing changes a directory that has its time already. */
static void tree_finish(struct tree *t)
{
	for (size_t i = t->count; i; i--) {
		struct entry *e = &t->entries[i - 1];

		meta_apply(&t->rng, &t->limits, e->dirfd, e->name, e->type);
		free(e->name);
	}
	meta_apply(&t->rng, &t->limits, t->dirs[0], ".", S_IFDIR);
	for (size_t i = 0; i < t->dir_count; i++)
		close(t->dirs[i]);
	free(t->entries);
	free(t->contents);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (end == text || *end)
		tool_die("%s is no number", text);
	return v;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"entries", required_argument, NULL, 'n'},
		{"max-file", required_argument, NULL, 'm'},
		{"tar", no_argument, NULL, 't'},
		{"no-xattrs", no_argument, NULL, 'x'},
		{NULL, 0, NULL, 0},
	};
	struct tree t = {0};
	uint64_t entries = 0;

	for (int opt; (opt = getopt_long(argc, argv, "n:m:tx", options, NULL)) != -1;) {
		if (opt == 'n')
			entries = number(optarg);
		else if (opt == 'm')
			t.max_file = number(optarg);
		else if (opt == 't')
			t.tar_only = true;
		else if (opt == 'x')
			t.limits.no_xattrs = true;
		else
			return 2;
	}
	if (argc - optind != 2)
		tool_die("usage: randtree [--entries N] [--max-file BYTES] [--tar] [--no-xattrs] "
			 "SEED DIR");
	umask(0);
	t.rng.state = number(argv[optind]);
	if (!entries)
		entries = rng_range(&t.rng, 50, 140);
	t.dirs[0] = open(argv[optind + 1], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (t.dirs[0] < 0)
		tool_die_errno("%s", argv[optind + 1]);
	t.dir_count = 1;
	tree_fill(&t, entries);
	tree_finish(&t);
	return 0;
}
