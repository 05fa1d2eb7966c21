/* SPDX-License-Identifier: MIT */
/*
 * Changes of names: each leaves the merged tree as the kernel's overlayfs would have
 * left it, and the upper directory so that any reader of its format sees that tree. They
 * take the tree's lock for writing themselves.
 */
#ifndef MICA_OVERLAY_CHANGE_H
#define MICA_OVERLAY_CHANGE_H

#include "node.h"

/* What is to be made, and for whom. */
struct mica_make {
	mode_t mode;  /* with S_IFxxx */
	mode_t umask; /* applies where the directory has no default ACL */
	dev_t rdev;
	const char *target; /* of a symlink */
	uid_t uid;
	gid_t gid;
};

/* *out with a use, and its attributes. */
int mica_change_make(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		     const struct mica_make *what, struct mica_node **out, struct stat *st);
int mica_change_link(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *dir,
		     const char *name, struct stat *st);
/* is_dir: rmdir, else unlink */
int mica_change_remove(struct mica_ovl *ovl, struct mica_node *dir, const char *name, bool is_dir);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE */
int mica_change_rename(struct mica_ovl *ovl, struct mica_node *from, const char *old_name,
		       struct mica_node *to, const char *new_name, unsigned int flags);

/* Shared by them. A name in an upper directory. */
struct mica_spot {
	struct mica_node *dir;
	const char *name;
	struct mica_place at; /* where it is or will be in the upper directory */
	mode_t type;	      /* of what is there: S_IFxxx, 0: nothing */
	bool whiteout;	      /* that is one */
	bool dot_whiteout;    /* nothing is there, but a file beside it says that it is hidden */
};

/* Looks at the upper directory only, where dir is. Its other fields are set, too. */
int mica_spot_find(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		   struct mica_spot *out);

/* The same where it is known that the upper directory has nothing of the name. */
int mica_spot_free(struct mica_ovl *ovl, struct mica_node *dir, const char *name,
		   struct mica_spot *out);

/* -ENOTEMPTY when a directory shows any name. */
int mica_change_empty(struct mica_ovl *ovl, struct mica_node *dir);

/* The node is about to lose a name: what it needs to live on without is kept. */
int mica_change_retain(struct mica_ovl *ovl, struct mica_node *node, struct mica_node *dir,
		       const char *name);
/* It has lost it. name: as it was found before */
void mica_change_lost(struct mica_ovl *ovl, struct mica_node *node, const struct mica_spot *name);

/*
 * From now on a node's parts below are found by a path of their own. at: where it is in the upper
 * directory
 */
int mica_change_redirect(struct mica_node *node, const struct mica_place *at);
/* The same of a file whose data is below; where that cannot be, it gets its data. */
int mica_change_redirect_file(struct mica_ovl *ovl, struct mica_node *node);

/*
 * A name was given. fuse-overlayfs' files that hide it go after that, since to fuse-overlayfs they
 * would hide it still.
 */
void mica_change_named(struct mica_ovl *ovl, struct mica_node *dir, const char *name);
/* -EPERM: it would be such a file. */
int mica_change_name_allowed(const struct mica_ovl *ovl, const char *name);

/* Gives what lies in the upper directory one name more on the host. */
int mica_change_host_link(const struct mica_place *from, int dir, const char *path);

#endif
