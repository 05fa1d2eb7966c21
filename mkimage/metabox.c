/* SPDX-License-Identifier: MIT */
#include "metabox.h"

#include <string.h>

#include "../lib/util.h"
#include "extlist.h"

/*
 * Metadata is little beside the data and read often: a level that would be slow
 * for data is well spent on it. Higher ones find next to nothing more.
 */
#define ZSTD_LEVEL    9
#define DEFLATE_LEVEL 9
#define LZ4HC_LEVEL   12

struct mica_metabox {
	struct mica_outfile *out;
	struct mica_spool *spool;
	struct mica_codec *codec;
	enum erofs_alg alg;
	uint32_t cluster;
	uint32_t fill;
	unsigned char *in, *enc;
	struct mica_extlist exts;
	uint64_t start; /* in the image */
	uint32_t max_pcluster;
};

static struct mica_codec_spec codec_spec(const struct mica_codec_spec *data)
{
	struct mica_codec_spec spec = *data;

	if (spec.alg == EROFS_ALG_ZSTD && spec.level < ZSTD_LEVEL)
		spec.level = ZSTD_LEVEL;
	if (spec.alg == EROFS_ALG_DEFLATE && spec.level < DEFLATE_LEVEL)
		spec.level = DEFLATE_LEVEL;
	if (spec.alg == EROFS_ALG_LZ4) {
		spec.lz4hc = true;
		spec.level = LZ4HC_LEVEL;
	}
	return spec;
}

static int metabox_init(struct mica_metabox *m, const struct mica_build_opts *opts,
			struct mica_err *err)
{
	struct mica_codec_spec spec = codec_spec(&opts->codec);

	m->alg = spec.alg;
	m->cluster = opts->meta_cluster;
	m->start = mica_outfile_pos(m->out);
	m->in = malloc(m->cluster);
	m->enc = malloc(m->cluster);
	if (!m->in || !m->enc)
		return mica_err_nomem(err);
	return mica_compressor_new(&spec, m->cluster, &m->codec, err);
}

int mica_metabox_new(const struct mica_build_opts *opts, struct mica_outfile *out,
		     struct mica_spool *spool, struct mica_metabox **result, struct mica_err *err)
{
	struct mica_metabox *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return mica_err_nomem(err);
	m->out = out;
	m->spool = spool;
	ret = metabox_init(m, opts, err);
	if (ret) {
		mica_metabox_free(m);
		return ret;
	}
	*result = m;
	return 0;
}

void mica_metabox_free(struct mica_metabox *m)
{
	if (!m)
		return;
	mica_extlist_free(&m->exts);
	mica_codec_free(m->codec);
	free(m->in);
	free(m->enc);
	free(m);
}

static int cluster_store(struct mica_metabox *m, struct mica_err *err)
{
	struct mica_pext x = {
		.llen = m->fill,
		.pstart = mica_outfile_pos(m->out),
		.plen = m->fill,
		.alg = -1,
	};
	const unsigned char *stored = m->in;
	long n = mica_compress(m->codec, m->enc, m->fill - 1, m->in, m->fill, err);
	int lead = n > 0 ? mica_codec_lead(m->alg, x.pstart, (size_t)n) : -1;
	int ret = 0;

	if (n < 0)
		return (int)n;
	if (lead >= 0) {
		stored = m->enc;
		x.plen = (uint32_t)(n + lead);
		x.alg = (int8_t)m->alg;
		m->max_pcluster = (uint32_t)mica_max(m->max_pcluster, x.plen);
		ret = mica_outfile_zeros(m->out, (uint64_t)lead, err);
	}
	if (!ret)
		ret = mica_outfile_write(m->out, stored, lead >= 0 ? (uint32_t)n : x.plen, err);
	m->fill = 0;
	return ret ? ret : mica_extlist_add(&m->exts, m->spool, x, err);
}

static int outlet_write(void *ctx, const void *buf, size_t len, struct mica_err *err)
{
	struct mica_metabox *m = ctx;
	const unsigned char *p = buf;

	while (len) {
		size_t n = mica_min(len, m->cluster - m->fill);
		int ret;

		memcpy(m->in + m->fill, p, n);
		m->fill += (uint32_t)n;
		p += n;
		len -= n;
		ret = m->fill == m->cluster ? cluster_store(m, err) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

struct mica_outlet mica_metabox_outlet(struct mica_metabox *m)
{
	return (struct mica_outlet){outlet_write, m};
}

int mica_metabox_finish(struct mica_metabox *m, struct mica_tinode *inode, struct mica_err *err)
{
	int ret = m->fill ? cluster_store(m, err) : 0;
	uint64_t stored = mica_outfile_pos(m->out) - m->start;

	inode->size = m->exts.end;
	inode->data = (struct mica_data){
		.kind = MICA_DATA_EXTENTS,
		.lclusterbits = (uint8_t)__builtin_ctz(m->cluster),
		.count = (uint32_t)mica_extlist_count(&m->exts),
		.blocks = (uint32_t)mica_div_round_up(stored, MICA_BLOCK),
		.start = m->start,
	};
	if (ret)
		return ret;
	return mica_extlist_save(&m->exts, m->spool, NULL, 0, &inode->data.spool_off, err);
}

uint32_t mica_metabox_max_pcluster(const struct mica_metabox *m)
{
	return m->max_pcluster;
}
