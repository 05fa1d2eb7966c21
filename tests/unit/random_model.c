/* SPDX-License-Identifier: MIT */
#include "random_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LEN   1000
#define SPANS_MAX  6
#define XATTRS_MAX 5

/* All that one model owns, behind its entries. */
struct maker {
	uint64_t rng;
	uint32_t cluster;
	struct entry *v;
	size_t count;
};

static uint64_t pick(struct maker *mk, uint64_t below)
{
	mk->rng = mk->rng * 6364136223846793005u + 1442695040888963407u;
	return (mk->rng >> 32) % below;
}

static void *own(size_t len)
{
	void *p = calloc(1, len);

	assert(p);
	return p;
}

/* Any bytes but '/' and NUL; most often short and plain. */
static size_t name_make(struct maker *mk, char *name)
{
	static const size_t lens[] = {1, 2, 3, 8, 8, 12, 30, 254, 255};
	size_t len = lens[pick(mk, 9)];

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)pick(mk, 256);

		name[i] = (char)(pick(mk, 3) ? 'a' + c % 26 : !c || c == '/' ? '!' : c);
	}
	name[len] = 0;
	return len;
}

static bool path_free(const struct maker *mk, const char *path)
{
	for (size_t i = 0; i < mk->count; i++)
		if (!strcmp(mk->v[i].path, path))
			return false;
	return true;
}

/* A directory that is there, with room for one more name behind its path. */
static const struct entry *dir_pick(struct maker *mk)
{
	for (int tries = 0; tries < 50; tries++) {
		const struct entry *e = &mk->v[pick(mk, mk->count)];

		if (S_ISDIR(e->mode) && strlen(e->path) + 258 < PATH_LEN)
			return e;
	}
	return &mk->v[0];
}

static char *path_make(struct maker *mk)
{
	char *path = own(PATH_LEN);

	do {
		const struct entry *dir = dir_pick(mk);
		size_t len = strlen(dir->path);

		memcpy(path, dir->path, len);
		if (len)
			path[len++] = '/';
		name_make(mk, path + len);
		if (!strcmp(path + len, ".") || !strcmp(path + len, ".."))
			path[len] = '!';
	} while (!path_free(mk, path));
	return path;
}

static uint64_t span_len(struct maker *mk)
{
	uint64_t c = mk->cluster;
	const uint64_t lens[] = {1,    100,   3583, 3584,  3585,  4095,	 4096,	    4097,
				 8192, c - 1, c,    c + 1, 2 * c, c / 2, 3 * c + 7, 5 * c};

	return pick(mk, 4) ? lens[pick(mk, 16)] : pick(mk, 3 * c) + 1;
}

static void content_make(struct maker *mk, struct entry *e)
{
	struct span *spans = own(SPANS_MAX * sizeof(*spans));
	size_t n = pick(mk, 5) ? pick(mk, 3) : pick(mk, SPANS_MAX);

	for (size_t i = 0; i < n; i++)
		spans[i] = (struct span){
			.kind = (enum span_kind)pick(mk, 4),
			.len = span_len(mk),
			/* few seeds, so that some are alike */
			.seed = (uint32_t)pick(mk, 20),
		};
	e->spans = spans;
	e->span_count = n;
	e->declared = !pick(mk, 8);
}

static void xattrs_make(struct maker *mk, struct entry *e)
{
	static const char *const prefixes[] = {"user.", "trusted.", "security."};
	static const size_t lens[] = {0, 1, 5, 20, 20, 300, 4000};
	struct mica_kv *kvs;
	size_t n = pick(mk, 3) ? 0 : 1 + pick(mk, XATTRS_MAX);

	/* Linux lets nobody read user xattrs of other kinds */
	if (!n || (!S_ISREG(e->mode) && !S_ISDIR(e->mode)))
		return;
	kvs = own(n * sizeof(*kvs));
	for (size_t i = 0; i < n; i++) {
		size_t len = lens[pick(mk, 7)];

		kvs[i].name = own(64);
		snprintf(kvs[i].name, 64, "%sn%zu.%u", prefixes[pick(mk, 3)], i,
			 (unsigned int)pick(mk, 4));
		kvs[i].value = own(len + 1);
		kvs[i].len = len;
		memset(kvs[i].value, (int)pick(mk, 5), len);
	}
	e->xattrs = kvs;
	e->xattr_count = n;
}

