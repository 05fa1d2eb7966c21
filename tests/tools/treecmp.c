/* SPDX-License-Identifier: MIT */
/*
 * Compares two trees by everything that a file system can say about a name,
 * without following symlinks. Prints a line for each difference and exits with
 * 1 when there was one, 2 when a tree could not be read.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CHUNK (1u << 20)

struct compare {
	bool no_mtime, no_owner, no_mode, no_nlink, no_links, no_xattrs, no_sockets;
	bool no_linkmode;  /* modes of symlinks, which few file systems keep */
	bool check_d_ino;  /* B's directory entries carry its inode numbers */
	bool random_reads; /* read pieces of B's files before reading them from the start */
	struct tool_links *links_a, *links_b;
	unsigned char *buf_a, *buf_b;
	uint64_t entries, bytes, differences;
};

static void differ(struct compare *c, const char *path, const char *what)
{
	tool_put_escaped(stdout, *path ? path : ".", *path ? strlen(path) : 1);
	printf(": %s", what);
	c->differences++;
}

static void differ_number(struct compare *c, const char *path, const char *what, long long a,
			  long long b)
{
	if (a == b)
		return;
	differ(c, path, what);
	printf("%lld | %lld\n", a, b);
}

static void differ_octal(struct compare *c, const char *path, const char *what, unsigned int a,
			 unsigned int b)
{
	if (a == b)
		return;
	differ(c, path, what);
	printf("%04o | %04o\n", a, b);
}

static size_t read_full(int fd, void *buf, size_t len, off_t off, const char *path)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, off + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			tool_die_errno("%s: read at %lld", path, (long long)off + (long long)done);
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* false: they differ, which is said */
static bool compare_piece(struct compare *c, const char *path, int fd_a, int fd_b, off_t off,
			  size_t len, size_t *got)
{
	size_t a = read_full(fd_a, c->buf_a, len, off, path);
	size_t b = read_full(fd_b, c->buf_b, len, off, path);

	*got = a;
	if (a != b) {
		differ(c, path, "");
		printf("read of %zu bytes at %lld gives %zu | %zu bytes\n", len, (long long)off, a,
		       b);
		return false;
	}
	if (!memcmp(c->buf_a, c->buf_b, a))
		return true;
	for (size_t i = 0; i < a; i++) {
		if (c->buf_a[i] == c->buf_b[i])
			continue;
		differ(c, path, "");
		printf("byte %lld is 0x%02x | 0x%02x\n", (long long)off + (long long)i, c->buf_a[i],
		       c->buf_b[i]);
		break;
	}
	return false;
}

static bool compare_pieces(struct compare *c, const char *path, int fd_a, int fd_b, off_t size)
{
	uint64_t state = (uint64_t)size * 0x9e3779b97f4a7c15ull + 1;
	size_t got;

	for (int i = 0; i < 8 && size; i++) {
		off_t off;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		off = (off_t)((state >> 20) % (uint64_t)size);
		if (!compare_piece(c, path, fd_a, fd_b, off, 1 + (state >> 50), &got))
			return false;
	}
	return true;
}

static void compare_content(struct compare *c, const char *path, const struct tool_node *a,
			    const struct tool_node *b)
{
	int fd_a = tool_node_reopen(a, path, 0), fd_b = tool_node_reopen(b, path, 0);
	size_t got = CHUNK;
	off_t off = 0;

	if (c->random_reads && !compare_pieces(c, path, fd_a, fd_b, a->st.st_size))
		got = 0;
	/* The last read must find the end in both, whatever st_size says. */
	while (got == CHUNK && compare_piece(c, path, fd_a, fd_b, off, CHUNK, &got))
		off += (off_t)got;
	c->bytes += (uint64_t)off;
	close(fd_a);
	close(fd_b);
}

static void compare_xattrs(struct compare *c, const char *path, const struct tool_node *a,
			   const struct tool_node *b)
{
	size_t i = 0, j = 0;

	while (i < a->xattr_count || j < b->xattr_count) {
		const struct tool_xattr *x = i < a->xattr_count ? &a->xattrs[i] : NULL;
		const struct tool_xattr *y = j < b->xattr_count ? &b->xattrs[j] : NULL;
		int order = !x ? 1 : !y ? -1 : strcmp(x->name, y->name);

		if (order) {
			differ(c, path, "");
			printf("xattr %s only in the %s tree\n", order < 0 ? x->name : y->name,
			       order < 0 ? "first" : "second");
		} else if (x->len != y->len || memcmp(x->value, y->value, x->len)) {
			differ(c, path, "");
			printf("xattr %s: ", x->name);
			tool_put_escaped(stdout, x->value, x->len);
			printf(" | ");
			tool_put_escaped(stdout, y->value, y->len);
			putchar('\n');
		}
		i += order <= 0;
		j += order >= 0;
	}
}

