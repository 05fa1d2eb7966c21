/* SPDX-License-Identifier: MIT */
/* The block map of one file. */
#include "dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../lib/filetype.h"
#include "show.h"

static void extent_json(struct mica_json *j, const struct mica_extent *e)
{
	mica_json_object(j, NULL);
	mica_json_u64(j, "logical", e->la);
	mica_json_u64(j, "length", e->llen);
	if (e->kind != MICA_EXTENT_HOLE) {
		mica_json_u64(j, "physical", e->pa);
		mica_json_u64(j, "stored", e->plen);
		mica_json_u64(j, "device", e->device);
	}
	mica_json_str(j, "kind", mica_show_kind(e));
	mica_json_str(j, "algorithm", mica_show_alg(e));
	mica_json_bool(j, "in_metabox", e->in_metabox);
	mica_json_bool(j, "partial", e->partial);
	mica_json_bool(j, "interlaced", e->interlaced);
	mica_json_object_end(j);
}

static void extent_text(const struct mica_extent *e)
{
	const char *alg = mica_show_alg(e);
	char physical[32] = "-", stored[32] = "-";

	if (e->kind != MICA_EXTENT_HOLE) {
		snprintf(physical, sizeof(physical), "%" PRIu64, e->pa);
		snprintf(stored, sizeof(stored), "%" PRIu64, e->plen);
	}
	printf("%14" PRIu64 " %12" PRIu64 " %14s %12s  %-14s %s", e->la, e->llen, physical, stored,
	       mica_show_kind(e), alg ? alg : "-");
	if (e->device)
		printf(" device=%u", e->device);
	printf("%s%s%s\n", e->in_metabox ? " metabox" : "", e->partial ? " partial" : "",
	       e->interlaced ? " interlaced" : "");
}

int mica_dump_extents(struct mica_dump *d, const char *path, struct mica_err *err)
{
	struct mica_inode inode;
	struct mica_extent e;
	int ret = mica_image_walk(d->img, path, &inode, err);

	if (ret)
		return ret;
	if (!S_ISREG(inode.mode) && !S_ISDIR(inode.mode) && !S_ISLNK(inode.mode))
		return mica_err_set(err, MICA_E_USAGE, "%s: a %s has no extents", path,
				    mica_filetype_name(mica_filetype_of(inode.mode)));
	if (d->json) {
		mica_json_str(&d->j, "path", path);
		mica_json_u64(&d->j, "size", inode.size);
		mica_json_array(&d->j, "extents");
	} else {
		printf("%14s %12s %14s %12s  %-14s %s\n", "LOGICAL", "LENGTH", "PHYSICAL", "STORED",
		       "KIND", "ALGORITHM");
	}
	for (uint64_t la = 0; la < inode.size && !ret; la = e.la + e.llen) {
		ret = mica_image_map(d->img, &inode, la, &e, err);
		if (ret)
			break;
		if (d->json)
			extent_json(&d->j, &e);
		else
			extent_text(&e);
	}
	if (d->json)
		mica_json_array_end(&d->j);
	return ret ? mica_err_wrap(err, "%s", path) : 0;
}
