/* SPDX-License-Identifier: MIT */
#include "apply.h"

#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "apply_impl.h"
#include "quote.h"

struct source_feed {
	struct mica_feed feed;
	struct mica_source *src;
};

static int source_feed_read(struct mica_feed *feed, const void **buf, size_t *len, uint64_t *off,
			    struct mica_err *err)
{
	struct source_feed *f = (struct source_feed *)feed;
	int ret = mica_source_read(f->src, buf, len, off, err);

	feed->failed = ret < 0;
	return ret;
}

int mica_apply_new(struct mica_tree *tree, struct mica_packer *packer, struct mica_xattrs *xattrs,
		   struct mica_report *report, const struct mica_apply_opts *opts,
		   struct mica_apply **out, struct mica_err *err)
{
	struct mica_apply *a = calloc(1, sizeof(*a));
	struct mica_tinode *root = mica_tree_root(tree)->inode;
	int ret;

	if (!a)
		return mica_err_nomem(err);
	a->tree = tree;
	a->packer = packer;
	a->xattrs = xattrs;
	a->report = report;
	a->opts = *opts;
	ret = mica_apply_excludes_new(a, err);
	if (ret) {
		mica_apply_free(a);
		return ret;
	}
	mica_apply_attributes(a, root, root->mode, 0, 0, 0, 0);
	*out = a;
	return 0;
}

void mica_apply_free(struct mica_apply *a)
{
	if (!a)
		return;
	mica_globs_free(&a->excludes);
	mica_apply_stashes_free(a);
	mica_apply_links_free(a);
	free(a);
}

/* Hide what layers below have at path. */
static int entry_whiteout(struct mica_apply *a, const char *path, struct mica_err *err)
{
	struct mica_tnode *node;
	int ret = mica_apply_make(a, a->stage, path, &node, err);

	if (ret)
		return ret;
	node->cut = a->order;
	/* the layer's own directory is another one than theirs */
	if (node->inode)
		node->inode->implicit = false;
	return 0;
}

/* Hide what layers below have in the directory at path. */
static int entry_opaque(struct mica_apply *a, const char *path, struct mica_err *err)
{
	struct mica_tnode *node;
	int ret = mica_apply_make(a, a->stage, path, &node, err);

	if (!ret)
		ret = mica_apply_make_dir(a, node, err);
	if (!ret)
		node->cut = a->order;
	return ret;
}

static int entry_dir(struct mica_apply *a, struct mica_tnode *root, const struct mica_entry *e,
		     struct mica_err *err)
{
	struct mica_tnode *node, *upper;
	bool wanted = !a->looking && root == a->stage && mica_apply_upper(a, e->path, &upper);
	int ret = mica_apply_make(a, root, e->path, &node, err);

	if (!ret)
		ret = mica_apply_make_dir(a, node, err);
	if (ret)
		return ret;
	mica_apply_attributes(a, node->inode, e->mode, e->uid, e->gid, e->mtime, e->mtime_nsec);
	node->inode->implicit = false;
	node->inode->xattrs = 0;
	/* an upper layer's directory keeps its own */
	if (!wanted || (upper && !(upper->inode && upper->inode->implicit)))
		return 0;
	return mica_apply_xattrs(a, e->path, e->xattrs, e->xattr_count, &node->inode->xattrs, err);
}

static int entry_refer(struct mica_apply *a, struct mica_tinode *inode, const struct mica_entry *e,
		       bool *referred, struct mica_err *err)
{
	int ret = 1;

	if (a->opts.refer && S_ISREG(e->mode))
		ret = a->opts.refer->refer(a->opts.refer, a->source, e, inode, err);
	*referred = !ret;
	return ret < 0 ? mica_err_wrap(err, "'%s'", mica_quote(e->path).text) : 0;
}

static int entry_file(struct mica_apply *a, struct mica_tnode *root, const struct mica_entry *e,
		      struct mica_feed *feed, struct mica_err *err)
{
	struct mica_tnode *node, *upper;
	bool seen =
		!a->looking && root == a->stage && mica_apply_upper(a, e->path, &upper) && !upper;
	struct mica_tinode *inode;
	bool referred;
	int ret = mica_apply_make(a, root, e->path, &node, err);

