/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "../log.h"
#include "index.h"
#include "origin.h"
#include "xattrs.h"

/* A lookup under way. */
struct search {
	struct mica_ovl *ovl;
	struct mica_node *dir;
	const char *name;
	struct mica_node *node; /* what is found so far */
	struct stat st;		/* of the topmost part */
	uint64_t lower_number;	/* of the topmost lower part, 0: none */
	unsigned int below;	/* layers of less depth than this are still to be asked */
	bool found, done;
	bool data_below; /* what is found is a file's metadata alone */
	bool bare;	 /* the part that was found last has no attribute of overlayfs */
	bool upper_bare; /* nor has the upper one */
	/*
	 * What a redirect says of the layers below: nothing, then they are asked for the name; a
	 * sibling's name; or, from "/" on, a path from their roots.
	 */
	char redirect[PATH_MAX];
};

/* The part of a path that a directory was reached by: [path, path + begin) is before its name. */
struct step {
	const char *path;
	size_t begin, end;
};

/* value replaces the step's name, or all up to it. */
static int redirect_set(struct search *s, const char *value, const struct step *step)
{
	char path[PATH_MAX];
	int n;

	if (*value == '/' || !step)
		n = snprintf(path, sizeof(path), "%s%s", value, step ? step->path + step->end : "");
	else
		n = snprintf(path, sizeof(path), "%.*s%s%s", (int)step->begin, step->path, value,
			     step->path + step->end);
	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (*value != '/' && strchr(value, '/'))
		return -EIO;
	strcpy(s->redirect, path);
	return 0;
}

/* What a directory says of the layers below it. step: NULL when it was found by name alone */
static int directory_judge(struct search *s, const struct mica_place *at, const struct step *step)
{
	char value[PATH_MAX];

	s->bare = mica_overlay_bare(at);
	if ((!s->bare && mica_overlay_value(at, "opaque", value, sizeof(value)) == 1 &&
	     *value == 'y') ||
	    mica_place_dot_opaque(at)) {
		s->done = true;
		return 0;
	}
	if (!s->bare && mica_overlay_value(at, "redirect", value, sizeof(value)) > 0)
		return redirect_set(s, value, step);
	return 0;
}

/*
 * A file ends the search, unless its data is in the layer below (metacopy), by name or where a
 * redirect says. As in the kernel's overlayfs that is for those who asked for it: whoever makes
 * a layer could show what another one hides.
 */
static int file_judge(struct search *s, const struct mica_place *at, const struct stat *st,
		      const struct step *step)
{
	char value[PATH_MAX];

	s->bare = mica_overlay_bare(at);
	s->data_below = !s->bare && S_ISREG(st->st_mode) && st->st_size &&
			mica_overlay_marked(at, "metacopy", NULL);
	s->done = !s->data_below;
	if (s->done)
		return 0;
	if (!(s->ovl->flags & MICA_OVL_METACOPY)) {
		mica_log_failure("%s: %s in '%s': its data is in a layer below, which is followed "
				 "with metacopy=on only",
				 at->layer->name, s->name, s->dir->name ? s->dir->name : "/");
		return -EPERM;
	}
	if (mica_overlay_value(at, "redirect", value, sizeof(value)) > 0)
		return redirect_set(s, value, step);
	return 0;
}

static int data_missing(const struct search *s)
{
	mica_log_failure("%s in '%s' has metadata only (metacopy), and no layer below has its data",
			 s->name, s->dir->name ? s->dir->name : "/");
	return -EIO;
}

/* Where the lower layers, merged, have what the upper directory has under another name. */
static int redirect_keep(struct search *s)
{
	char path[PATH_MAX];
	int ret = 0;

	if (*s->redirect != '/') {
		ret = mica_node_merged_path(s->dir, path);
		if (!ret && strlen(path) + 1 + strlen(s->redirect) >= sizeof(path))
			ret = -ENAMETOOLONG;
		if (!ret)
			strcat(strcat(path, "/"), s->redirect);
	}
	if (ret)
		return ret;
	s->node->redirect = strdup(*s->redirect == '/' ? s->redirect : path);
	return s->node->redirect ? 0 : -ENOMEM;
}

