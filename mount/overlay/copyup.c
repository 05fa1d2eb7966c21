/* SPDX-License-Identifier: MIT */
#include "copyup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "files.h"
#include "index.h"
#include "layer_impl.h"
#include "origin.h"
#include "upper.h"
#include "xattrs.h"

#define PROC_MAX 32

/* One node's copy on its way. */
struct copy {
	struct mica_ovl *ovl;
	struct mica_upper *upper;
	struct mica_node *node;
	struct mica_place from;
	struct stat st;
	char temp[MICA_TEMP_NAME_MAX]; /* its name in the work directory; "": none yet */
	int fd;			       /* of a file or directory for reading, else O_PATH */
	bool meta;		       /* data stays below */
};

/* Where the mark cannot be written, the data comes, too. */
static int fill_file(struct copy *c, uint64_t size)
{
	char name[MICA_XATTR_NAME_MAX];
	struct mica_place data;
	int ret;

	mica_overlay_xattr(c->upper->layer.userxattr, "metacopy", name);
	if (c->meta && fsetxattr(c->fd, name, "", 0, 0) < 0)
		c->meta = false;
	if (c->meta)
		return ftruncate(c->fd, c->st.st_size) < 0 ? -errno : 0;
	ret = mica_node_data(c->ovl, c->node, &data);
	return ret ? ret : mica_copy_data(&data, c->fd, mica_min(size, (uint64_t)c->st.st_size));
}

static int make_file(struct copy *c, uint64_t size)
{
	int flags = O_RDWR | O_CLOEXEC;

	/* what has no data needs none from below */
	c->meta = c->meta && c->st.st_size;

	if (c->upper->tmpfile) {
		c->fd = openat(c->upper->work, ".", flags | O_TMPFILE, 0600);
	} else {
		mica_upper_temp(c->upper, c->temp);
		c->fd = openat(c->upper->work, c->temp, flags | O_CREAT | O_EXCL, 0600);
	}
	if (c->fd < 0)
		return -errno;
	return fill_file(c, size);
}

