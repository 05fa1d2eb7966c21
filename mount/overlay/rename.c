/* SPDX-License-Identifier: MIT */
/*
 * Renames. What moves is copied up first; a directory that has parts below says where
 * they are (redirect), one that has none hides what it comes to lie on (opaque).
 */
#include "change.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "copyup.h"
#include "index.h"
#include "lookup.h"
#include "upper.h"

/* One end of a rename. */
struct end {
	struct mica_spot n;
	struct mica_node *node; /* NULL: nothing is there */
	bool below;		/* the lower layers have the name */
};

struct move {
	struct mica_ovl *ovl;
	struct end from, to;
	bool exchange;
};

static int end_find(struct mica_ovl *ovl, struct mica_node *dir, const char *name, struct end *e)
{
	struct stat st;
	int ret = mica_ovl_lookup(ovl, dir, name, &e->node, &st);

	e->n.dir = dir;
	e->n.name = name;
	return ret == -ENOENT ? 0 : ret;
}

/* The copy of a file with several names, of which this one is in a lower layer yet. */
static int link_up(struct mica_ovl *ovl, struct end *e)
{
	struct mica_place from;
	int ret = mica_node_upper(ovl, e->node, &from);

	if (!ret)
		ret = mica_change_host_link(&from, e->n.at.base, e->n.at.path);
	if (ret)
		return ret;
	e->n.type = e->node->type;
	if (!e->node->indexed)
		return 0;
	return mica_index_set_extra(ovl, e->node, mica_index_extra(&from) - 1);
}

/* The upper directory has the directory and, where it is to move, the node. */
static int end_prepare(struct mica_ovl *ovl, struct end *e, bool moves)
{
	int ret = mica_copy_up(ovl, e->n.dir, UINT64_MAX);

	if (!ret && moves)
		ret = mica_copy_up_meta(ovl, e->node);
	if (!ret)
		ret = mica_spot_find(ovl, e->n.dir, e->n.name, &e->n);
	if (!ret && moves && !e->n.type)
		ret = link_up(ovl, e);
	if (ret)
		return ret;
	ret = mica_ovl_lower_has(ovl, e->n.dir, e->n.name, NULL);
	e->below = !ret;
	return ret == -ENOENT ? 0 : ret;
}

static bool is_dir(const struct end *e)
{
	return e->node && S_ISDIR(e->node->type);
}

