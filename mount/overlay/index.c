/* SPDX-License-Identifier: MIT */
#include "index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layer_impl.h"
#include "upper.h"
#include "xattrs.h"

#define INDEX	  "index"
#define NLINK_MAX 32

bool mica_index_name(const struct mica_origin *origin, char name[NAME_MAX + 1])
{
	if (!origin->len || origin->len * 2 > NAME_MAX)
		return false;
	for (size_t i = 0; i < origin->len; i++)
		snprintf(name + 2 * i, 3, "%02x", origin->bytes[i]);
	return true;
}

void mica_index_open(struct mica_upper *u)
{
	int fd, copy;
	DIR *d;

	if (mkdirat(u->lock, INDEX, 0700) < 0 && errno != EEXIST)
		return;
	fd = openat(u->lock, INDEX, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	copy = fd < 0 ? -1 : dup(fd);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *de; (de = readdir(d));)
		if (*de->d_name != '.')
			u->indexed = true;
	closedir(d);
	u->index = fd;
}

int mica_index_find(struct mica_ovl *ovl, const struct mica_place *lower, int *fd)
{
	char name[NAME_MAX + 1];
	struct mica_origin origin;

	if (ovl->upper.index < 0 || !ovl->upper.indexed)
		return -ENOENT;
	mica_origin_make(lower, &origin);
	if (!mica_index_name(&origin, name))
		return -ENOENT;
	*fd = openat(ovl->upper.index, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

int mica_index_set_extra(struct mica_ovl *ovl, struct mica_node *node, long extra)
{
	char value[NLINK_MAX];
	struct mica_place at;
	int n = snprintf(value, sizeof(value), "U%+ld", extra);
	int ret = mica_node_upper(ovl, node, &at);

	return ret ? ret : mica_upper_mark(&at, "nlink", value, (size_t)n);
}

/* "L" counts from the lower file's links; only a kernel that was cut off leaves that. */
long mica_index_extra(const struct mica_place *at)
{
	char value[NLINK_MAX];

	if (mica_overlay_value(at, "nlink", value, sizeof(value)) < 2 || *value != 'U')
		return 0;
	return strtol(value + 1, NULL, 10);
}

/* With its last name the copy goes, too. */
static void drop_unnamed(struct mica_ovl *ovl, const struct mica_place *at, long extra)
{
	char name[NAME_MAX + 1];
	struct mica_origin origin;
	struct stat st;
	long n = mica_overlay_value(at, "origin", (char *)origin.bytes, sizeof(origin.bytes));

	origin.len = n > 0 ? (size_t)n : 0;
	if (!mica_place_stat(at, &st) && (long)st.st_nlink + extra <= 0 &&
	    mica_index_name(&origin, name))
		unlinkat(ovl->upper.index, name, 0);
}

void mica_index_name_lost(struct mica_ovl *ovl, struct mica_node *node, bool extra)
{
	struct mica_place at;
	long left;

	if (!node->upper) {
		node->names_lost += extra;
		return;
	}
	if (!node->indexed || mica_node_upper(ovl, node, &at))
		return;
	left = mica_index_extra(&at);
	if (extra)
		mica_index_set_extra(ovl, node, --left);
	drop_unnamed(ovl, &at, left);
}
