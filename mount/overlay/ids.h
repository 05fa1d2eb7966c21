/* SPDX-License-Identifier: MIT */
/*
 * Owners as they are stored and as they are shown: the same, unless the mount is for a
 * user name space that sees them shifted (fuse-overlayfs' uidmapping=, squash_to_uid= ...).
 */
#ifndef MICA_OVERLAY_IDS_H
#define MICA_OVERLAY_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../../lib/err.h"

#define MICA_IDS_RANGES_MAX 340 /* as many as a user name space takes */

struct mica_idrange {
	uint32_t stored, shown, count;
};

struct mica_idmap {
	struct mica_idrange *ranges; /* owned; none: all ids are shown as they are */
	unsigned int count;
	bool squash; /* all are shown as one, and what is made belongs to the server's */
	uint32_t squash_to;
};

struct mica_ids {
	struct mica_idmap uids, gids;
};

/* Adds "STORED:SHOWN:COUNT", any number of times, separated by colons. */
int mica_ids_parse(struct mica_idmap *map, const char *text, struct mica_err *err);
void mica_ids_clear(struct mica_ids *ids);

void mica_ids_show(const struct mica_ids *ids, struct stat *st);

/* What is stored for an id that a request names. -EINVAL: it is in no range. */
int mica_ids_store(const struct mica_idmap *map, uint32_t own, uint32_t *id);

#endif
