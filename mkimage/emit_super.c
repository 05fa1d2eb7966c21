/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "../formats/crc32c.h"
#include "../formats/erofs_super.h"
#include "../formats/seal.h"
#include "../lib/algcfg.h"
#include "../lib/util.h"
#include "bases.h"
#include "emit.h"
#include "metabox.h"

#define LZ4_DISTANCE 65535u

/*
 * RFC 9562 version 8: all that is in the image decides, so the same input gives
 * the same UUID. head: the first block, without UUID and checksum
 */
static void uuid_choose(const struct mica_emit *e, const uint8_t rest[MICA_SEAL_SUM],
			const uint8_t head[MICA_SEAL_HEAD], uint8_t uuid[16])
{
	const struct mica_build_opts *o = e->layout->opts;

	if (o->have_uuid) {
		memcpy(uuid, o->uuid, 16);
		return;
	}
	mica_seal_sum(rest, head, uuid);
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static uint32_t features(const struct mica_layout *l, const struct mica_packer_stats *st)
{
	uint32_t f = l->metabox ? EROFS_INCOMPAT_METABOX : 0;

	if (l->any_encoded || l->metabox)
		f |= EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_COMPR_CFGS;
	if (l->any_chunk)
		f |= EROFS_INCOMPAT_CHUNKED_FILE;
	if (l->any_shared || st->shared)
		f |= EROFS_INCOMPAT_FRAGMENTS;
	if (l->any_tail_pcluster)
		f |= EROFS_INCOMPAT_ZTAILPACKING;
	if (l->opts->compat.extents)
		f |= EROFS_INCOMPAT_48BIT;
	if (l->devt_off)
		f |= EROFS_INCOMPAT_DEVICE_TABLE;
	return f;
}

static uint32_t features_compat(const struct mica_layout *l)
{
	return EROFS_COMPAT_SB_CHKSUM | EROFS_COMPAT_MTIME | EROFS_COMPAT_XATTR_FILTER |
	       (l->metabox ? EROFS_COMPAT_SHARED_EA_IN_METABOX : 0);
}

/* The largest segment that was compressed, extents of zeros apart. */
static uint32_t segment_max(const struct mica_build_opts *o, const struct mica_packer_stats *st)
{
	uint64_t most = mica_max(o->cluster, st->max_extent);

	for (unsigned int i = 0; o->rules && i < o->rules->setting_count; i++)
		most = mica_max(most, o->rules->settings[i].cluster);
	return (uint32_t)mica_max(most, o->compat.metabox ? o->meta_cluster : 0);
}

static unsigned int window_log(const struct mica_build_opts *o, const struct mica_packer_stats *st)
{
	/* the next power of two holds it */
	unsigned int log = 32u - (unsigned int)__builtin_clz(segment_max(o, st) - 1);

	/* extents of zeros are longer than a cluster and use the largest window there is */
	return st->zero_extents ? 20 : (unsigned int)mica_min(log, 20);
}

union config {
	struct erofs_lz4_cfg_disk lz4;
	struct erofs_lzma_cfg_disk lzma;
	struct erofs_deflate_cfg_disk deflate;
	struct erofs_zstd_cfg_disk zstd;
};

/* Returns the length of alg's configuration. */
static uint16_t config_make(const struct mica_emit *e, const struct mica_packer_stats *st,
			    enum erofs_alg alg, union config *out)
{
	const struct mica_build_opts *o = e->layout->opts;
	uint32_t meta = e->metabox ? mica_metabox_max_pcluster(e->metabox) : 0;
	uint64_t bytes = mica_max(st->max_pcluster, meta);
	uint64_t blocks = mica_max(1, mica_div_round_up(bytes, MICA_BLOCK));

	*out = (union config){0};
	switch (alg) {
	case EROFS_ALG_LZ4:
		out->lz4.max_distance = le16_make(LZ4_DISTANCE);
		/* kernels size a buffer by it; an extent that starts inside a page touches one more */
		out->lz4.max_pclusterblks = le16_make((uint16_t)(blocks + o->compat.extents));
		return sizeof(out->lz4);
	case EROFS_ALG_LZMA:
		/* extents of zeros are longer, but refer back by one byte only */
		out->lzma.dict_size = le32_make(mica_codec_lzma_dict(segment_max(o, st)));
		return sizeof(out->lzma);
	case EROFS_ALG_DEFLATE:
		out->deflate.windowbits = EROFS_DEFLATE_BITS_MAX;
		return sizeof(out->deflate);
	default:
		out->zstd.windowlog = (uint8_t)(window_log(o, st) - 10);
		return sizeof(out->zstd);
	}
}

/* The configurations of all algorithms in use, behind the superblock; returns their bitmap. */
static uint16_t configs_encode(const struct mica_emit *e, const struct mica_packer_stats *st,
			       unsigned char *at)
{
	const struct mica_build_opts *o = e->layout->opts;
	unsigned int used = st->algs | (o->codec.none ? 0 : 1u << o->codec.alg);
	struct mica_algcfgs cfgs = {0};
	uint16_t algs = 0;

	for (enum erofs_alg alg = 0; alg < EROFS_ALG_MAX; alg++) {
		struct mica_algcfg *cfg = &cfgs.list[cfgs.count];
		union config own;

		if (!(used & 1u << alg))
			continue;
		cfg->alg = alg;
		cfg->len = config_make(e, st, alg, &own);
		memcpy(cfg->body, &own, sizeof(own));
		cfgs.count++;
	}
	if (o->bases)
		mica_algcfgs_join(&cfgs, &o->bases->cfgs);
	for (unsigned int i = 0; i < cfgs.count; i++) {
		const struct mica_algcfg *cfg = &cfgs.list[i];
		le16 len = le16_make((uint16_t)cfg->len);

		algs |= (uint16_t)(1u << cfg->alg);
		memcpy(at, &len, sizeof(len));
		memcpy(at + sizeof(len), cfg->body, cfg->len);
		at += mica_round_up(sizeof(len) + cfg->len, 4);
	}
	return algs;
}

int mica_emit_super(struct mica_emit *e, const struct mica_packer_stats *stats, uint8_t uuid[16],
		    struct mica_err *err)
{
	const struct mica_layout *l = e->layout;
	uint64_t root = mica_tree_root(l->tree)->inode->nid;
	unsigned char block[MICA_BLOCK] = {0};
	struct erofs_super_disk sb = {
		.magic = le32_make(EROFS_MAGIC),
		.feature_compat = le32_make(features_compat(l)),
		.blkszbits = (uint8_t)l->block_bits,
		.inos = le64_make(l->inodes),
		.epoch = le64_make((uint64_t)l->epoch),
		.fixed_nsec = le32_make(l->fixed_nsec),
		.blocks_lo = le32_make((uint32_t)(l->end >> l->block_bits)),
		.meta_blkaddr = le32_make((uint32_t)(l->nid_base >> l->block_bits)),
		.xattr_blkaddr = le32_make((uint32_t)(l->xattr_start >> l->block_bits)),
		.feature_incompat = le32_make(features(l, stats)),
		.sb_extslots = l->metabox ? 1 : 0,
		.metabox_nid = le64_make(e->metabox_nid),
	};
	size_t size = erofs_super_size(&sb);
	/* the rest of its block, or all of a small one */
	size_t checked = l->block > EROFS_SUPER_OFFSET ? l->block - EROFS_SUPER_OFFSET : l->block;
	uint8_t rest[MICA_SEAL_SUM];

	/* with 48BIT the two bytes hold the high half of the block count, which is zero */
	if (l->opts->compat.extents)
		sb.rootnid_8b = le64_make(root);
	else
		sb.rootnid_2b = le16_make((uint16_t)root);
	if (l->packed)
		sb.packed_nid = le64_make(l->packed->nid);
	memcpy(sb.volume_name, l->opts->label, strlen(l->opts->label));
	if (l->any_encoded || l->metabox)
		sb.algs = le16_make(configs_encode(e, stats, block + EROFS_SUPER_OFFSET + size));
	if (l->devt_off) {
		sb.extra_devices = le16_make((uint16_t)l->opts->bases->count);
		sb.devt_slotoff = le16_make((uint16_t)(l->devt_off / EROFS_DEVSLOT_SIZE));
	}
	for (unsigned int i = 0; l->devt_off == MICA_DEVT_OFFSET && i < l->opts->bases->count; i++)
		mica_emit_device(e, i, block + MICA_DEVT_OFFSET + i * EROFS_DEVSLOT_SIZE);
	memcpy(block + EROFS_SUPER_OFFSET, &sb, size);
	mica_outfile_sum(e->out, rest);
	uuid_choose(e, rest, block, uuid);
	memcpy(sb.uuid, uuid, 16);
	memcpy(block + EROFS_SUPER_OFFSET, &sb, size);
	sb.checksum = le32_make(mica_crc32c(~0u, block + EROFS_SUPER_OFFSET, checked));
	memcpy(block + EROFS_SUPER_OFFSET, &sb, size);
	mica_seal_make(block, l->end, l->any_xattr ? 0 : MICA_SEAL_NO_XATTRS, rest);
	return mica_outfile_patch(e->out, block, sizeof(block), 0, err);
}
