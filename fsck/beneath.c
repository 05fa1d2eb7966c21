/* SPDX-License-Identifier: MIT */
#include "beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "beneath_meta.h"

/* Directories nearest the root stay open; deeper ones are opened again on the way up. */
#define BENEATH_OPEN_LEVELS 64

/* Longest part of a path that is given to one openat2(). */
#define BENEATH_PATH_PIECE 2048

struct level {
	int fd;	   /* -1: to be opened again */
	bool made; /* not there before */
	/* Of one that was there: bits that were added for the time being, and the mode before. */
	bool widened;
	mode_t mode;
	size_t path_len;
};

struct mica_beneath {
	int root;
	struct level *levels; /* [0]: the destination, fd owned by root */
	size_t depth, cap;
	char *path; /* of the current directory, from the root */
	size_t path_len, path_cap;
	struct mica_beneath_skipped skipped;
};

static int beneath_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static int beneath_open_err(struct mica_err *err, const char *name)
{
	if (errno == ENOSYS)
		return mica_err_sys(err, errno, "openat2 (Linux 5.6 or later is needed)");
	return mica_err_sys(err, errno, "cannot open '%s' in the destination", name);
}

/* A directory by its path from the root, however long; "" is the root. */
static int dir_open(int root, const char *path, size_t len, int *out, struct mica_err *err)
{
	int fd cleanup_fd = -1;
	size_t at = 0;

	do {
		char piece[BENEATH_PATH_PIECE + 1];
		size_t n = len - at;
		int next;

		if (n > BENEATH_PATH_PIECE) {
			const char *slash = memrchr(path + at, '/', BENEATH_PATH_PIECE);

			n = slash ? (size_t)(slash - path) - at : BENEATH_PATH_PIECE;
		}
		memcpy(piece, len ? path + at : ".", len ? n : 1);
		piece[len ? n : 1] = 0;
		next = beneath_open(fd >= 0 ? fd : root, piece, O_RDONLY | O_DIRECTORY, 0);
		if (next < 0)
			return beneath_open_err(err, piece);
		if (fd >= 0)
			close(fd);
		fd = next;
		at += n + 1;
	} while (at < len);
	*out = mica_steal_fd(&fd);
	return 0;
}

int mica_beneath_new(const char *dest, struct mica_beneath **out, struct mica_err *err)
{
	struct mica_beneath *b cleanup_beneath = calloc(1, sizeof(*b));
	bool made;

	if (!b)
		return mica_err_nomem(err);
	b->root = -1;
	b->levels = calloc(1, sizeof(*b->levels));
	b->path = calloc(1, 1);
	if (!b->levels || !b->path)
		return mica_err_nomem(err);
	b->cap = 1;
	b->path_cap = 1;
	made = !mkdir(dest, 0777);
	if (!made && errno != EEXIST)
		return mica_err_sys(err, errno, "cannot make the directory '%s'", dest);
	b->root = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->root < 0)
		return mica_err_sys(err, errno, "cannot open the directory '%s'", dest);
	b->levels[b->depth++] = (struct level){.fd = b->root, .made = made};
	*out = mica_steal_pointer(&b);
	return 0;
}

static void level_close(struct mica_beneath *b, struct level *level)
{
	if (level->fd >= 0 && level->fd != b->root)
		close(level->fd);
	level->fd = -1;
}

void mica_beneath_free(struct mica_beneath *b)
{
	if (!b)
		return;
	while (b->depth) {
		struct level *level = &b->levels[--b->depth];

		if (level->widened && level->fd >= 0 && fchmod(level->fd, level->mode))
			errno = 0;
		level_close(b, level);
	}
	if (b->root >= 0)
		close(b->root);
	free(b->levels);
	free(b->path);
	free(b);
}

const struct mica_beneath_skipped *mica_beneath_skipped(const struct mica_beneath *b)
{
	return &b->skipped;
}

/* The calls below that are not openat2() would take a path for what it is. */
static int name_check(const char *name, struct mica_err *err)
{
	if (*name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, ".."))
		return 0;
	return mica_err_set(err, MICA_E_USAGE, "'%s' is not a name in a directory", name);
}

/* The directory that name is to be made in; NULL: the current one itself. */
static int current_dir(struct mica_beneath *b, const char *name, int *fd, struct mica_err *err)
{
	int ret = name ? name_check(name, err) : 0;

	if (ret)
		return ret;
	struct level *level = &b->levels[b->depth - 1];

	if (level->fd < 0) {
		ret = dir_open(b->root, b->path, b->path_len, &level->fd, err);

		if (ret)
			return ret;
	}
	*fd = level->fd;
	return 0;
}