static int permitted(struct move *m, unsigned int flags)
{
	bool redirects = is_dir(&m->from) || (m->exchange && is_dir(&m->to));

	if (!m->from.node || (m->exchange && !m->to.node))
		return -ENOENT;
	if (m->to.node && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (redirects && !(m->ovl->flags & MICA_OVL_REDIRECT) &&
	    ((is_dir(&m->from) && m->from.node->lower_count) ||
	     (m->exchange && is_dir(&m->to) && m->to.node->lower_count)))
		return -EXDEV;
	if (m->exchange || !m->to.node)
		return 0;
	if (is_dir(&m->to) != is_dir(&m->from))
		return is_dir(&m->to) ? -EISDIR : -ENOTDIR;
	return is_dir(&m->to) ? mica_change_empty(m->ovl, m->to.node) : 0;
}

int mica_change_redirect(struct mica_node *node, const struct mica_place *at)
{
	char path[PATH_MAX];
	int ret = mica_node_settle_lowers(node);

	if (!ret)
		ret = mica_node_merged_path(node, path);
	if (!ret)
		ret = mica_upper_mark(at, "redirect", path, strlen(path));
	if (ret || (node->redirect && !strcmp(node->redirect, path)))
		return ret;
	free(node->redirect);
	node->redirect = strdup(path);
	return node->redirect ? 0 : -ENOMEM;
}

int mica_change_redirect_file(struct mica_ovl *ovl, struct mica_node *node)
{
	struct mica_place at;
	int ret = mica_node_upper(ovl, node, &at);

	if (!ret)
		ret = mica_change_redirect(node, &at);
	return ret ? mica_copy_up(ovl, node, UINT64_MAX) : 0;
}

static int mark_moving(struct mica_ovl *ovl, struct end *e, const struct end *onto)
{
	if (!is_dir(e))
		return e->node->metacopy ? mica_change_redirect_file(ovl, e->node) : 0;
	if (e->node->lower_count)
		return mica_change_redirect(e->node, &e->n.at);
	return onto->below || onto->n.dot_whiteout ? mica_upper_mark(&e->n.at, "opaque", "y", 1)
						   : 0;
}

/*
 * An empty directory that holds whiteouts on the host: an opaque one without any takes its
 * place, which can be renamed over.
 */
static int clear_target(struct move *m)
{
	struct mica_upper *u = &m->ovl->upper;
	char temp[MICA_TEMP_NAME_MAX];
	int ret;

	mica_upper_temp(u, temp);
	if (mkdirat(u->work, temp, 0700) < 0)
		return -errno;
	ret = mica_upper_mark_temp(u, temp, "opaque", "y", 1);
	if (!ret)
		ret = mica_upper_place(u, temp, &m->to.n.at, RENAME_EXCHANGE);
	mica_upper_discard(u, temp);
	return ret;
}

static int host_rename(struct move *m, unsigned int flags)
{
	const struct mica_place *from = &m->from.n.at, *to = &m->to.n.at;

	return renameat2(from->base, from->path, to->base, to->path, flags) < 0 ? -errno : 0;
}

static int move_over(struct move *m)
{
	struct mica_upper *u = &m->ovl->upper;
	int ret;

	/* a directory cannot replace a whiteout, but change places with it */
	if (is_dir(&m->from) && m->to.n.whiteout) {
		ret = host_rename(m, RENAME_EXCHANGE);
		if (!ret && !m->from.below)
			unlinkat(m->from.n.at.base, m->from.n.at.path, 0);
		return ret;
	}
	if (is_dir(&m->from) && m->to.n.type) {
		ret = clear_target(m);
		if (ret)
			return ret;
	}
	if (!m->from.below)
		return host_rename(m, 0);
	ret = host_rename(m, RENAME_WHITEOUT);
	if (ret != -EINVAL && ret != -EPERM)
		return ret;
	ret = host_rename(m, 0);
	return ret ? ret : mica_upper_whiteout(u, &m->from.n.at);
}

static int named(struct move *m)
{
	int ret = mica_node_rename(m->ovl, m->from.node, m->to.n.dir, m->to.n.name);

	if (!ret && m->exchange)
		ret = mica_node_rename(m->ovl, m->to.node, m->from.n.dir, m->from.n.name);
	return ret;
}

static int move_locked(struct move *m, unsigned int flags)
{
	struct mica_ovl *ovl = m->ovl;
	int ret = permitted(m, flags);

	if (ret)
		return ret;
	/* two names of one file: nothing happens */
	if (m->from.node == m->to.node)
		return 0;
	ret = end_prepare(ovl, &m->from, true);
	if (!ret)
		ret = end_prepare(ovl, &m->to, m->exchange);
	if (!ret)
		ret = mark_moving(ovl, &m->from, &m->to);
	if (!ret && m->exchange)
		ret = mark_moving(ovl, &m->to, &m->from);
	if (!ret)
		ret = mica_copy_up_impure(ovl, m->to.n.dir);
	if (!ret && m->exchange)
		ret = mica_copy_up_impure(ovl, m->from.n.dir);
	if (!ret && m->to.node && !m->exchange)
		ret = mica_change_retain(ovl, m->to.node, m->to.n.dir, m->to.n.name);
	if (!ret)
		ret = m->exchange ? host_rename(m, RENAME_EXCHANGE) : move_over(m);
	if (ret)
		return ret;
	mica_change_named(ovl, m->to.n.dir, m->to.n.name);
	if (m->to.node && !m->exchange)
		mica_change_lost(m->ovl, m->to.node, &m->to.n);
	return named(m);
}

int mica_change_rename(struct mica_ovl *ovl, struct mica_node *from, const char *old_name,
		       struct mica_node *to, const char *new_name, unsigned int flags)
{
	struct move m = {.ovl = ovl, .exchange = flags & RENAME_EXCHANGE};
	int ret = mica_change_name_allowed(ovl, new_name);

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		ret = -EINVAL;
	if (ret)
		return ret;
	pthread_rwlock_wrlock(&ovl->tree);
	ret = end_find(ovl, from, old_name, &m.from);
	if (!ret)
		ret = end_find(ovl, to, new_name, &m.to);
	if (!ret)
		ret = move_locked(&m, flags);
	mica_node_put(ovl, m.from.node);
	mica_node_put(ovl, m.to.node);
	pthread_rwlock_unlock(&ovl->tree);
	return ret;
}
