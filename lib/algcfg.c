/* SPDX-License-Identifier: MIT */
#include "algcfg.h"

#include <inttypes.h>
#include <string.h>

#include "util.h"

static int algcfg_read_one(struct mica_io *io, uint64_t *off, struct mica_algcfg *out,
			   struct mica_err *err)
{
	le16 len;
	int ret;

	out->off = mica_round_up(*off, 4);
	ret = mica_io_read(io, &len, sizeof(len), out->off, err);
	if (ret)
		return ret;
	out->len = le16_get(len);
	*off = out->off + sizeof(len) + out->len;
	memset(out->body, 0, sizeof(out->body));
	return mica_io_read(io, out->body, mica_min(out->len, sizeof(out->body)),
			    out->off + sizeof(len), err);
}

int mica_algcfg_read(struct mica_io *io, const struct mica_super *sb, struct mica_algcfgs *out,
		     struct mica_err *err)
{
	struct mica_algcfgs got = {.end = EROFS_SUPER_OFFSET + sb->sb_size};

	if (sb->feature_incompat & EROFS_INCOMPAT_COMPR_CFGS) {
		for (unsigned int alg = 0; alg < EROFS_ALG_MAX; alg++) {
			struct mica_algcfg *cfg = &got.list[got.count];
			int ret;

			if (!(sb->algs & (1u << alg)))
				continue;
			ret = algcfg_read_one(io, &got.end, cfg, err);
			if (ret)
				return mica_err_wrap(err,
						     "compression configuration %u at 0x%" PRIx64,
						     alg, cfg->off);
			cfg->alg = (enum erofs_alg)alg;
			got.count++;
		}
	}
	*out = got;
	return 0;
}

static unsigned int body_u16(const struct mica_algcfg *cfg, unsigned int at)
{
	return cfg->body[at] | (unsigned int)cfg->body[at + 1] << 8;
}

void mica_algcfg_describe(const struct mica_algcfg *cfg, char *buf, size_t len)
{
	switch (cfg->alg) {
	case EROFS_ALG_LZ4:
		snprintf(buf, len, "max distance %u, max pcluster %u blocks", body_u16(cfg, 0),
			 body_u16(cfg, 2));
		break;
	case EROFS_ALG_LZMA:
		snprintf(buf, len, "dictionary %u bytes",
			 body_u16(cfg, 0) | body_u16(cfg, 2) << 16);
		break;
	case EROFS_ALG_DEFLATE:
		snprintf(buf, len, "window 2^%u bytes", cfg->body[0]);
		break;
	case EROFS_ALG_ZSTD:
		snprintf(buf, len, "window 2^%u bytes", cfg->body[1] + 10u);
		break;
	case EROFS_ALG_MAX:
		buf[0] = 0;
	}
}

void mica_algcfg_plain_lz4(const struct mica_super *sb, struct mica_algcfgs *out)
{
	struct erofs_lz4_cfg_disk lz4 = {
		.max_distance = le16_make(sb->lz4_max_distance),
		.max_pclusterblks = le16_make(1),
	};

	*out = (struct mica_algcfgs){.count = 1};
	out->list[0] = (struct mica_algcfg){.alg = EROFS_ALG_LZ4, .len = sizeof(lz4)};
	memcpy(out->list[0].body, &lz4, sizeof(lz4));
}

static uint16_t max_u16(le16 a, le16 b)
{
	return (uint16_t)mica_max(le16_get(a), le16_get(b));
}

/* to becomes what reads the data of both. */
static void algcfg_join(struct mica_algcfg *to, const struct mica_algcfg *from)
{
	union {
		struct erofs_lz4_cfg_disk lz4;
		struct erofs_lzma_cfg_disk lzma;
		struct erofs_deflate_cfg_disk deflate;
		struct erofs_zstd_cfg_disk zstd;
		uint8_t body[sizeof(to->body)];
	} a, b;

	memcpy(a.body, to->body, sizeof(a.body));
	memcpy(b.body, from->body, sizeof(b.body));
	switch (to->alg) {
	case EROFS_ALG_LZ4:
		/* 0 stands for the largest distance that there is */
		if (le16_get(a.lz4.max_distance) && le16_get(b.lz4.max_distance))
			a.lz4.max_distance =
				le16_make(max_u16(a.lz4.max_distance, b.lz4.max_distance));
		else
			a.lz4.max_distance = le16_make(0);
		a.lz4.max_pclusterblks =
			le16_make(max_u16(a.lz4.max_pclusterblks, b.lz4.max_pclusterblks));
		break;
	case EROFS_ALG_LZMA:
		a.lzma.dict_size = le32_make(
			(uint32_t)mica_max(le32_get(a.lzma.dict_size), le32_get(b.lzma.dict_size)));
		break;
	case EROFS_ALG_DEFLATE:
		a.deflate.windowbits =
			(uint8_t)mica_max(a.deflate.windowbits, b.deflate.windowbits);
		break;
	case EROFS_ALG_ZSTD:
		a.zstd.windowlog = (uint8_t)mica_max(a.zstd.windowlog, b.zstd.windowlog);
		break;
	case EROFS_ALG_MAX:
		break;
	}
	memcpy(to->body, a.body, sizeof(a.body));
}

void mica_algcfgs_join(struct mica_algcfgs *to, const struct mica_algcfgs *from)
{
	struct mica_algcfgs all = {0};
	unsigned int i = 0, k = 0;

	while (i < to->count || k < from->count) {
		bool second =
			i == to->count || (k < from->count && from->list[k].alg < to->list[i].alg);
		const struct mica_algcfg *next = second ? &from->list[k++] : &to->list[i++];

		if (all.count && all.list[all.count - 1].alg == next->alg)
			algcfg_join(&all.list[all.count - 1], next);
		else
			all.list[all.count++] = *next;
	}
	*to = all;
}