static void compare_times(struct compare *c, const char *path, const struct stat *a,
			  const struct stat *b)
{
	if (a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec)
		return;
	differ(c, path, "mtime ");
	printf("%lld.%09ld | %lld.%09ld\n", (long long)a->st_mtim.tv_sec, a->st_mtim.tv_nsec,
	       (long long)b->st_mtim.tv_sec, b->st_mtim.tv_nsec);
}

static void compare_stat(struct compare *c, const char *path, const struct stat *a,
			 const struct stat *b)
{
	if (!c->no_mode && !(c->no_linkmode && S_ISLNK(a->st_mode)))
		differ_octal(c, path, "mode ", a->st_mode & 07777, b->st_mode & 07777);
	if (!c->no_owner) {
		differ_number(c, path, "uid ", a->st_uid, b->st_uid);
		differ_number(c, path, "gid ", a->st_gid, b->st_gid);
	}
	if (!c->no_mtime)
		compare_times(c, path, a, b);
	if (S_ISREG(a->st_mode) || S_ISLNK(a->st_mode))
		differ_number(c, path, "size ", a->st_size, b->st_size);
	if (S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) {
		differ_number(c, path, "device major ", major(a->st_rdev), major(b->st_rdev));
		differ_number(c, path, "device minor ", minor(a->st_rdev), minor(b->st_rdev));
	}
	/* Some file systems (btrfs, overlayfs) do not count subdirectories and say 1. */
	if (!c->no_nlink && !(S_ISDIR(a->st_mode) && a->st_nlink == 1))
		differ_number(c, path, "link count ", (long long)a->st_nlink,
			      (long long)b->st_nlink);
}

/* true: the content of this hard link group was compared before */
static bool compare_links(struct compare *c, const char *path, const struct stat *a,
			  const struct stat *b)
{
	uint64_t number_a, number_b;
	bool known_a, known_b;

	if (S_ISDIR(a->st_mode) || (a->st_nlink < 2 && b->st_nlink < 2))
		return false;
	number_a = tool_links_number(c->links_a, a, &known_a);
	number_b = tool_links_number(c->links_b, b, &known_b);
	if (!c->no_links)
		differ_number(c, path, "hard link group ", (long long)number_a,
			      (long long)number_b);
	return known_a && known_b && number_a == number_b;
}

static void compare_dirs(struct compare *c, const char *path, const struct tool_node *a,
			 const struct tool_node *b);

static void compare_nodes(struct compare *c, const char *path, const struct tool_node *a,
			  const struct tool_node *b)
{
	bool known;

	c->entries++;
	if ((a->st.st_mode & S_IFMT) != (b->st.st_mode & S_IFMT)) {
		differ_octal(c, path, "type ", a->st.st_mode & S_IFMT, b->st.st_mode & S_IFMT);
		return;
	}
	compare_stat(c, path, &a->st, &b->st);
	known = compare_links(c, path, &a->st, &b->st);
	if (!c->no_xattrs)
		compare_xattrs(c, path, a, b);
	if (a->symlink && strcmp(a->symlink, b->symlink)) {
		differ(c, path, "target ");
		tool_put_escaped(stdout, a->symlink, strlen(a->symlink));
		printf(" | ");
		tool_put_escaped(stdout, b->symlink, strlen(b->symlink));
		putchar('\n');
	}
	if (S_ISREG(a->st.st_mode) && !known)
		compare_content(c, path, a, b);
	if (S_ISDIR(a->st.st_mode))
		compare_dirs(c, path, a, b);
}

