/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of the merged tree: a node for each inode that it was told
 * of, until it forgets it. A node holds the name by which it was last found and, for
 * a directory, where it lies in each layer; everything else is asked of the layers.
 */
#ifndef MICA_OVERLAY_NODE_H
#define MICA_OVERLAY_NODE_H

#include "overlay.h"

#define MICA_OVL_ROOT 1 /* FUSE's number for it */

/* A directory in one of the lower layers. */
struct mica_lower {
	const struct mica_ovl_layer *layer;
	uint64_t nid;
	/* From the layer's root, when it is not the parent's there and the node's name. */
	char *path;
};

/* There may be a million of them. */
struct mica_node {
	uint64_t id;		  /* the kernel's number of it, and st_ino */
	uint64_t lookups;	  /* by the kernel */
	uint32_t uses;		  /* by child nodes and by requests under way */
	uint32_t lower_count;	  /* in lowers */
	struct mica_node *next;	  /* in the table */
	struct mica_node *parent; /* a use of it; NULL: the root */
	char *name;		  /* NULL: the root; owned when it is not first_name */
	/* Of a directory that moved: where the lower layers, merged, have it; from "/" on. */
	char *redirect;
	uint64_t upper_ino; /* the host's, when upper */
	/*
	 * O_PATH; -1: none. Of what is in the upper directory and was removed, lost the name
	 * that we know, or is a directory that paths begin at.
	 */
	atomic_int fd;
	uint32_t anchor;	    /* the latter; guarded by anchors.c */
	mode_t type;		    /* S_IFxxx */
	int names_lost;		    /* before it was copied up with others, covered by whiteouts */
	atomic_bool upper;	    /* lies in the upper directory */
	atomic_bool metacopy;	    /* but its data does not: it is in the last of lowers */
	atomic_bool indexed;	    /* copied up with other names (index.h) */
	bool removed;		    /* its name is gone; upper: fd is left, lower: lowers[0] */
	atomic_bool no_default_acl; /* directory: was found to have none */
	atomic_bool impure;	    /* directory: is marked as holding what came from below */
	atomic_bool anchor_used;    /* since anchors.c looked last */
	/*
	 * Top to bottom; of a file the one that shows and, when its data is in a layer below
	 * (metacopy), those down to it. They stay when it was copied up, since somebody may be
	 * reading it.
	 */
	struct mica_lower *lowers;
	struct mica_lower one;	/* where they are when there is one */
	struct mica_file *file; /* open for reading and writing, see files.h */
	union {
		struct mica_listing *listing; /* of a merged directory, see listing.h */
		struct mica_backing *backing; /* of a file in the passthrough profile (backing.h) */
	};
	char first_name[];
};

struct mica_nodes;

int mica_nodes_new(struct mica_nodes **out);
/* All nodes go, whatever the kernel holds. */
void mica_nodes_clear(struct mica_ovl *ovl);
void mica_nodes_free(struct mica_nodes *nodes);

/* The node of a number that the kernel holds, with a use; for mica_node_put(). */
struct mica_node *mica_node_get(struct mica_ovl *ovl, uint64_t id);
/* One more use. */
struct mica_node *mica_node_use(struct mica_ovl *ovl, struct mica_node *node);
/* One use less; nodes that nobody needs are gone. node may be NULL */
void mica_node_put(struct mica_ovl *ovl, struct mica_node *node);
/* The kernel drops so many of its lookups. */
void mica_node_forget(struct mica_ovl *ovl, uint64_t id, uint64_t lookups);
/* The kernel is told of it once more. */
void mica_node_looked_up(struct mica_ovl *ovl, struct mica_node *node);

/*
 * The node of what was found: that which is known by this number already, or fresh,
 * which it takes over. Returned with a use.
 */
struct mica_node *mica_node_intern(struct mica_ovl *ovl, struct mica_node *fresh);

/* Not in the table; for mica_node_intern() or mica_node_drop(). Takes a use of parent. */
struct mica_node *mica_node_new(struct mica_ovl *ovl, struct mica_node *parent, const char *name);
void mica_node_drop(struct mica_ovl *ovl, struct mica_node *node);

/* Gives it another name. Under the tree's lock for writing. */
int mica_node_rename(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *parent,
		     const char *name);

/* Adds a lower directory or file; path may be NULL. */
int mica_node_add_lower(struct mica_node *node, const struct mica_ovl_layer *layer, uint64_t nid,
			const char *path);
void mica_node_clear_lowers(struct mica_node *node);

/*
 * Places. A node's in the upper directory; of a name in it; in its i'th lower layer.
 * The tree's lock is held.
 */
int mica_node_upper(const struct mica_ovl *ovl, struct mica_node *node, struct mica_place *out);
int mica_node_lower(const struct mica_ovl *ovl, const struct mica_node *node, unsigned int i,
		    struct mica_place *out);
/* Of a file: where its data is below, unless mica_node_owns_data(). */
int mica_node_data(const struct mica_ovl *ovl, const struct mica_node *node,
		   struct mica_place *out);
static inline bool mica_node_owns_data(const struct mica_node *node)
{
	return node->upper && !node->metacopy;
}
/* Its lower parts keep the paths that they have, whatever name it gets. The tree's lock is held */
int mica_node_settle_lowers(struct mica_node *node);
/* Its path in the mounted tree, "a/b", "": the root. */
int mica_node_path(const struct mica_node *node, char buf[PATH_MAX]);
/* Its path in what the lower layers alone would show, from "/" on; "": the root. */
int mica_node_merged_path(const struct mica_node *node, char buf[PATH_MAX]);
/* Its path in a lower layer that it has a part in, from "." on: also in an image. */
int mica_node_lower_path(const struct mica_node *node, const struct mica_ovl_layer *layer,
			 char buf[PATH_MAX]);
/* Where it shows: the upper directory if it is there, else the topmost lower layer. */
int mica_node_place(const struct mica_ovl *ovl, struct mica_node *node, struct mica_place *out);

#endif
