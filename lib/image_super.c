/* SPDX-License-Identifier: MIT */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>

#include "../formats/erofs_super.h"
#include "../formats/seal.h"
#include "codec.h"
#include "util.h"

static int super_fault(const struct erofs_fault *fault, struct mica_err *err)
{
	return mica_err_set(err, fault->unsupported ? MICA_E_UNSUPPORTED : MICA_E_CORRUPT,
			    "superblock at %u: %s", EROFS_SUPER_OFFSET, fault->text);
}

static int super_check_sum(struct mica_io *io, const struct erofs_super_disk *sb,
			   struct mica_err *err)
{
	uint32_t len = erofs_super_sum_len(sb->blkszbits);
	cleanup_free uint8_t *block = malloc(len);
	uint32_t sum;
	int ret;

	if (!block)
		return mica_err_nomem(err);
	ret = mica_io_read(io, block, len, EROFS_SUPER_OFFSET, err);
	if (ret)
		return ret;
	sum = erofs_super_sum(block, len);
	if (sum != le32_get(sb->checksum))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "superblock at %u: checksum 0x%08" PRIx32
				    " does not match its block, which gives 0x%08" PRIx32,
				    EROFS_SUPER_OFFSET, le32_get(sb->checksum), sum);
	return 0;
}

static void super_decode(const struct erofs_super_disk *sb, struct mica_super *out)
{
	uint32_t incompat = le32_get(sb->feature_incompat);

	*out = (struct mica_super){
		.checksum = le32_get(sb->checksum),
		.feature_compat = le32_get(sb->feature_compat),
		.feature_incompat = incompat,
		.blkbits = sb->blkszbits,
		.block_size = 1u << sb->blkszbits,
		.sb_size = erofs_super_size(sb),
		.root_nid = le16_get(sb->rootnid_2b),
		.inos = le64_get(sb->inos),
		.blocks = le32_get(sb->blocks_lo),
		.epoch = (int64_t)le64_get(sb->epoch),
		.fixed_nsec = le32_get(sb->fixed_nsec),
		.build_time = le32_get(sb->build_time),
		.meta_off = (uint64_t)le32_get(sb->meta_blkaddr) << sb->blkszbits,
		.xattr_off = (uint64_t)le32_get(sb->xattr_blkaddr) << sb->blkszbits,
		.xattr_prefix_count = sb->xattr_prefix_count,
		.xattr_prefix_start = le32_get(sb->xattr_prefix_start),
		.xattr_filter = le32_get(sb->feature_compat) & EROFS_COMPAT_XATTR_FILTER &&
				!sb->xattr_filter_reserved,
	};
	memcpy(out->uuid, sb->uuid, sizeof(out->uuid));
	memcpy(out->volume_name, sb->volume_name, sizeof(sb->volume_name));
	if (incompat & EROFS_INCOMPAT_48BIT && le64_get(sb->rootnid_8b)) {
		out->root_nid = le64_get(sb->rootnid_8b);
		out->blocks |= (uint64_t)le16_get(sb->rootnid_2b) << 32;
	}
	if (incompat & EROFS_INCOMPAT_FRAGMENTS)
		out->packed_nid = le64_get(sb->packed_nid);
	if (incompat & EROFS_INCOMPAT_METABOX)
		out->metabox_nid = le64_get(sb->metabox_nid);
	if (incompat & EROFS_INCOMPAT_DEVICE_TABLE) {
		out->extra_devices = le16_get(sb->extra_devices);
		out->devt_off = le16_get(sb->devt_slotoff) * EROFS_DEVSLOT_SIZE;
	}
	if (incompat & EROFS_INCOMPAT_COMPR_CFGS) {
		out->algs = le16_get(sb->algs);
	} else {
		out->algs = 1u << EROFS_ALG_LZ4;
		out->lz4_max_distance = le16_get(sb->algs);
		out->lz4_max_pclusterblks = 1;
	}
}