static int upper_part(struct search *s)
{
	struct mica_found found;
	struct mica_place at;
	int ret = mica_node_upper(s->ovl, s->dir, &at);

	if (!ret)
		ret = mica_place_lookup(&at, s->name, &found);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	s->done = found.whiteout || !S_ISDIR(found.st.st_mode);
	if (found.whiteout)
		return 0;
	s->found = true;
	s->st = found.st;
	s->node->upper = true;
	s->node->upper_ino = found.st.st_ino;
	s->node->type = found.st.st_mode & S_IFMT;
	ret = mica_place_enter(&at, s->name, &found);
	if (!ret)
		ret = s->done ? file_judge(s, &at, &found.st, NULL) : directory_judge(s, &at, NULL);
	s->node->metacopy = s->data_below;
	s->upper_bare = s->bare;
	if (!ret && !s->bare && !S_ISDIR(found.st.st_mode) && found.st.st_nlink > 1 &&
	    s->ovl->upper.indexed)
		s->node->indexed = mica_overlay_marked(&at, "nlink", NULL);
	if (!ret && *s->redirect)
		ret = redirect_keep(s);
	return ret;
}

/*
 * found lies at *at: a part of what is looked for. path: from the layer's root, NULL when it
 * has the node's own; step: the end of it, when it was looked up from there
 */
static int lower_part(struct search *s, struct mica_place *at, const struct mica_found *found,
		      const char *path, const struct step *step)
{
	mode_t wanted = s->data_below ? S_IFREG : S_IFDIR;
	int ret;

	if (found->whiteout || (s->found && (found->st.st_mode & S_IFMT) != wanted)) {
		s->done = true;
		return 0;
	}
	ret = mica_node_add_lower(s->node, at->layer, found->nid, path);
	if (ret)
		return ret;
	if (!s->lower_number)
		s->lower_number = mica_ovl_number(at->layer, found->st.st_ino);
	if (!s->found) {
		s->st = found->st;
		s->node->type = found->st.st_mode & S_IFMT;
	}
	s->found = true;
	if (S_ISDIR(found->st.st_mode))
		return directory_judge(s, at, step);
	return file_judge(s, at, &found->st, step);
}

static int sibling_path(const struct mica_node *dir, const struct mica_ovl_layer *layer,
			const char *name, char path[PATH_MAX])
{
	int ret = mica_node_lower_path(dir, layer, path);

	if (!ret && strlen(path) + 1 + strlen(name) >= PATH_MAX)
		ret = -ENAMETOOLONG;
	if (!ret)
		strcat(strcat(path, "/"), name);
	return ret;
}