static int make_other(struct copy *c)
{
	char target[PATH_MAX];
	int ret = 0;

	mica_upper_temp(c->upper, c->temp);
	if (S_ISDIR(c->st.st_mode)) {
		if (mkdirat(c->upper->work, c->temp, 0700) < 0)
			ret = -errno;
	} else if (S_ISLNK(c->st.st_mode)) {
		ret = mica_place_readlink(&c->from, target, sizeof(target));
		if (!ret && symlinkat(target, c->upper->work, c->temp) < 0)
			ret = -errno;
	} else if (mknodat(c->upper->work, c->temp, c->st.st_mode & (S_IFMT | 0700),
			   c->st.st_rdev) < 0) {
		ret = -errno;
	}
	if (ret)
		return ret;
	c->fd = openat(c->upper->work, c->temp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return c->fd < 0 ? -errno : 0;
}

/*
 * Where it came from, so that its number stays. Without an index, one of several names goes
 * its own way, and the others keep what they had.
 */
static int mark_origin(struct copy *c)
{
	char name[MICA_XATTR_NAME_MAX], proc[PROC_MAX];
	struct mica_origin origin;

	if (!S_ISDIR(c->st.st_mode) && c->st.st_nlink > 1 && c->upper->index < 0)
		return 0;
	mica_origin_make(&c->from, &origin);
	if (!origin.len)
		return 0;
	mica_overlay_xattr(c->upper->layer.userxattr, "origin", name);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", c->fd);
	/* symlinks and devices cannot have user.* */
	if (setxattr(proc, name, origin.bytes, origin.len, 0) < 0 && errno != EPERM &&
	    errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

static int settle(struct copy *c)
{
	/* chmod -R is not to wait for the disk at each file; data is */
	bool data = S_ISREG(c->st.st_mode) && !c->meta;
	int ret = mica_copy_attrs(&c->from, &c->st, c->fd, c->upper->layer.owners);

	if (!ret)
		ret = mark_origin(c);
	if (!ret && data && !(c->ovl->flags & MICA_OVL_VOLATILE) && fsync(c->fd) < 0)
		ret = -errno;
	return ret;
}

static void times_restore(const struct mica_place *dir, const struct stat *before)
{
	const struct timespec times[2] = {before->st_atim, before->st_mtim};

	if (dir->fd >= 0)
		utimensat(dir->fd, "", times, AT_EMPTY_PATH);
	else
		utimensat(dir->base, dir->path, times, AT_SYMLINK_NOFOLLOW);
}

/* Gives it its name. The directory that it comes into looks as it did before. */
static int publish(struct copy *c)
{
	struct mica_place parent, at;
	struct stat before;
	char proc[PROC_MAX];
	int ret = mica_node_upper(c->ovl, c->node->parent, &parent);

	if (!ret)
		ret = mica_place_stat(&parent, &before);
	if (!ret)
		ret = mica_node_upper(c->ovl, c->node, &at);
	if (ret)
		return ret;
	if (*c->temp) {
		ret = mica_upper_place(c->upper, c->temp, &at, RENAME_NOREPLACE);
	} else {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", c->fd);
		if (linkat(AT_FDCWD, proc, at.base, at.path, AT_SYMLINK_FOLLOW) < 0)
			ret = -errno;
	}
	if (ret)
		return ret;
	*c->temp = 0;
	times_restore(&parent, &before);
	return mica_copy_up_impure(c->ovl, c->node->parent);
}

/* What is left of a file without a name lives as long as its descriptor. */
static int keep_open(struct copy *c)
{
	char proc[PROC_MAX];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", c->fd);
	c->node->fd = open(proc, O_PATH | O_CLOEXEC);
	return c->node->fd < 0 ? -errno : 0;
}

/*
 * A file with several names: they all find the copy in the index, the one that was used also
 * in the upper directory.
 */
static int publish_indexed(struct copy *c, const char *name)
{
	struct mica_upper *u = c->upper;
	struct mica_node *node = c->node;
	char proc[PROC_MAX];
	int ret;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", c->fd);
	if (*c->temp)
		ret = renameat2(u->work, c->temp, u->index, name, RENAME_NOREPLACE);
	else
		ret = linkat(AT_FDCWD, proc, u->index, name, AT_SYMLINK_FOLLOW);
	if (ret < 0)
		return -errno;
	*c->temp = 0;
	atomic_store(&u->indexed, true);
	ret = node->removed ? 0 : publish(c);
	if (!ret)
		ret = keep_open(c);
	node->indexed = !ret;
	return ret;
}

/* The names that it had, less those that are gone; with that in the index there is a link more. */
static int count_names(struct copy *c)
{
	long names = (long)c->st.st_nlink - c->node->names_lost;
	struct stat st;

	if (fstat(c->fd, &st) < 0)
		return -errno;
	return mica_index_set_extra(c->ovl, c->node, names - (long)st.st_nlink);
}

static int finish(struct copy *c)
{
	char name[NAME_MAX + 1];
	struct mica_origin origin = {0};
	int ret;

	if (!S_ISDIR(c->st.st_mode) && c->st.st_nlink > 1 && c->upper->index >= 0)
		mica_origin_make(&c->from, &origin);
	if (!mica_index_name(&origin, name))
		return c->node->removed ? keep_open(c) : publish(c);
	ret = publish_indexed(c, name);
	return ret ? ret : count_names(c);
}

static int copy_one(struct copy *c, uint64_t size)
{
	struct stat made;
	int ret = mica_node_lower(c->ovl, c->node, 0, &c->from);

	if (!ret)
		ret = mica_place_stat(&c->from, &c->st);
	if (!ret)
		ret = S_ISREG(c->st.st_mode) ? make_file(c, size) : make_other(c);
	if (!ret)
		ret = settle(c);
	if (!ret && fstat(c->fd, &made) < 0)
		ret = -errno;
	if (!ret)
		ret = finish(c);
	if (ret)
		return ret;
	c->node->upper_ino = made.st_ino;
	if (!c->meta)
		mica_file_drop(c->ovl, c->node);
	atomic_store(&c->node->metacopy, c->meta);
	atomic_store(&c->node->upper, true);
	return 0;
}

static int copy_locked(struct mica_ovl *ovl, struct mica_node *node, uint64_t size, bool meta)
{
	pthread_mutex_t *lock = &ovl->copying[node->id % MICA_OVL_COPYING];
	struct copy c = {.ovl = ovl, .upper = &ovl->upper, .node = node, .fd = -1};
	int ret = 0;

	c.meta = meta && S_ISREG(node->type);
	pthread_mutex_lock(lock);
	if (!node->upper)
		ret = copy_one(&c, size);
	pthread_mutex_unlock(lock);
	if (*c.temp)
		mica_upper_discard(c.upper, c.temp);
	if (c.fd >= 0)
		close(c.fd);
	return ret;
}

static int copy_up(struct mica_ovl *ovl, struct mica_node *node, uint64_t size, bool meta)
{
	if (!mica_ovl_writable(ovl))
		return -EROFS;
	/* from the topmost directory that is missing down to the node */
	while (!node->upper) {
		struct mica_node *next = node;
		int ret;

		while (!node->removed && next->parent && !next->parent->upper)
			next = next->parent;
		ret = copy_locked(ovl, next, next == node ? size : UINT64_MAX, meta);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * The data follows its metadata. Until the mark goes it is read below, so a copy that was cut off
 * is begun again. The times are those of the user's changes, not of this one.
 */
static int data_copy(struct mica_ovl *ovl, struct mica_node *node, uint64_t size)
{
	struct mica_place at, from;
	struct timespec times[2];
	cleanup_fd int fd = -1;
	struct stat st;
	int ret = mica_node_upper(ovl, node, &at);

	if (!ret)
		ret = mica_node_data(ovl, node, &from);
	if (ret)
		return ret;
	fd = mica_in_dir_open_as(&at, O_RDWR);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	ret = mica_copy_data(&from, fd, mica_min(size, (uint64_t)st.st_size));
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (!ret &&
	    (futimens(fd, times) < 0 || (!(ovl->flags & MICA_OVL_VOLATILE) && fsync(fd) < 0)))
		ret = -errno;
	return ret ? ret : mica_upper_unmark(&ovl->upper, fd, "metacopy");
}

static int data_up(struct mica_ovl *ovl, struct mica_node *node, uint64_t size)
{
	pthread_mutex_t *lock = &ovl->copying[node->id % MICA_OVL_COPYING];
	int ret = 0;

	pthread_mutex_lock(lock);
	if (node->metacopy) {
		ret = data_copy(ovl, node, size);
		if (!ret) {
			mica_file_drop(ovl, node);
			atomic_store(&node->metacopy, false);
		}
	}
	pthread_mutex_unlock(lock);
	return ret;
}

int mica_copy_up(struct mica_ovl *ovl, struct mica_node *node, uint64_t size)
{
	int ret = copy_up(ovl, node, size, false);

	return !ret && node->metacopy ? data_up(ovl, node, size) : ret;
}

int mica_copy_up_meta(struct mica_ovl *ovl, struct mica_node *node)
{
	return copy_up(ovl, node, UINT64_MAX, ovl->flags & MICA_OVL_METACOPY);
}

int mica_copy_up_impure(struct mica_ovl *ovl, struct mica_node *dir)
{
	struct mica_place at;
	int ret;

	if (dir->impure)
		return 0;
	ret = mica_node_upper(ovl, dir, &at);
	if (!ret)
		ret = mica_upper_mark(&at, "impure", "y", 1);
	dir->impure = !ret;
	return ret;
}