static void attributes_make(struct maker *mk, struct entry *e)
{
	static const uint32_t ids[] = {0, 0, 0, 1000, 65534, 65535, 65536, 4294967294};
	static const int64_t times[] = {0,	    1700000000, 1700000000,  1700000000,
					1700000001, -1,		-2147483649, 4294967295,
					4294967296, 1699999999, 16000000000, 1};

	e->mode |= (uint32_t)pick(mk, 010000);
	e->uid = ids[pick(mk, 8)];
	e->gid = ids[pick(mk, 8)];
	e->mtime = times[pick(mk, 12)];
	e->mtime_nsec = pick(mk, 2) ? 0 : (uint32_t)pick(mk, 1000000000);
	xattrs_make(mk, e);
}

static const struct entry *file_pick(struct maker *mk)
{
	for (int tries = 0; tries < 20; tries++) {
		const struct entry *e = &mk->v[pick(mk, mk->count)];

		if (S_ISREG(e->mode) && !e->target)
			return e;
	}
	return NULL;
}

static char *target_make(struct maker *mk)
{
	static const size_t lens[] = {1, 10, 100, 3583, 3584, 3585, 4095};
	size_t len = lens[pick(mk, 7)];
	char *target = own(len + 1);

	memset(target, 't', len);
	return target;
}

static void special_make(struct maker *mk, struct entry *e)
{
	static const uint32_t kinds[] = {S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};

	e->mode = kinds[pick(mk, 4)];
	if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
		e->rdev = (uint32_t)pick(mk, UINT32_MAX);
}

static void entry_make(struct maker *mk)
{
	struct entry e = {.path = path_make(mk)};
	uint64_t kind = pick(mk, 20);
	const struct entry *linked = kind == 7 || kind == 8 ? file_pick(mk) : NULL;

	if (linked) {
		e.mode = S_IFREG;
		e.target = linked->path;
		mk->v[mk->count++] = e;
		return;
	}
	if (kind < 4) {
		e.mode = S_IFDIR;
	} else if (kind < 6) {
		e.mode = S_IFLNK;
		e.target = target_make(mk);
	} else if (kind < 7) {
		special_make(mk, &e);
	} else {
		e.mode = S_IFREG;
		content_make(mk, &e);
	}
	attributes_make(mk, &e);
	if (S_ISLNK(e.mode))
		e.mode |= 0777;
	mk->v[mk->count++] = e;
}

/* A directory's links are its subdirectories and two, a file's are its names. */
static void links_count(struct maker *mk)
{
	for (size_t i = 0; i < mk->count; i++) {
		struct entry *e = &mk->v[i];
		size_t len = strlen(e->path);

		e->nlink = S_ISDIR(e->mode) ? 2 : 1;
		for (size_t k = 1; k < mk->count; k++) {
			const char *path = mk->v[k].path;
			const char *slash = strrchr(path, '/');

			if (S_ISDIR(e->mode))
				e->nlink += S_ISDIR(mk->v[k].mode) &&
					    (slash ? (size_t)(slash - path) : 0) == len && k != i &&
					    !strncmp(path, e->path, len);
			else
				e->nlink += S_ISREG(mk->v[k].mode) && mk->v[k].target &&
					    !strcmp(mk->v[k].target, e->path);
		}
	}
	for (size_t i = 0; i < mk->count; i++) {
		struct entry *e = &mk->v[i];

		for (size_t k = 0; S_ISREG(e->mode) && e->target && k < mk->count; k++)
			if (!strcmp(mk->v[k].path, e->target))
				e->nlink = mk->v[k].nlink;
	}
}

struct model random_model(uint64_t seed, size_t entries, uint32_t cluster)
{
	struct maker mk = {.rng = seed, .cluster = cluster};
	struct entry root = {.path = calloc(1, 1), .mode = S_IFDIR};

	mk.v = own((entries + 1) * sizeof(*mk.v));
	for (int i = 0; i < 4; i++)
		pick(&mk, 2);
	attributes_make(&mk, &root);
	mk.v[mk.count++] = root;
	while (mk.count <= entries)
		entry_make(&mk);
	links_count(&mk);
	return (struct model){mk.v, mk.count};
}

void random_model_free(struct model *m)
{
	struct entry *v = (struct entry *)m->v;

	for (size_t i = 0; i < m->count; i++) {
		for (size_t k = 0; k < v[i].xattr_count; k++) {
			free(v[i].xattrs[k].name);
			free(v[i].xattrs[k].value);
		}
		free((void *)v[i].xattrs);
		free((void *)v[i].spans);
		if (S_ISLNK(v[i].mode))
			free((void *)v[i].target);
		free((void *)v[i].path);
	}
	free(v);
}
