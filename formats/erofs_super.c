/* SPDX-License-Identifier: MIT */
#include "erofs_super.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crc32c.h"

#define SUPER_SIZE_MAX (4096u - EROFS_SUPER_OFFSET)
#define NSEC_MAX       999999999u
#define ZSTD_LOG_MAX   10u /* + 10: a window of 1 MiB */

static int fault_set(struct erofs_fault *fault, bool unsupported, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fault_set(struct erofs_fault *fault, bool unsupported, const char *fmt, ...)
{
	va_list ap;

	fault->unsupported = unsupported;
	va_start(ap, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, ap);
	va_end(ap);
	return -1;
}

uint32_t erofs_super_sum(const void *data, size_t len)
{
	static const le32 zero;
	const uint8_t *p = data;
	size_t behind = offsetof(struct erofs_super_disk, feature_compat);
	uint32_t crc = mica_crc32c(~0u, p, offsetof(struct erofs_super_disk, checksum));

	crc = mica_crc32c(crc, &zero, sizeof(zero));
	return mica_crc32c(crc, p + behind, len - behind);
}

int erofs_super_check_magic(const struct erofs_super_disk *sb, struct erofs_fault *fault)
{
	if (le32_get(sb->magic) != EROFS_MAGIC)
		return fault_set(fault, false,
				 "magic 0x%08" PRIx32 " is not 0x%08x: no EROFS image",
				 le32_get(sb->magic), EROFS_MAGIC);
	if (sb->blkszbits < EROFS_BLKBITS_MIN || sb->blkszbits > EROFS_BLKBITS_MAX)
		return fault_set(fault, false, "blkszbits %u is not within %u..%u", sb->blkszbits,
				 EROFS_BLKBITS_MIN, EROFS_BLKBITS_MAX);
	return 0;
}

static int super_check_nids(const struct erofs_super_disk *sb, struct erofs_fault *fault)
{
	uint32_t incompat = le32_get(sb->feature_incompat);

	/* These two hold what metabox inodes need, so they cannot lie in there themselves. */
	if (incompat & EROFS_INCOMPAT_FRAGMENTS && le64_get(sb->packed_nid) & EROFS_NID_METABOX)
		return fault_set(fault, false, "packed_nid 0x%" PRIx64 " lies in the metabox",
				 le64_get(sb->packed_nid));
	if (!(incompat & EROFS_INCOMPAT_METABOX))
		return 0;
	if (!sb->sb_extslots)
		return fault_set(fault, false, "sb_extslots 0 leaves no room for metabox_nid");
	if (le64_get(sb->metabox_nid) & EROFS_NID_METABOX)
		return fault_set(fault, false, "metabox_nid 0x%" PRIx64 " lies in the metabox",
				 le64_get(sb->metabox_nid));
	return 0;
}

int erofs_super_check(const struct erofs_super_disk *sb, struct erofs_fault *fault)
{
	uint32_t incompat = le32_get(sb->feature_incompat);

	if (incompat & ~(uint32_t)EROFS_INCOMPAT_ALL)
		return fault_set(fault, true,
				 "feature_incompat 0x%" PRIx32 " has unknown bits 0x%" PRIx32,
				 incompat, incompat & ~(uint32_t)EROFS_INCOMPAT_ALL);
	if (sb->dirblkbits)
		return fault_set(fault, true, "dirblkbits %u is not 0", sb->dirblkbits);
	if (erofs_super_size(sb) > SUPER_SIZE_MAX)
		return fault_set(fault, false,
				 "sb_extslots %u make %" PRIu32 " bytes, more than %u",
				 sb->sb_extslots, erofs_super_size(sb), SUPER_SIZE_MAX);
	if (le32_get(sb->fixed_nsec) > NSEC_MAX)
		return fault_set(fault, false, "fixed_nsec %" PRIu32 " exceeds %u",
				 le32_get(sb->fixed_nsec), NSEC_MAX);
	if (incompat & EROFS_INCOMPAT_COMPR_CFGS && le16_get(sb->algs) >> EROFS_ALG_MAX)
		return fault_set(fault, true, "available_compr_algs 0x%x has unknown bits 0x%x",
				 le16_get(sb->algs),
				 le16_get(sb->algs) >> EROFS_ALG_MAX << EROFS_ALG_MAX);
	return super_check_nids(sb, fault);
}

static int cfg_check_lz4(const struct erofs_lz4_cfg_disk *cfg, unsigned int blkbits,
			 struct erofs_fault *fault)
{
	unsigned int limit = EROFS_PCLUSTER_MAX >> blkbits;

	if (le16_get(cfg->max_pclusterblks) > limit)
		return fault_set(fault, false, "lz4 configuration: max_pclusterblks %u exceeds %u",
				 le16_get(cfg->max_pclusterblks), limit);
	return 0;
}

static int cfg_check_lzma(const struct erofs_lzma_cfg_disk *cfg, struct erofs_fault *fault)
{
	if (le16_get(cfg->format))
		return fault_set(fault, true, "lzma configuration: format %u is not 0",
				 le16_get(cfg->format));
	if (le32_get(cfg->dict_size) < EROFS_LZMA_DICT_MIN ||
	    le32_get(cfg->dict_size) > EROFS_LZMA_DICT_MAX)
		return fault_set(fault, false,
				 "lzma configuration: dict_size %" PRIu32 " is not within %u..%u",
				 le32_get(cfg->dict_size), EROFS_LZMA_DICT_MIN,
				 EROFS_LZMA_DICT_MAX);
	return 0;
}

static int cfg_check_deflate(const struct erofs_deflate_cfg_disk *cfg, struct erofs_fault *fault)
{
	if (cfg->windowbits > EROFS_DEFLATE_BITS_MAX)
		return fault_set(fault, false, "deflate configuration: windowbits %u exceeds %u",
				 cfg->windowbits, EROFS_DEFLATE_BITS_MAX);
	return 0;
}

static int cfg_check_zstd(const struct erofs_zstd_cfg_disk *cfg, struct erofs_fault *fault)
{
	if (cfg->format)
		return fault_set(fault, true, "zstd configuration: format %u is not 0",
				 cfg->format);
	if (cfg->windowlog > ZSTD_LOG_MAX)
		return fault_set(fault, false, "zstd configuration: windowlog %u exceeds %u",
				 cfg->windowlog, ZSTD_LOG_MAX);
	return 0;
}

int erofs_cfg_check(enum erofs_alg alg, const void *body, size_t len, unsigned int blkbits,
		    struct erofs_fault *fault)
{
	static const struct {
		const char *name;
		size_t size;
	} cfgs[EROFS_ALG_MAX] = {
		[EROFS_ALG_LZ4] = {"lz4", sizeof(struct erofs_lz4_cfg_disk)},
		[EROFS_ALG_LZMA] = {"lzma", sizeof(struct erofs_lzma_cfg_disk)},
		[EROFS_ALG_DEFLATE] = {"deflate", sizeof(struct erofs_deflate_cfg_disk)},
		[EROFS_ALG_ZSTD] = {"zstd", sizeof(struct erofs_zstd_cfg_disk)},
	};

	if (len < cfgs[alg].size)
		return fault_set(fault, false, "%s configuration: %zu bytes, fewer than %zu",
				 cfgs[alg].name, len, cfgs[alg].size);
	switch (alg) {
	case EROFS_ALG_LZ4:
		return cfg_check_lz4(body, blkbits, fault);
	case EROFS_ALG_LZMA:
		return cfg_check_lzma(body, fault);
	case EROFS_ALG_DEFLATE:
		return cfg_check_deflate(body, fault);
	default:
		return cfg_check_zstd(body, fault);
	}
}
