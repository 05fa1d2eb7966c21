/* SPDX-License-Identifier: MIT */
#include "layers.h"

struct mica_tree *tree;
struct mica_packer packer;
struct mica_xattrs xattrs;
struct mica_apply_opts opts;
struct mica_apply *apply;
struct mica_err err;
char warnings[65536];
unsigned ticks;

static void warn(struct mica_report *r, const char *line)
{
	(void)r;
	strcat(strcat(warnings, line), "\n");
}

struct mica_report report = {.warn = warn};

int layers_setup(void **state)
{
	(void)state;
	opts = (struct mica_apply_opts){.uid = -1, .gid = -1};
	warnings[0] = '\0';
	ticks = 0;
	return mica_tree_new(&tree, &err);
}

int layers_teardown(void **state)
{
	(void)state;
	mica_apply_free(apply);
	apply = NULL;
	mica_tree_free(tree);
	fake_packer_free(&packer);
	fake_xattrs_free(&xattrs);
	return 0;
}

/* Cut off what is behind the last c in word. */
static char *suffix(char *word, char c)
{
	char *p = strrchr(word, c);

	if (p)
		*p++ = '\0';
	return p;
}

static void entry_add(struct tarball *t, char *word)
{
	struct tarball_entry e = {.type = '0'};
	char *xattr = strchr(word, '{') ? strdup(strchr(word, '{')) : NULL;
	char *p;

	if (xattr)
		*strchr(word, '{') = '\0';
	for (p = xattr; p && *p == '{';) {
		char *end = strchr(p, '}'), *eq = strchr(p, '=');
		char key[512];

		*eq = *end = '\0';
		snprintf(key, sizeof(key), "SCHILY.xattr.%s", p + 1);
		tarball_pax(t, 'x', key, eq + 1, strlen(eq + 1));
		p = end + 1;
	}
	if ((p = suffix(word, '~')))
		e.uid = strtoul(p, NULL, 10);
	if ((p = suffix(word, '^')))
		e.mtime = strtol(p, NULL, 10);
	if ((p = suffix(word, '%')))
		e.mode = (unsigned)strtoul(p, NULL, 8);
	if ((p = strstr(word, "->"))) {
		*p = '\0';
		e.type = '2';
		e.link = p + 2;
	} else if ((p = strchr(word, '@'))) {
		*p = '\0';
		e.type = '1';
		e.link = p + 1;
	} else if ((p = strchr(word, '='))) {
		*p = '\0';
		e.data = p + 1;
	} else if ((p = strchr(word, ':'))) {
		*p = '\0';
		e.type = '3';
		e.major = (unsigned)strtoul(p + 1, &p, 10);
		e.minor = (unsigned)strtoul(p + 1, NULL, 10);
	} else if ((p = strchr(word, '|'))) {
		*p = '\0';
		e.type = '6';
	} else {
		e.type = '5';
	}
	e.name = "././@long";
	if (e.link)
		tarball_add(t, (struct tarball_entry){.name = e.name, .type = 'K', .data = e.link});
	tarball_add(t, (struct tarball_entry){.name = e.name, .type = 'L', .data = word});
	tarball_add(t, e);
	free(xattr);
}

static void tick(void *ctx)
{
	(void)ctx;
	ticks++;
}

int apply_tarball(struct tarball *t)
{
	struct mica_source *src = NULL;
	int fd = tarball_fd(t);
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = mica_source_open(path, &report, &src, &err);
	if (!ret)
		ret = mica_apply_source(apply, src, tick, NULL, &err);
	mica_source_free(src);
	close(fd);
	return ret;
}

int apply_layer(const char *words)
{
	cleanup_free char *copy = strdup(words);
	struct tarball t = {0};
	int ret;

	for (char *save, *word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		entry_add(&t, word);
	tarball_end(&t);
	ret = apply_tarball(&t);
	tarball_free(&t);
	return ret;
}

static void put_node(FILE *f, const struct mica_tnode *n, char **firsts)
{
	const struct mica_tinode *i = n->inode;
	cleanup_free char *path = mica_tree_path(n);
	const struct fake_item *item = fake_packer_find(&packer, i);

	fputs(*path || S_ISDIR(i->mode) ? path : "?", f);
	if (i->nlink > 1 && !S_ISDIR(i->mode)) {
		/* nid is not used yet: it names the first path */
		if (i->nid) {
			fprintf(f, "@%s ", firsts[i->nid]);
			return;
		}
	}
	switch (i->mode & S_IFMT) {
	case S_IFDIR:
		fputs("/", f);
		break;
	case S_IFREG:
		fprintf(f, "=%s", item && !item->symlink ? item->bytes : "LOST");
		break;
	case S_IFLNK:
		fprintf(f, "->%s", item && item->symlink ? item->bytes : "LOST");
		break;
	case S_IFIFO:
		fputs("|", f);
		break;
	default:
		fprintf(f, ":%u,%u", i->rdev >> 8 & 0xfff, i->rdev & 0xff);
	}
	if ((i->mode & 07777) != (S_ISDIR(i->mode) ? 0755 : 0644))
		fprintf(f, "%%%o", i->mode & 07777u);
	if (i->mtime)
		fprintf(f, "^%lld", (long long)i->mtime);
	if (i->uid)
		fprintf(f, "~%u", i->uid);
	if (i->xattrs)
		fprintf(f, "{%s}", xattrs.sets[i->xattrs - 1]);
	if (i->nlink > 1 && !S_ISDIR(i->mode))
		fprintf(f, "*%u", i->nlink);
	fputs(" ", f);
}

static char *tree_text(void)
{
	struct mica_tnode *n = mica_tree_root(tree);
	char *firsts[1000] = {NULL};
	char *text = NULL;
	size_t len, count = 0;
	FILE *f = open_memstream(&text, &len);

	for (;;) {
		put_node(f, n, firsts);
		if (!S_ISDIR(n->inode->mode) && n->inode->nlink > 1 && !n->inode->nid) {
			n->inode->nid = ++count;
			firsts[count] = mica_tree_path(n);
		}
		if (S_ISDIR(n->inode->mode) && n->inode->children) {
			n = n->inode->children;
			continue;
		}
		while (n && !n->sibling)
			n = n->parent;
		if (!n)
			break;
		n = n->sibling;
	}
	fclose(f);
	for (size_t i = 0; i <= count; i++)
		free(firsts[i]);
	return text;
}

int layers_apply(const char *const *layers)
{
	size_t count = 0;
	int ret = mica_apply_new(tree, &packer, &xattrs, &report, &opts, &apply, &err);

	while (layers[count])
		count++;
	while (!ret && count)
		ret = apply_layer(layers[--count]);
	return ret ? ret : mica_apply_finish(apply, &err);
}

void expect_tree(const char *expected, const char *const *layers)
{
	cleanup_free char *text = NULL;
	struct mica_tree_counts counts;

	if (layers_apply(layers))
		fail_msg("error: %s", err.msg);
	assert_int_equal(mica_tree_finish(tree, &counts, &err), 0);
	text = tree_text();
	assert_string_equal(text, expected);
}

void expect_stored(const char *expected)
{
	char got[4096] = "";

	for (size_t i = 0; i < packer.count; i++)
		strcat(strcat(got, packer.items[i].bytes), " ");
	assert_string_equal(got, expected);
}

void again(void)
{
	layers_teardown(NULL);
	layers_setup(NULL);
}
