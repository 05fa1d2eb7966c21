/* SPDX-License-Identifier: MIT */
#include "tarindex.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../formats/footer.h"
#include "../formats/tar.h"
#include "../lib/digest.h"
#include "../lib/util.h"
#include "data.h"
#include "outfile.h"

#define READ_BYTES ((size_t)1 << 20)

/* Enough that a tar which has no end mark gets one. */
#define END_MARK (2u * MICA_TAR_BLOCK)
/* No more than that is between a tar and the index behind it. */
#define GAP_MAX (2u * MICA_BLOCK)

_Static_assert(MICA_TAR_BLOCK == 1u << MICA_SMALL_BLOCK_BITS, "a tar's block is the image's");

/* Bytes of the tar that are in whole blocks; what is behind is none of its data. */
static uint64_t whole_blocks(uint64_t bytes)
{
	return mica_round_down(bytes, MICA_TAR_BLOCK);
}

static int base_digest(struct mica_base *base, struct mica_io *io, struct mica_err *err)
{
	cleanup_hasher struct mica_hasher *hasher = NULL;
	cleanup_free unsigned char *buf = malloc(READ_BYTES);
	uint64_t bytes = whole_blocks(base->bytes);
	struct mica_digest digest;
	int ret = buf ? mica_hasher_new(MICA_DIGEST_SHA256, &hasher, err) : mica_err_nomem(err);

	for (uint64_t off = 0; !ret && off < bytes; off += READ_BYTES) {
		size_t n = (size_t)mica_min(READ_BYTES, bytes - off);

		ret = mica_io_read(io, buf, n, off, err);
		mica_hasher_add(hasher, buf, n);
	}
	if (!ret)
		ret = mica_hasher_end(hasher, &digest, err);
	if (!ret)
		mica_digest_hex(&digest, sizeof(base->tag) - 1, base->tag);
	return ret;
}

/* The tar is what is before its own index: nothing of it may be cut off. */
static int base_cut(struct mica_base *base, struct mica_io *io, const struct mica_footer *footer,
		    struct mica_err *err)
{
	static const unsigned char zeros[GAP_MAX];
	unsigned char gap[GAP_MAX];
	uint64_t len = footer->image - footer->device;
	int ret = 0;

	if (len <= GAP_MAX)
		ret = mica_io_read(io, gap, (size_t)len, footer->device, err);
	if (ret)
		return ret;
	if (len > GAP_MAX || memcmp(gap, zeros, (size_t)len) != 0)
		return mica_err_set(err, MICA_E_INPUT,
				    "%s: the footer says that a tar of %" PRIu64
				    " bytes has its index at byte %" PRIu64
				    ", but between them is more than some zeros",
				    base->path, footer->device, footer->image);
	base->bytes = footer->device;
	return 0;
}

static int base_take(struct mica_base *base, const char *path, struct mica_err *err)
{
	struct mica_io *io cleanup_io = NULL;
	struct mica_footer footer;
	struct stat st;
	int ret;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return mica_err_set(err, MICA_E_USAGE,
				    "%s: an index points into a tar file, which this is not", path);
	ret = mica_io_open_file(path, 0, &io, err);
	if (ret)
		return ret;
	base->path = path;
	base->bytes = io->size;
	ret = mica_footer_find(io, &footer, err);
	if (ret > 0)
		ret = footer.device ? base_cut(base, io, &footer, err) : 0;
	if (ret)
		return ret;
	base->blocks = base->bytes / MICA_TAR_BLOCK;
	return base_digest(base, io, err);
}

int mica_tarindex_open(const char *path, struct mica_bases *out, struct mica_err *err)
{
	*out = (struct mica_bases){.v = calloc(1, sizeof(*out->v))};
	if (!out->v)
		return mica_err_nomem(err);
	out->count = 1;
	return base_take(out->v, path, err);
}

int mica_tarindex_check(const struct mica_source *src, struct mica_err *err)
{
	const char *filter = mica_source_is_tar(src) ? mica_source_tar_filter(src) : NULL;

	if (!mica_source_is_tar(src))
		return mica_err_set(err, MICA_E_USAGE,
				    "%s: an index points into a tar file, which this is not",
				    mica_source_name(src));
	if (filter)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s: is compressed (%s), but an index points into plain data; "
				    "decompress it first",
				    mica_source_name(src), filter);
	return 0;
}

/* What --verify wants of an entry whose data nobody else reads. */
static int content_watch(struct mica_source *src, const struct mica_entry *e,
			 struct mica_verify *verify, const struct mica_tinode *inode,
			 struct mica_err *err)
{
	uint64_t at = 0, off;
	const void *buf;
	size_t len;
	int ret = 0;

	if (!verify)
		return 0;
	mica_verify_begin(verify);
	while ((ret = mica_source_read(src, &buf, &len, &off, err)) > 0) {
		mica_verify_zeros(verify, off - at);
		mica_verify_add(verify, buf, len);
		at = off + len;
	}
	if (ret)
		return ret;
	mica_verify_zeros(verify, e->size - at);
	return mica_verify_end(verify, inode, err);
}

/* Zeros of data may go on behind a tar that a footer cuts short. */
static int data_check(const struct mica_base *tar, const struct mica_entry *e, uint64_t place,
		      struct mica_err *err)
{
	uint64_t len = e->runs ? 0 : e->size;

	for (size_t i = 0; i < e->run_count; i++)
		len += e->runs[i].len;
	if (mica_range_in(place, len, whole_blocks(tar->bytes)))
		return 0;
	return mica_err_set(err, MICA_E_INPUT,
			    "its %" PRIu64 " bytes of data at byte %" PRIu64
			    " go beyond byte %" PRIu64 ", where the tar's last whole block ends",
			    len, place, whole_blocks(tar->bytes));
}