	if (!ret)
		ret = mica_tree_inode_new(a->tree, &inode, err);
	if (ret)
		return ret;
	mica_apply_attributes(a, inode, e->mode, e->uid, e->gid, e->mtime, e->mtime_nsec);
	inode->rdev = e->rdev;
	inode->size = e->symlink ? strlen(e->symlink) : e->size;
	if (node->inode && S_ISDIR(node->inode->mode))
		mica_tree_clear(a->tree, node);
	node->cut = a->order;
	mica_tree_set_inode(a->tree, node, inode);
	if (!seen && e->single)
		return 0;
	/* a reference costs so little that it need not wait until it is needed */
	ret = entry_refer(a, inode, e, &referred, err);
	if (ret)
		return ret;
	if (!seen && !referred)
		return mica_apply_stash(a, inode, e, feed, err);
	ret = mica_apply_xattrs(a, e->path, e->xattrs, e->xattr_count, &inode->xattrs, err);
	return ret || referred ? ret
			       : mica_apply_store(a, inode, e->path, e->symlink, e->runs,
						  e->run_count, feed, err);
}

/* EROFS has no place for it, whatever layer it is in: it is reported. */
static bool entry_is_unfit(struct mica_apply *a, const struct mica_entry *e)
{
	const char *rest = e->path, *name;
	size_t len;

	while (mica_apply_component(&rest, &name, &len)) {
		if (len <= MICA_APPLY_NAME_MAX)
			continue;
		mica_report_warn(a->report, "%s: left out: a name of %zu bytes exceeds %d",
				 mica_quote(e->path).text, len, MICA_APPLY_NAME_MAX);
		return true;
	}
	len = e->symlink ? strlen(e->symlink) : 1;
	if (len >= 1 && len <= MICA_APPLY_SYMLINK_MAX)
		return false;
	mica_report_warn(a->report, "%s: left out: a symlink target of %zu bytes is not 1 to %d",
			 mica_quote(e->path).text, len, MICA_APPLY_SYMLINK_MAX);
	return true;
}

static int whiteout_bad(const struct mica_entry *e, const char *why, struct mica_err *err)
{
	return mica_err_set(err, MICA_E_INPUT, "'%s': whiteout %s", mica_quote(e->path).text, why);
}

/*
 * 1: the entry is a whiteout, of *name in the first *dir_len bytes of its path,
 * *name NULL: of all that is in there; 0: it is something else
 */
static int whiteout_parse(const struct mica_entry *e, const char **name, size_t *dir_len,
			  struct mica_err *err)
{
	const char *rest = e->path, *part = e->path;
	size_t len = 0;

	while (mica_apply_component(&rest, &part, &len))
		if (!strncmp(part, MICA_APPLY_WHITEOUT, strlen(MICA_APPLY_WHITEOUT)) && *rest)
			return whiteout_bad(e, "with something below it", err);
	if (strncmp(part, MICA_APPLY_WHITEOUT, strlen(MICA_APPLY_WHITEOUT)))
		return 0;
	*dir_len = part == e->path ? 0 : (size_t)(part - e->path) - 1;
	*name = strcmp(part, MICA_APPLY_OPAQUE) ? part + strlen(MICA_APPLY_WHITEOUT) : NULL;
	if (*name && (!**name || !strcmp(*name, ".") || !strcmp(*name, "..")))
		return whiteout_bad(e, "of no valid name", err);
	/* hard links are fine: aufs makes all its whiteouts one file */
	if (S_ISDIR(e->mode) && !e->hardlink)
		return whiteout_bad(e, "that is a directory", err);
	return 1;
}

static int entry_oci_whiteout(struct mica_apply *a, const struct mica_entry *e, const char *name,
			      size_t dir_len, struct mica_err *err)
{
	cleanup_free char *target = malloc(strlen(e->path) + 1);
	bool excluded;
	int ret;

	if (!target)
		return mica_err_nomem(err);
	if (S_ISREG(e->mode) && !e->hardlink && e->size)
		mica_report_warn(a->report, "%s: the content of a whiteout is left out",
				 mica_quote(e->path).text);
	memcpy(target, e->path, dir_len);
	if (name && dir_len)
		target[dir_len++] = '/';
	strcpy(target + dir_len, name ? name : "");
	ret = mica_apply_excluded(a, target, &excluded, err);
	if (ret || excluded)
		return ret;
	return name ? entry_whiteout(a, target, err) : entry_opaque(a, target, err);
}

