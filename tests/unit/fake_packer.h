/* SPDX-License-Identifier: MIT */
/*
 * Stands for the packer and the xattr table: remembers what came, so that tests
 * can see what would be stored, and nothing else.
 */
#ifndef MICA_TESTS_FAKE_PACKER_H
#define MICA_TESTS_FAKE_PACKER_H

#include "../../mkimage/packer.h"
#include "../../mkimage/xattrs.h"

/* A file or symlink that was given to the packer, in order. */
struct fake_item {
	const struct mica_tinode *inode;
	char *bytes; /* holes as '~' */
	uint64_t size, written;
	size_t run_count;
	bool symlink, ended, has_runs;
};

struct mica_packer {
	struct fake_item *items;
	size_t count;
	char *scratch;
	size_t scratch_len, scratch_cap;
	bool scratch_forgets; /* what is read back is not what was written */
};

struct mica_xattrs {
	char **sets; /* "name=value,...", by id - 1 */
	size_t count;
};

/* The last item of inode, NULL: it never came. */
const struct fake_item *fake_packer_find(const struct mica_packer *p,
					 const struct mica_tinode *inode);

void fake_packer_free(struct mica_packer *p);
void fake_xattrs_free(struct mica_xattrs *x);

#endif
