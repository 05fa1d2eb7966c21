/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "apply_impl.h"
#include "quote.h"

#define TICK_BYTES ((uint64_t)1 << 20)

static void tick_add(struct mica_apply *a, size_t len)
{
	a->tick_bytes += len;
	if (a->tick_bytes < TICK_BYTES)
		return;
	a->tick_bytes = 0;
	if (a->tick)
		a->tick(a->tick_ctx);
}

static int store_regular(struct mica_apply *a, struct mica_tinode *inode, const char *path,
			 const struct mica_run *runs, size_t run_count, struct mica_feed *feed,
			 struct mica_err *err)
{
	uint64_t at = 0, off;
	const void *buf;
	size_t len;
	int ret, more;

	ret = mica_packer_begin(a->packer, inode, path, inode->size, runs, run_count, err);
	while (!ret && (more = feed->read(feed, &buf, &len, &off, err))) {
		if (more < 0)
			return more;
		if (off > at)
			ret = mica_packer_zeros(a->packer, off - at, err);
		if (!ret)
			ret = mica_packer_write(a->packer, buf, len, err);
		at = off + len;
		tick_add(a, len);
	}
	if (!ret && at < inode->size)
		ret = mica_packer_zeros(a->packer, inode->size - at, err);
	return ret ? ret : mica_packer_end(a->packer, err);
}

int mica_apply_store(struct mica_apply *a, struct mica_tinode *inode, const char *path,
		     const char *symlink, const struct mica_run *runs, size_t run_count,
		     struct mica_feed *feed, struct mica_err *err)
{
	int ret = 0;

	if (S_ISREG(inode->mode)) {
		inode->pinned = true;
		ret = store_regular(a, inode, path, runs, run_count, feed, err);
	} else if (S_ISLNK(inode->mode)) {
		inode->pinned = true;
		ret = mica_packer_symlink(a->packer, inode, symlink, strlen(symlink), err);
	}
	return ret && !(feed && feed->failed) ? mica_err_wrap(err, "'%s'", mica_quote(path).text)
					      : ret;
}
