/* SPDX-License-Identifier: MIT */
/* Reading directories: positions of a listing (listing.h) are the kernel's offsets. */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "layer_impl.h"
#include "listing.h"
#include "lookup.h"

/* The kernel's offsets: behind ".", behind "..", and from there on the listing's positions. */
#define OFF_DOT	   1
#define OFF_DOTDOT 2

/* One request's answer. */
struct fill {
	fuse_req_t req;
	struct mica_ovl *ovl;
	struct mica_node *dir;
	char *buf;
	size_t used, cap;
	bool plus;
};

void mica_ovl_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const struct mica_session *s = fuse_req_userdata(req);

	(void)id;
	if (s->no_opendir) {
		fuse_reply_err(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fi->cache_readdir = 1;
	fuse_reply_open(req, fi);
}

/* False when it does not fit. */
static bool add(struct fill *f, const char *name, const struct fuse_entry_param *entry, off_t next)
{
	size_t room = f->cap - f->used, need;

	if (f->plus)
		need = fuse_add_direntry_plus(f->req, f->buf + f->used, room, name, entry, next);
	else
		need = fuse_add_direntry(f->req, f->buf + f->used, room, name, &entry->attr, next);
	if (need > room)
		return false;
	f->used += need;
	return true;
}

static bool add_dots(struct fill *f, off_t off)
{
	const struct mica_node *up = f->dir->parent ? f->dir->parent : f->dir;
	const struct fuse_entry_param self = {.attr = {.st_ino = f->dir->id, .st_mode = S_IFDIR}};
	const struct fuse_entry_param above = {.attr = {.st_ino = up->id, .st_mode = S_IFDIR}};

	return (off >= OFF_DOT || add(f, ".", &self, OFF_DOT)) &&
	       (off >= OFF_DOTDOT || add(f, "..", &above, OFF_DOTDOT));
}

/* 1: added or gone; 0: it does not fit. What cannot be read is shown by name alone. */
static int add_name(struct fill *f, const char *name, off_t next)
{
	struct fuse_entry_param entry = {0};
	struct mica_node *node = NULL;
	struct stat st;
	bool fits;
	int ret = mica_ovl_lookup(f->ovl, f->dir, name, &node, &st);

	if (ret == -ENOENT)
		return 1;
	if (!ret)
		mica_ovl_fill_entry(f->ovl, node, &st, &entry);
	fits = add(f, name, &entry, next);
	if (fits && node && f->plus)
		mica_node_looked_up(f->ovl, node);
	mica_node_put(f->ovl, node);
	return fits;
}

static int fill(struct fill *f, off_t off)
{
	uint64_t position = off > OFF_DOTDOT ? (uint64_t)off - OFF_DOTDOT : 0;
	struct mica_listing *listing;
	const char *name;
	int ret;

	if (!add_dots(f, off) || f->dir->removed)
		return 0;
	ret = mica_listing_get(f->ovl, f->dir, position == 0, &listing);
	if (ret)
		return ret;
	while ((name = mica_listing_at(listing, position, &position)))
		if (!add_name(f, name, (off_t)(position + OFF_DOTDOT)))
			break;
	mica_listing_put(listing);
	if (!name)
		mica_listing_done(f->ovl, f->dir);
	return 0;
}

static void reply(fuse_req_t req, fuse_ino_t id, size_t size, off_t off, bool plus)
{
	struct mica_session *s = fuse_req_userdata(req);
	struct fill f = {.req = req, .ovl = s->ovl, .cap = size, .plus = plus};
	int ret = -ENOMEM;

	f.dir = mica_ovl_begin(req, id);
	if (!f.dir)
		return;
	f.buf = mica_session_buffer(s, size);
	if (f.buf) {
		pthread_rwlock_rdlock(&f.ovl->tree);
		ret = fill(&f, off);
		pthread_rwlock_unlock(&f.ovl->tree);
	}
	mica_node_put(f.ovl, f.dir);
	if (!mica_ovl_failed(req, ret))
		fuse_reply_buf(req, f.buf, f.used);
}

void mica_ovl_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	(void)fi;
	reply(req, id, size, off, false);
}

void mica_ovl_readdirplus(fuse_req_t req, fuse_ino_t id, size_t size, off_t off,
			  struct fuse_file_info *fi)
{
	(void)fi;
	reply(req, id, size, off, true);
}

void mica_ovl_fsyncdir(fuse_req_t req, fuse_ino_t id, int datasync, struct fuse_file_info *fi)
{
	struct mica_ovl *ovl = mica_ovl_of(req);
	struct mica_node *dir = mica_ovl_begin(req, id);
	struct mica_place at;
	int ret = 0, fd;

	(void)datasync;
	(void)fi;
	if (!dir)
		return;
	pthread_rwlock_rdlock(&ovl->tree);
	if (dir->upper && !dir->removed && !(ovl->flags & MICA_OVL_VOLATILE)) {
		ret = mica_node_upper(ovl, dir, &at);
		fd = ret ? ret : mica_in_dir_open_as(&at, O_RDONLY | O_DIRECTORY);
		ret = fd < 0 ? fd : fsync(fd) < 0 ? -errno : 0;
		if (fd >= 0)
			close(fd);
	}
	pthread_rwlock_unlock(&ovl->tree);
	mica_node_put(ovl, dir);
	mica_ovl_answer(req, ret);
}