static int level_push(struct mica_beneath *b, const char *name, const struct level *level,
		      struct mica_err *err)
{
	size_t need = b->path_len + 1 + strlen(name) + 1;

	if (b->depth == b->cap) {
		struct level *levels = realloc(b->levels, 2 * b->cap * sizeof(*levels));

		if (!levels)
			return mica_err_nomem(err);
		b->levels = levels;
		b->cap *= 2;
	}
	if (need > b->path_cap) {
		char *path = realloc(b->path, 2 * need);

		if (!path)
			return mica_err_nomem(err);
		b->path = path;
		b->path_cap = 2 * need;
	}
	if (b->depth > BENEATH_OPEN_LEVELS)
		level_close(b, &b->levels[b->depth - 1]);
	b->path_len += (size_t)sprintf(b->path + b->path_len, "%s%s", b->path_len ? "/" : "", name);
	b->levels[b->depth] = *level;
	b->levels[b->depth++].path_len = b->path_len;
	return 0;
}

static void level_pop(struct mica_beneath *b)
{
	level_close(b, &b->levels[--b->depth]);
	b->path_len = b->depth ? b->levels[b->depth - 1].path_len : 0;
	b->path[b->path_len] = 0;
}

/* Removes what is in the way of a new name. */
static int name_clear(int dir, const char *name, struct mica_err *err)
{
	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	if ((errno == EISDIR || errno == EPERM) &&
	    (!unlinkat(dir, name, AT_REMOVEDIR) || errno == ENOENT))
		return 0;
	return mica_err_sys(err, errno, "cannot replace '%s' in the destination", name);
}

enum make_kind { MAKE_DIR, MAKE_FILE, MAKE_SYMLINK, MAKE_NODE, MAKE_LINK };

struct make {
	enum make_kind kind;
	const char *name;
	const char *target; /* symlink: its text; link: name in from */
	int from;	    /* link: the target's directory */
	mode_t type;
	dev_t dev;
};