/* The algorithm configurations behind the superblock. */
static int super_read_cfgs(struct mica_io *io, struct mica_super *sb, struct mica_err *err)
{
	uint64_t off = EROFS_SUPER_OFFSET + sb->sb_size;
	uint8_t body[EROFS_CFG_MAX];
	struct erofs_fault fault;
	le16 len16;

	for (enum erofs_alg alg = 0; alg < EROFS_ALG_MAX; alg++) {
		const struct erofs_lz4_cfg_disk *lz4 = (const struct erofs_lz4_cfg_disk *)body;
		size_t len;
		int ret;

		if (!(sb->algs & 1u << alg))
			continue;
		off = mica_round_up(off, 4);
		ret = mica_io_read(io, &len16, sizeof(len16), off, err);
		if (ret)
			return ret;
		len = le16_get(len16) ? le16_get(len16) : UINT16_MAX + 1u;
		off += sizeof(len16);
		ret = mica_io_read(io, body, mica_min(len, sizeof(body)), off, err);
		if (ret)
			return ret;
		if (erofs_cfg_check(alg, body, len, sb->blkbits, &fault))
			return super_fault(&fault, err);
		if (alg == EROFS_ALG_LZ4) {
			sb->lz4_max_distance = le16_get(lz4->max_distance);
			sb->lz4_max_pclusterblks = le16_get(lz4->max_pclusterblks);
			if (!sb->lz4_max_pclusterblks)
				sb->lz4_max_pclusterblks = 1;
		}
		off += len;
	}
	return 0;
}

/* What stands before the superblock, in images of mica. */
static int super_read_seal(struct mica_io *io, struct mica_super *sb, struct mica_err *err)
{
	struct mica_seal_disk seal;
	int ret = mica_io_read(io, &seal, sizeof(seal), MICA_SEAL_OFFSET, err);

	if (!ret)
		sb->no_xattrs = mica_seal_flags(&seal) & MICA_SEAL_NO_XATTRS;
	return ret;
}

int mica_super_read(struct mica_io *io, bool skip_checksum, struct mica_super *out,
		    struct mica_err *err)
{
	struct erofs_super_disk sb = {0};
	struct erofs_fault fault;
	struct mica_super tmp;
	size_t size;
	int ret;

	ret = mica_io_read(io, &sb, EROFS_SUPER_SIZE, EROFS_SUPER_OFFSET, err);
	if (ret)
		return mica_err_wrap(err, "superblock at %u", EROFS_SUPER_OFFSET);
	if (erofs_super_check_magic(&sb, &fault))
		return super_fault(&fault, err);
	if (le32_get(sb.feature_compat) & EROFS_COMPAT_SB_CHKSUM && !skip_checksum) {
		ret = super_check_sum(io, &sb, err);
		if (ret)
			return ret;
	}
	size = mica_min(sizeof(sb), erofs_super_size(&sb));
	ret = mica_io_read(io, &sb, size, EROFS_SUPER_OFFSET, err);
	if (ret)
		return mica_err_wrap(err, "superblock at %u", EROFS_SUPER_OFFSET);
	if (erofs_super_check(&sb, &fault))
		return super_fault(&fault, err);
	super_decode(&sb, &tmp);
	if (tmp.feature_incompat & EROFS_INCOMPAT_COMPR_CFGS) {
		ret = super_read_cfgs(io, &tmp, err);
		if (ret)
			return ret;
	}
	ret = super_read_seal(io, &tmp, err);
	if (ret)
		return ret;
	*out = tmp;
	return 0;
}

unsigned int mica_super_min_kernel(const struct mica_super *sb)
{
	static const struct {
		uint32_t incompat;
		unsigned int kernel;
	} features[] = {
		{EROFS_INCOMPAT_COMPR_CFGS, 5013},   {EROFS_INCOMPAT_CHUNKED_FILE, 5015},
		{EROFS_INCOMPAT_DEVICE_TABLE, 5016}, {EROFS_INCOMPAT_ZTAILPACKING, 5017},
		{EROFS_INCOMPAT_FRAGMENTS, 6001},    {EROFS_INCOMPAT_XATTR_PREFIXES, 6004},
		{EROFS_INCOMPAT_48BIT, 6015},	     {EROFS_INCOMPAT_METABOX, 6017},
	};
	unsigned int kernel = 5004;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (sb->feature_incompat & features[i].incompat)
			kernel = (unsigned int)mica_max(kernel, features[i].kernel);
	for (enum erofs_alg alg = 0; alg < EROFS_ALG_MAX; alg++)
		if (sb->algs & 1u << alg)
			kernel = (unsigned int)mica_max(kernel, mica_codec_alg_kernel(alg));
	/* Other block sizes than the page's, first without compression, then with it. */
	if (sb->block_size != 4096)
		kernel = (unsigned int)mica_max(
			kernel, sb->feature_incompat & EROFS_INCOMPAT_ZERO_PADDING ? 6008 : 6004);
	return kernel;
}
