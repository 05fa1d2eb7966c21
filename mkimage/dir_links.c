/* SPDX-License-Identifier: MIT */
#include "dir_links.h"

#include <string.h>

#include "../lib/util.h"

#define LINKS_BUCKETS 256

struct dir_link {
	struct dir_link *next;
	dev_t dev;
	ino_t ino;
	nlink_t left; /* names that did not come yet; 0: to be dropped */
	char path[];
};

static struct dir_link **link_bucket(const struct mica_dir_links *links, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15u;

	return &links->buckets[(size_t)(h >> 32) & (links->bucket_count - 1)];
}

static int links_grow(struct mica_dir_links *links, struct mica_err *err)
{
	struct mica_dir_links old = *links;

	links->bucket_count = old.bucket_count ? old.bucket_count * 2 : LINKS_BUCKETS;
	links->buckets = calloc(links->bucket_count, sizeof(*links->buckets));
	if (!links->buckets) {
		*links = old;
		return mica_err_nomem(err);
	}
	for (size_t i = 0; i < old.bucket_count; i++) {
		while (old.buckets[i]) {
			struct dir_link *link = old.buckets[i];
			struct dir_link **bucket = link_bucket(links, link->dev, link->ino);

			old.buckets[i] = link->next;
			link->next = *bucket;
			*bucket = link;
		}
	}
	free(old.buckets);
	return 0;
}

static int links_add(struct mica_dir_links *links, const struct stat *st, const char *path,
		     struct mica_err *err)
{
	size_t len = strlen(path) + 1;
	struct dir_link *link = malloc(sizeof(*link) + len);
	struct dir_link **bucket = link_bucket(links, st->st_dev, st->st_ino);

	if (!link)
		return mica_err_nomem(err);
	link->dev = st->st_dev;
	link->ino = st->st_ino;
	link->left = st->st_nlink - 1;
	memcpy(link->path, path, len);
	link->next = *bucket;
	*bucket = link;
	links->count++;
	return 0;
}

int mica_dir_links_meet(struct mica_dir_links *links, const struct stat *st, const char *path,
			const char **first, struct mica_err *err)
{
	struct dir_link **at, *link;

	*first = NULL;
	if (links->count >= links->bucket_count) {
		int ret = links_grow(links, err);

		if (ret)
			return ret;
	}
	at = link_bucket(links, st->st_dev, st->st_ino);
	while ((link = *at)) {
		if (link->dev == st->st_dev && link->ino == st->st_ino) {
			*first = link->path;
			if (link->left)
				link->left--;
			return 0;
		}
		/* all its names came before the last call returned: nobody looks at it any more */
		if (!link->left) {
			*at = link->next;
			free(link);
			links->count--;
			continue;
		}
		at = &link->next;
	}
	return links_add(links, st, path, err);
}

void mica_dir_links_free(struct mica_dir_links *links)
{
	for (size_t i = 0; i < links->bucket_count; i++) {
		while (links->buckets[i]) {
			struct dir_link *link = links->buckets[i];

			links->buckets[i] = link->next;
			free(link);
		}
	}
	free(links->buckets);
	*links = (struct mica_dir_links){0};
}