/* Whether all runs, and where they are in the tar, begin and end with blocks. */
static bool runs_aligned(const struct mica_entry *e)
{
	for (size_t i = 0; i < e->run_count; i++) {
		const struct mica_run *r = &e->runs[i];
		uint64_t end = r->off + r->len;

		if (r->off % MICA_TAR_BLOCK || (end % MICA_TAR_BLOCK && end < e->size))
			return false;
	}
	return true;
}

static int runs_list(struct mica_extlist *list, const struct mica_entry *e, uint64_t place,
		     struct mica_spool *spool, struct mica_err *err)
{
	struct mica_pext hole = {.alg = -1};
	uint64_t at = 0;
	int ret = 0;

	mica_extlist_clear(list);
	for (size_t i = 0; !ret && i < e->run_count; i++) {
		const struct mica_run *r = &e->runs[i];
		struct mica_pext x = {
			.llen = r->len, .pstart = place, .plen = 1, .dev = 1, .alg = -1};

		hole.llen = r->off - at;
		ret = mica_extlist_add(list, spool, hole, err);
		if (!ret)
			ret = mica_extlist_add(list, spool, x, err);
		place += r->len;
		at = r->off + r->len;
	}
	hole.llen = e->size - at;
	return ret ? ret : mica_extlist_add(list, spool, hole, err);
}

/* A map of blocks, unless it would be larger than the data. */
static int refer_sparse(struct mica_extlist *list, const struct mica_entry *e, uint64_t place,
			struct mica_spool *spool, struct mica_data *out, struct mica_err *err)
{
	struct mica_data d = {.kind = MICA_DATA_CHUNK, .dev = 1};
	uint64_t stored = 0;
	int ret = 1;

	if (runs_aligned(e))
		ret = runs_list(list, e, place, spool, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < e->run_count; i++)
		stored += e->runs[i].len;
	d.lclusterbits = (uint8_t)mica_min(mica_extlist_chunk_bits(list),
					   MICA_SMALL_BLOCK_BITS + EROFS_CHUNK_BLKBITS_MASK);
	if (mica_div_round_up(e->size, 1ULL << d.lclusterbits) * sizeof(le32) > stored + MICA_BLOCK)
		return 1;
	d.count = (uint32_t)mica_extlist_count(list);
	ret = mica_extlist_save(list, spool, NULL, 0, &d.spool_off, err);
	*out = d;
	return ret;
}

int mica_tarindex_refer(struct mica_bases *bases, struct mica_source *src,
			const struct mica_entry *e, struct mica_spool *spool,
			struct mica_verify *verify, struct mica_tinode *inode, struct mica_err *err)
{
	uint64_t place = mica_source_tar_offset(src);
	struct mica_data d = {.kind = MICA_DATA_NONE};
	int ret = data_check(bases->v, e, place, err);

	if (ret)
		return ret;
	if (e->runs)
		ret = refer_sparse(&bases->list, e, place, spool, &d, err);
	else if (e->size)
		d = (struct mica_data){.kind = MICA_DATA_FLAT, .dev = 1, .start = place};
	if (ret)
		return ret;
	inode->pinned = true;
	inode->data = d;
	bases->bytes_referred += e->size;
	return content_watch(src, e, verify, inode, err);
}

/* What the kernel would take for the superblock of the whole file. */
static int tar_is_no_image(const struct mica_base *base, struct mica_err *err)
{
	struct mica_io *io cleanup_io = NULL;
	le32 magic = le32_make(0);
	int ret = mica_io_open_file(base->path, 0, &io, err);

	if (!ret && io->size >= EROFS_SUPER_OFFSET + sizeof(magic))
		ret = mica_io_read(io, &magic, sizeof(magic), EROFS_SUPER_OFFSET, err);
	if (ret || le32_get(magic) != EROFS_MAGIC)
		return ret;
	return mica_err_set(err, MICA_E_INPUT,
			    "%s: byte %u looks like the superblock of an image, so that an index "
			    "behind the tar would not be found",
			    base->path, EROFS_SUPER_OFFSET);
}

int mica_tarindex_begin(const struct mica_bases *bases, struct mica_outfile *out,
			struct mica_err *err)
{
	const struct mica_base *base = bases->v;
	cleanup_fd int fd = open(base->path, O_RDONLY | O_CLOEXEC);
	uint64_t end = mica_round_up(base->bytes, MICA_BLOCK);
	int ret;

	if (fd < 0)
		return mica_err_sys(err, errno, "%s: open", base->path);
	ret = tar_is_no_image(base, err);
	if (!ret)
		ret = mica_outfile_append_file(out, fd, base->bytes, base->path, err);
	if (!ret && end - base->bytes < END_MARK)
		ret = mica_outfile_zeros(out, MICA_BLOCK, err);
	if (!ret)
		mica_outfile_start(out);
	return ret;
}

int mica_tarindex_end(const struct mica_bases *bases, struct mica_outfile *out, uint64_t image,
		      struct mica_err *err)
{
	const struct mica_footer footer = {
		.image = mica_outfile_started(out),
		.length = image,
		.device = whole_blocks(bases->v->bytes),
	};
	struct mica_footer_disk d;
	int ret;

	mica_footer_encode(&footer, &d);
	ret = mica_outfile_zeros(out, MICA_FOOTER_BLOCK - sizeof(d), err);
	return ret ? ret : mica_outfile_write(out, &d, sizeof(d), err);
}