static int make_once(int dir, const struct make *m)
{
	switch (m->kind) {
	case MAKE_DIR:
		return mkdirat(dir, m->name, 0700);
	case MAKE_FILE:
		return beneath_open(dir, m->name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	case MAKE_SYMLINK:
		return symlinkat(m->target, dir, m->name);
	case MAKE_NODE:
		return mknodat(dir, m->name, m->type | 0600, m->dev);
	case MAKE_LINK:
		return linkat(m->from, m->target, dir, m->name, 0);
	}
	errno = EINVAL;
	return -1;
}

/* >= 0: made (a file's descriptor), else a code; err->sys tells why */
static int make(int dir, const struct make *m, struct mica_err *err)
{
	int ret = make_once(dir, m);

	if (ret < 0 && errno == EEXIST) {
		ret = name_clear(dir, m->name, err);
		if (ret)
			return ret;
		ret = make_once(dir, m);
	}
	return ret < 0 ? mica_err_sys(err, errno, "cannot make '%s'", m->name) : ret;
}

/* Opens an existing directory that may lack rights for its owner, which it then gets. */
static int dir_open_existing(int dir, const char *name, struct level *level)
{
	int path cleanup_fd = beneath_open(dir, name, O_PATH | O_DIRECTORY, 0);
	struct stat st;

	if (path < 0 || fstat(path, &st))
		return -1;
	level->mode = st.st_mode & 07777;
	/* Without the right to change it, opening it or making names in it will tell. */
	if ((st.st_mode & 0700) != 0700)
		level->widened = !mica_beneath_meta_chmod(path, level->mode | 0700);
	return beneath_open(path, ".", O_RDONLY | O_DIRECTORY, 0);
}

int mica_beneath_enter(struct mica_beneath *b, const char *name, struct mica_err *err)
{
	struct make m = {.kind = MAKE_DIR, .name = name};
	struct level level = {.fd = -1};
	int dir;
	int ret = current_dir(b, name, &dir, err);

	if (ret)
		return ret;
	level.made = !mkdirat(dir, name, 0700);
	if (!level.made && errno != EEXIST)
		return mica_err_sys(err, errno, "cannot make '%s'", name);
	level.fd = dir_open_existing(dir, name, &level);
	if (level.fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
		ret = make(dir, &m, err);
		if (ret < 0)
			return ret;
		level.made = true;
		level.fd = beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	}
	if (level.fd < 0)
		return beneath_open_err(err, name);
	ret = level_push(b, name, &level, err);
	if (ret)
		close(level.fd);
	return ret;
}

/* A directory that was there before is as it was. */
static int level_restore(struct mica_beneath *b, struct level *level, struct mica_err *err)
{
	int dir;
	int ret = level->widened ? current_dir(b, NULL, &dir, err) : 0;

	if (ret || !level->widened)
		return ret;
	level->widened = false;
	if (fchmod(dir, level->mode))
		return mica_err_sys(err, errno, "cannot set the mode back to %04o", level->mode);
	return 0;
}

int mica_beneath_leave(struct mica_beneath *b, bool made_only, const struct mica_beneath_meta *meta,
		       struct mica_err *err)
{
	struct level *level = &b->levels[b->depth - 1];
	bool keep = made_only && !level->made;
	int ret, dir = -1;

	ret = keep ? level_restore(b, level, err) : current_dir(b, NULL, &dir, err);
	if (!ret && !keep) {
		level->widened = false;
		ret = mica_beneath_meta_apply(dir, false, meta, &b->skipped, err);
	}
	if (!ret)
		level_pop(b);
	return ret;
}

int mica_beneath_create(struct mica_beneath *b, const char *name, int *fd, struct mica_err *err)
{
	struct make m = {.kind = MAKE_FILE, .name = name};
	int dir;
	int ret = current_dir(b, name, &dir, err);

	if (ret)
		return ret;
	ret = make(dir, &m, err);
	if (ret < 0)
		return ret;
	*fd = ret;
	return 0;
}

int mica_beneath_finish(struct mica_beneath *b, int fd, const struct mica_beneath_meta *meta,
			struct mica_err *err)
{
	return mica_beneath_meta_apply(fd, false, meta, &b->skipped, err);
}

/* Metadata of a symlink, device, FIFO or socket that was just made. */
static int node_meta(struct mica_beneath *b, int dir, const char *name,
		     const struct mica_beneath_meta *meta, struct mica_err *err)
{
	int fd cleanup_fd = beneath_open(dir, name, O_PATH, 0);
	struct stat st;

	if (fd < 0)
		return beneath_open_err(err, name);
	if (fstat(fd, &st))
		return mica_err_sys(err, errno, "fstat");
	/* what was just made has one name: no link to something outside was put in its place */
	if ((st.st_mode & S_IFMT) != (meta->mode & S_IFMT) || st.st_nlink > 1)
		return mica_err_set(err, MICA_E_USAGE,
				    "'%s' was replaced in the destination while it was made", name);
	return mica_beneath_meta_apply(fd, true, meta, &b->skipped, err);
}

int mica_beneath_symlink(struct mica_beneath *b, const char *name, const char *target,
			 const struct mica_beneath_meta *meta, struct mica_err *err)
{
	struct make m = {.kind = MAKE_SYMLINK, .name = name, .target = target};
	int dir;
	int ret = current_dir(b, name, &dir, err);

	if (ret)
		return ret;
	ret = make(dir, &m, err);
	return ret < 0 ? ret : node_meta(b, dir, name, meta, err);
}

int mica_beneath_mknod(struct mica_beneath *b, const char *name, dev_t dev,
		       const struct mica_beneath_meta *meta, struct mica_err *err)
{
	struct make m = {.kind = MAKE_NODE, .name = name, .type = meta->mode & S_IFMT, .dev = dev};
	int dir;
	int ret = current_dir(b, name, &dir, err);

	if (ret)
		return ret;
	ret = make(dir, &m, err);
	if (ret == MICA_E_SYS && err->sys == EPERM) {
		b->skipped.devices++;
		return 0;
	}
	return ret < 0 ? ret : node_meta(b, dir, name, meta, err);
}

int mica_beneath_link(struct mica_beneath *b, const char *name, const char *target, mode_t type,
		      struct mica_err *err)
{
	const char *slash = strrchr(target, '/');
	int from cleanup_fd = -1;
	struct make m = {.kind = MAKE_LINK, .name = name, .target = slash ? slash + 1 : target};
	int dir;
	int ret = current_dir(b, name, &dir, err);

	if (!ret)
		ret = dir_open(b->root, target, slash ? (size_t)(slash - target) : 0, &from, err);
	if (ret)
		return ret;
	m.from = from;
	ret = make(dir, &m, err);
	/* a device that could not be made has no further names either */
	if (ret == MICA_E_SYS && err->sys == ENOENT && b->skipped.devices &&
	    (S_ISCHR(type) || S_ISBLK(type))) {
		b->skipped.devices++;
		return 0;
	}
	return ret < 0 ? ret : 0;
}
