/* SPDX-License-Identifier: MIT */
/*
 * The metabox: a file without a name whose content is metadata. Inodes, with
 * all that lies behind them, and shared xattrs are compressed in it; its own
 * inode is not in there. Bytes are compressed as they come, cluster by cluster,
 * and stored one behind the other, so that memory holds one cluster.
 */
#ifndef MICA_MKIMAGE_METABOX_H
#define MICA_MKIMAGE_METABOX_H

#include "../lib/tree.h"
#include "build.h"
#include "outfile.h"

struct mica_metabox;

/* out, spool: borrowed. The first cluster is stored at out's position. */
int mica_metabox_new(const struct mica_build_opts *opts, struct mica_outfile *out,
		     struct mica_spool *spool, struct mica_metabox **result, struct mica_err *err);
void mica_metabox_free(struct mica_metabox *m);

struct mica_outlet mica_metabox_outlet(struct mica_metabox *m);

/* The rest of the last cluster; then the inode's size and data are known. */
int mica_metabox_finish(struct mica_metabox *m, struct mica_tinode *inode, struct mica_err *err);

/* Stored bytes of the largest cluster that was compressed, 0: none was. */
uint32_t mica_metabox_max_pcluster(const struct mica_metabox *m);

#endif