/* Entries of layers that are for something else than to be in the image: 1: done; 0: go on. */
static int entry_control(struct mica_apply *a, const struct mica_entry *e,
			 enum mica_overlay *overlay, struct mica_err *err)
{
	const char *name = NULL;
	size_t dir_len = 0;
	int ret = whiteout_parse(e, &name, &dir_len, err);

	if (ret < 0)
		return ret;
	if (ret) {
		ret = entry_oci_whiteout(a, e, name, dir_len, err);
		return ret ? ret : 1;
	}
	ret = mica_apply_overlay(a, e, overlay, err);
	if (ret || *overlay != MICA_OVERLAY_WHITEOUT)
		return ret;
	ret = entry_whiteout(a, e->path, err);
	return ret ? ret : 1;
}

static int apply_entry(struct mica_apply *a, const struct mica_entry *e, struct mica_feed *feed,
		       struct mica_err *err)
{
	enum mica_overlay overlay = MICA_OVERLAY_NONE;
	struct mica_tnode *root = a->stage;
	bool excluded, meta;
	int ret;

	if (entry_is_unfit(a, e))
		return 0;
	ret = mica_apply_excluded(a, e->path, &excluded, err);
	if (ret)
		return ret;
	meta = mica_apply_is_meta(e->path);
	if (meta && !excluded)
		mica_report_warn(a->report, "%s: left out: aufs keeps its own books there",
				 mica_quote(e->path).text);
	if (excluded || meta)
		root = a->aside;
	else if ((ret = entry_control(a, e, &overlay, err)))
		return ret < 0 ? ret : 0;
	if (!*e->path && (!S_ISDIR(e->mode) || e->hardlink))
		return mica_err_set(err, MICA_E_INPUT, "'.': the root is not a directory");
	if (e->hardlink)
		return mica_apply_hardlink(a, root, e, err);
	if (!S_ISDIR(e->mode))
		return entry_file(a, root, e, feed, err);
	ret = entry_dir(a, root, e, err);
	return ret || overlay != MICA_OVERLAY_OPAQUE ? ret : entry_opaque(a, e->path, err);
}

static int layer_begin(struct mica_apply *a, struct mica_err *err)
{
	int ret = mica_tree_root_new(a->tree, &a->stage, err);

	return ret ? ret : mica_tree_root_new(a->tree, &a->aside, err);
}

static int layer_end(struct mica_apply *a, struct mica_err *err)
{
	int ret = mica_apply_links_find(a, err);

	if (!ret && !a->looking)
		ret = mica_apply_merge(a, err);
	if (ret)
		return ret;
	if (a->looking)
		mica_tree_drop(a->tree, a->stage);
	a->stage = NULL;
	mica_tree_drop(a->tree, a->aside);
	a->aside = NULL;
	mica_apply_links_drop(a);
	a->order++;
	return mica_apply_unstash(a, err);
}

int mica_apply_source(struct mica_apply *a, struct mica_source *src, void (*tick)(void *ctx),
		      void *ctx, struct mica_err *err)
{
	struct source_feed feed = {.feed.read = source_feed_read, .src = src};
	const struct mica_entry *e;
	int ret;

	a->source = src;
	a->tick = tick;
	a->tick_ctx = ctx;
	a->layer = mica_source_name(src);
	ret = layer_begin(a, err);
	if (ret)
		return ret;
	while ((ret = mica_source_next(src, &e, err)) > 0) {
		ret = apply_entry(a, e, &feed.feed, err);
		if (ret)
			return feed.feed.failed ? ret
						: mica_err_wrap(err, "%s", mica_source_name(src));
		if (tick)
			tick(ctx);
	}
	return ret ? ret : layer_end(a, err);
}

bool mica_apply_awaits(const struct mica_apply *a)
{
	return mica_apply_links_wait(a);
}

int mica_apply_look(struct mica_apply *a, struct mica_source *src, void (*tick)(void *ctx),
		    void *ctx, struct mica_err *err)
{
	/* what is wrong with that layer is said when its own image is made */
	struct mica_report unsaid = {0}, *report = a->report;
	int ret;

	a->looking = true;
	a->report = &unsaid;
	ret = mica_apply_source(a, src, tick, ctx, err);
	a->report = report;
	a->looking = false;
	return ret;
}

int mica_apply_finish(struct mica_apply *a, struct mica_err *err)
{
	return mica_apply_links_settle(a, err);
}