static void compare_entry(struct compare *c, const char *path, const struct tool_node *a,
			  const struct tool_node *b, const struct tool_name *entry)
{
	struct tool_node na, nb;

	tool_node_open(a->fd, entry->name, path, &na);
	tool_node_open(b->fd, entry->name, path, &nb);
	if (entry->d_type != DT_UNKNOWN)
		differ_octal(c, path, "readdir's type and mode's type ", DTTOIF(entry->d_type),
			     nb.st.st_mode & S_IFMT);
	if (c->check_d_ino)
		differ_number(c, path, "readdir's and stat's inode number ",
			      (long long)entry->d_ino, (long long)nb.st.st_ino);
	compare_nodes(c, path, &na, &nb);
	tool_node_close(&na);
	tool_node_close(&nb);
}

static void missing(struct compare *c, const char *path, const struct tool_node *dir,
		    const char *name, bool first)
{
	struct stat st;

	if (first && c->no_sockets && !fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) &&
	    S_ISSOCK(st.st_mode))
		return;
	differ(c, path, first ? "only in the first tree\n" : "only in the second tree\n");
}

static void compare_dirs(struct compare *c, const char *path, const struct tool_node *a,
			 const struct tool_node *b)
{
	struct tool_names na, nb;
	size_t i = 0, j = 0;

	tool_names_read(a, path, &na);
	tool_names_read(b, path, &nb);
	if (na.dots != nb.dots)
		differ(c, path, "\".\" and \"..\" are not listed in both trees\n");
	while (i < na.count || j < nb.count) {
		int order = i == na.count   ? 1
			    : j == nb.count ? -1
					    : strcmp(na.v[i].name, nb.v[j].name);
		const char *name = order <= 0 ? na.v[i].name : nb.v[j].name;
		char *child = tool_join(path, name);

		if (order)
			missing(c, child, order < 0 ? a : b, name, order < 0);
		else
			compare_entry(c, child, a, b, &nb.v[j]);
		free(child);
		i += order <= 0;
		j += order >= 0;
	}
	tool_names_free(&na);
	tool_names_free(&nb);
}

static void ignore_parse(struct compare *c, char *list)
{
	const struct {
		const char *name;
		bool *flag;
	} known[] = {
		{"mtime", &c->no_mtime},     {"owner", &c->no_owner},
		{"mode", &c->no_mode},	     {"nlink", &c->no_nlink},
		{"links", &c->no_links},     {"xattrs", &c->no_xattrs},
		{"sockets", &c->no_sockets}, {"linkmode", &c->no_linkmode},
	};

	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i].name, word))
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			tool_die(
				"--ignore: %s is none of mtime, owner, mode, nlink, links, xattrs, "
				"sockets, linkmode",
				word);
		*known[i].flag = true;
	}
}

static void descriptors_raise(void)
{
	struct rlimit limit;

	/* Four descriptors for each level of a deep tree. */
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"ignore", required_argument, NULL, 'i'},
		{"d-ino", no_argument, NULL, 'd'},
		{"random-reads", no_argument, NULL, 'r'},
		{"verbose", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0},
	};
	struct compare c = {0};
	struct tool_node a, b;
	bool verbose = false;

	for (int opt; (opt = getopt_long(argc, argv, "i:drv", options, NULL)) != -1;) {
		if (opt == 'i')
			ignore_parse(&c, optarg);
		else if (opt == 'd')
			c.check_d_ino = true;
		else if (opt == 'r')
			c.random_reads = true;
		else if (opt == 'v')
			verbose = true;
		else
			return 2;
	}
	if (argc - optind != 2)
		tool_die("usage: treecmp [-i WHAT,...] [--d-ino] [--random-reads] [-v] A B");
	descriptors_raise();
	c.links_a = tool_links_new();
	c.links_b = tool_links_new();
	c.buf_a = tool_alloc(CHUNK);
	c.buf_b = tool_alloc(CHUNK);
	tool_node_open(AT_FDCWD, argv[optind], argv[optind], &a);
	tool_node_open(AT_FDCWD, argv[optind + 1], argv[optind + 1], &b);
	compare_nodes(&c, "", &a, &b);
	if (verbose)
		printf("%llu entries, %llu bytes compared, %llu differences\n",
		       (unsigned long long)c.entries, (unsigned long long)c.bytes,
		       (unsigned long long)c.differences);
	tool_node_close(&a);
	tool_node_close(&b);
	tool_links_free(c.links_a);
	tool_links_free(c.links_b);
	free(c.buf_a);
	free(c.buf_b);
	if (fflush(stdout))
		tool_die_errno("standard output");
	return c.differences ? 1 : 0;
}
