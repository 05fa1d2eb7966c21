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