/* The layers that have a part of the directory, until one redirects to another path. */
static int lower_siblings(struct search *s)
{
	for (unsigned int i = 0; !s->done && *s->redirect != '/' && i < s->dir->lower_count; i++) {
		char name[NAME_MAX + 1], path[PATH_MAX];
		struct mica_found found;
		struct mica_place at;
		int ret = mica_node_lower(s->ovl, s->dir, i, &at);
		bool moved = *s->redirect;

		if (ret)
			return ret;
		if (s->dir->lowers[i].layer->depth >= s->below)
			continue;
		if (strlen(moved ? s->redirect : s->name) > NAME_MAX)
			return -EIO;
		strcpy(name, moved ? s->redirect : s->name);
		s->below = at.layer->depth;
		ret = mica_place_lookup(&at, name, &found);
		if (ret == -ENOENT)
			continue;
		if (!ret && moved)
			ret = sibling_path(s->dir, at.layer, name, path);
		if (!ret)
			ret = mica_place_enter(&at, name, &found);
		if (!ret)
			ret = lower_part(s, &at, &found, moved ? path : NULL, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

/* A directory on the way: what it hides or moves counts for the layers below. */
static int pass(struct search *s, struct mica_place *at, const char *name,
		const struct mica_found *found, const struct step *step)
{
	int ret;

	if (found->whiteout || !S_ISDIR(found->st.st_mode)) {
		s->done = true;
		return -ENOENT;
	}
	ret = mica_place_enter(at, name, found);
	return ret ? ret : directory_judge(s, at, step);
}

/* From a layer's root down an absolute path. Its last part is for lower_part(). */
static int descend(struct search *s, const char *path, struct mica_place *at)
{
	struct step step = {.path = path, .end = 0};
	char name[NAME_MAX + 1], own[PATH_MAX];
	struct mica_found found;
	int ret;

	for (;;) {
		step.begin = step.end + strspn(path + step.end, "/");
		step.end = step.begin + strcspn(path + step.begin, "/");
		if (step.end == step.begin || step.end - step.begin > NAME_MAX)
			return -EIO;
		memcpy(name, path + step.begin, step.end - step.begin);
		name[step.end - step.begin] = 0;
		ret = mica_place_lookup(at, name, &found);
		if (ret)
			return ret == -ENOTDIR ? -ENOENT : ret;
		if (!path[step.end])
			break;
		ret = pass(s, at, name, &found, &step);
		if (ret)
			return ret;
	}
	if (snprintf(own, sizeof(own), ".%s", path) >= (int)sizeof(own))
		return -ENAMETOOLONG;
	ret = mica_place_enter(at, name, &found);
	return ret ? ret : lower_part(s, at, &found, own, &step);
}

/* The layers below the one that redirected, each from its root. */
static int lower_redirected(struct search *s)
{
	struct mica_ovl *ovl = s->ovl;

	for (unsigned int i = ovl->lower_count; !s->done && i-- > 0;) {
		struct mica_place at;
		char path[PATH_MAX];
		int ret;

		if (ovl->lowers[i].depth >= s->below)
			continue;
		s->below = ovl->lowers[i].depth;
		mica_ovl_layer_root(&ovl->lowers[i], &at);
		strcpy(path, s->redirect);
		ret = descend(s, path, &at);
		if (ret && ret != -ENOENT)
			return ret;
	}
	return 0;
}

/* Overlayfs' origin keeps the number that the file had before it was copied up. */
static uint64_t number_of(struct search *s)
{
	struct mica_origin origin;
	struct mica_place at;
	uint64_t number = 0;
	long n;

	if (S_ISDIR(s->node->type) || !s->node->upper)
		return s->lower_number ? s->lower_number
				       : mica_ovl_number(&s->ovl->upper.layer, s->st.st_ino);
	if (s->upper_bare)
		return mica_ovl_number(&s->ovl->upper.layer, s->st.st_ino);
	if (mica_node_upper(s->ovl, s->node, &at))
		return 0;
	n = mica_overlay_value(&at, "origin", (char *)origin.bytes, sizeof(origin.bytes));
	origin.len = n > 0 ? (size_t)n : 0;
	if (origin.len)
		number = mica_origin_number(s->ovl, &origin);
	return number ? number : mica_ovl_number(&s->ovl->upper.layer, s->st.st_ino);
}

/* A lower file that was copied up under another of its names. */
static int indexed_part(struct search *s)
{
	struct mica_place at;
	int fd, ret = mica_node_lower(s->ovl, s->node, 0, &at);

	if (!ret)
		ret = mica_index_find(s->ovl, &at, &fd);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	s->node->fd = fd;
	s->node->upper = true;
	s->node->indexed = true;
	if (fstatat(fd, "", &s->st, AT_EMPTY_PATH) < 0)
		return -errno;
	s->node->upper_ino = s->st.st_ino;
	ret = mica_node_upper(s->ovl, s->node, &at);
	if (!ret && s->st.st_size && mica_overlay_marked(&at, "metacopy", NULL))
		s->node->metacopy = true;
	return ret;
}

static int search(struct search *s)
{
	int ret = 0;

	s->below = s->ovl->lower_count + 1;
	if (mica_ovl_writable(s->ovl) && s->dir->upper)
		ret = upper_part(s);
	if (!ret && !s->done)
		ret = lower_siblings(s);
	if (!ret && !s->done && *s->redirect == '/')
		ret = lower_redirected(s);
	if (!ret && !s->found)
		ret = -ENOENT;
	if (!ret && s->data_below)
		ret = data_missing(s);
	if (!ret && !s->node->upper && !S_ISDIR(s->st.st_mode) && s->st.st_nlink > 1)
		ret = indexed_part(s);
	return ret;
}

/* A file takes the room of its data, wherever that is. */
static void blocks_of_data(struct mica_ovl *ovl, struct mica_node *node, struct stat *st)
{
	struct mica_place at;
	struct stat data;

	if (!mica_node_data(ovl, node, &at) && !mica_place_stat(&at, &data))
		st->st_blocks = data.st_blocks;
}

/* A merged directory's links cannot be counted cheaply; 1 tells find(1) not to rely on them. */
static void shown(struct mica_ovl *ovl, struct mica_node *node, struct stat *st)
{
	struct mica_place at;

	st->st_ino = node->id;
	mica_ids_show(ovl->ids, st);
	if (S_ISDIR(st->st_mode) &&
	    (ovl->flags & MICA_OVL_STATIC_NLINK || node->lower_count + (node->upper ? 1 : 0) > 1))
		st->st_nlink = 1;
	if (S_ISREG(st->st_mode) && !mica_node_owns_data(node) &&
	    (node->upper || node->lower_count > 1))
		blocks_of_data(ovl, node, st);
	if (node->indexed && !mica_node_upper(ovl, node, &at))
		st->st_nlink = (nlink_t)((long)st->st_nlink + mica_index_extra(&at));
	else if (!node->upper && !S_ISDIR(st->st_mode))
		st->st_nlink -= (nlink_t)node->names_lost;
}

int mica_ovl_stat(struct mica_ovl *ovl, struct mica_node *node, struct stat *st)
{
	struct mica_place at;
	int ret = mica_node_place(ovl, node, &at);

	if (!ret)
		ret = mica_place_stat(&at, st);
	if (!ret)
		shown(ovl, node, st);
	return ret;
}

int mica_ovl_lookup(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		    struct mica_node **out, struct stat *st)
{
	struct search s = {.ovl = ovl, .dir = dir, .name = name};
	bool upper;
	int ret;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (dir->removed)
		return -ENOENT;
	s.node = mica_node_new(ovl, dir, name);
	if (!s.node)
		return -ENOMEM;
	ret = search(&s);
	if (!ret)
		s.node->id = number_of(&s);
	if (ret) {
		mica_node_drop(ovl, s.node);
		return ret;
	}
	upper = s.node->upper;
	*out = mica_node_intern(ovl, s.node);
	*st = s.st;
	/* known by another name already, and changed since under that one */
	if ((*out)->upper && !upper)
		return mica_ovl_stat(ovl, *out, st);
	shown(ovl, *out, st);
	return 0;
}

int mica_ovl_made(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		  struct mica_node **out, struct stat *st)
{
	struct mica_node *node = mica_node_new(ovl, dir, name);
	struct mica_found found = {.nid = 0};
	struct mica_place at;
	int ret = node ? mica_node_upper(ovl, dir, &at) : -ENOMEM;

	if (!ret)
		ret = mica_place_enter(&at, name, &found);
	if (!ret)
		ret = mica_place_stat(&at, st);
	if (ret) {
		mica_node_drop(ovl, node);
		return ret;
	}
	node->upper = true;
	node->upper_ino = st->st_ino;
	node->type = st->st_mode & S_IFMT;
	node->id = mica_ovl_number(&ovl->upper.layer, st->st_ino);
	*out = mica_node_intern(ovl, node);
	shown(ovl, *out, st);
	return 0;
}

int mica_ovl_lower_has(struct mica_ovl *ovl, struct mica_node *dir, const char *name, bool *is_dir)
{
	struct search s = {.ovl = ovl, .dir = dir, .name = name};
	int ret;

	s.node = mica_node_new(ovl, dir, name);
	if (!s.node)
		return -ENOMEM;
	s.below = ovl->lower_count + 1;
	ret = lower_siblings(&s);
	if (!ret && !s.found)
		ret = -ENOENT;
	if (is_dir)
		*is_dir = !ret && S_ISDIR(s.node->type);
	mica_node_drop(ovl, s.node);
	return ret;
}
