/* SPDX-License-Identifier: MIT */
/* Listings in the manner of "ls -lan", times in UTC. */
#include "dump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "../lib/walk.h"
#include "show.h"

/* A symlink's target; *out stays NULL for everything else. */
static int ls_target(struct mica_image *img, const struct mica_inode *inode, char **out,
		     struct mica_err *err)
{
	long n;

	if (!S_ISLNK(inode->mode) || inode->size > 65535)
		return 0;
	*out = calloc(1, inode->size + 1);
	if (!*out)
		return mica_err_nomem(err);
	n = mica_image_read(img, inode, *out, inode->size, 0, err);
	return n < 0 ? (int)n : 0;
}

static void ls_json(struct mica_json *j, const char *path, const struct mica_inode *inode,
		    const char *target)
{
	mica_json_object(j, NULL);
	mica_json_str(j, "path", path);
	mica_json_u64(j, "nid", inode->nid);
	mica_json_u64(j, "mode", inode->mode);
	mica_json_u64(j, "nlink", inode->nlink);
	mica_json_u64(j, "uid", inode->uid);
	mica_json_u64(j, "gid", inode->gid);
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
		mica_json_u64(j, "major", mica_rdev_major(inode->rdev));
		mica_json_u64(j, "minor", mica_rdev_minor(inode->rdev));
	} else {
		mica_json_u64(j, "size", inode->size);
	}
	mica_json_i64(j, "mtime", inode->mtime);
	mica_json_u64(j, "mtime_nsec", inode->mtime_nsec);
	if (target)
		mica_json_str(j, "target", target);
	mica_json_object_end(j);
}

static void ls_text(const char *name, const struct mica_inode *inode, const char *target)
{
	char mode[MICA_SHOW_MODE_LEN], when[MICA_SHOW_TIME_LEN], size[32];

	mica_show_mode(inode->mode, mode);
	mica_show_time(inode->mtime, inode->mtime_nsec, when);
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		snprintf(size, sizeof(size), "%u, %u", mica_rdev_major(inode->rdev),
			 mica_rdev_minor(inode->rdev));
	else
		snprintf(size, sizeof(size), "%" PRIu64, inode->size);
	printf("%s %3" PRIu32 " %5" PRIu32 " %5" PRIu32 " %10s %s ", mode, inode->nlink, inode->uid,
	       inode->gid, size, when);
	mica_show_text(stdout, name);
	if (target) {
		fputs(" -> ", stdout);
		mica_show_text(stdout, target);
	}
	putchar('\n');
}

static int ls_show(struct mica_dump *d, const char *name, const struct mica_inode *inode,
		   struct mica_err *err)
{
	char *target cleanup_free = NULL;
	int ret = ls_target(d->img, inode, &target, err);

	if (ret)
		return ret;
	if (d->json)
		ls_json(&d->j, name, inode, target);
	else
		ls_text(name, inode, target);
	return 0;
}

/* One directory as stored, with "." and "..". */
static int ls_dir(struct mica_dump *d, const struct mica_inode *inode, struct mica_err *err)
{
	struct mica_dir *dir cleanup_dir = NULL;
	struct mica_dirent entry;
	int ret = mica_dir_open(d->img, inode, &dir, err);

	if (ret)
		return ret;
	while ((ret = mica_dir_next(dir, &entry, err)) > 0) {
		struct mica_inode child;

		ret = mica_image_inode(d->img, entry.nid, &child, err);
		if (!ret)
			ret = ls_show(d, entry.name, &child, err);
		if (ret)
			return mica_err_wrap(err, "%s", entry.name);
	}
	return ret;
}

static int ls_tree(struct mica_dump *d, const char *path, struct mica_err *err)
{
	struct mica_walk *walk cleanup_walk = NULL;
	struct mica_walk_item item;
	int ret = mica_walk_new(d->img, path, &walk, err);

	if (ret)
		return ret;
	while ((ret = mica_walk_next(walk, &item, err)) > 0) {
		if (item.event == MICA_WALK_LEAVE)
			continue;
		ret = ls_show(d, item.path[0] ? item.path : "/", &item.inode, err);
		if (ret)
			return ret;
	}
	return ret;
}

int mica_dump_ls(struct mica_dump *d, const char *path, bool recursive, struct mica_err *err)
{
	struct mica_inode inode;
	int ret = mica_image_walk(d->img, path, &inode, err);

	if (ret)
		return ret;
	if (d->json) {
		mica_json_str(&d->j, "path", path);
		mica_json_array(&d->j, "entries");
	}
	if (recursive)
		ret = ls_tree(d, path, err);
	else if (S_ISDIR(inode.mode))
		ret = ls_dir(d, &inode, err);
	else
		ret = ls_show(d, path, &inode, err);
	if (d->json)
		mica_json_array_end(&d->j);
	return ret;
}
