/* SPDX-License-Identifier: MIT */
/*
 * What need not be compressed in earnest. Slow compressors take as long for noise as
 * for anything else, or longer; a look at some bytes and a run of a fast compressor
 * tell what they would find there: nothing.
 */
#include "../lib/util.h"
#include "packer_int.h"

/*
 * Of files that were compressed before, these leave a slow compressor half the time or
 * less, and cost at most 0.2% of size. lz4 as the probe costs 0.5%: it sees 64K only.
 */
#define GAIN_MIN   1024u /* less than this part of the input is no gain */
#define NOISE_MOST 128u	 /* for packer_looks_dense() */

/*
 * Whether bytes look as if they were compressed or encrypted: all values are about
 * as frequent.
 */
bool packer_looks_dense(const unsigned char *p, size_t len, unsigned int most)
{
	enum { STEP = 64, RUN = 4 };
	uint64_t counts[256] = {0}, samples = 0, squares = 0;

	if (len < MICA_BLOCK)
		return false;
	for (size_t i = 0; i + RUN <= len; i += STEP) {
		for (unsigned int k = 0; k < RUN; k++)
			counts[p[i + k]]++;
		samples += RUN;
	}
	for (unsigned int i = 0; i < 256; i++)
		squares += counts[i] * counts[i];
	/* random bytes: samples^2 / 256 + samples on average; that and a little more */
	return squares < samples * samples / 256 / most * (most + 1) + samples / 2 * 3;
}

/* From here on noise takes far longer than a probe. */
static const struct {
	enum erofs_alg alg;
	int slow, quick; /* levels */
} speeds[] = {
	{EROFS_ALG_ZSTD, 6, 1},
	{EROFS_ALG_DEFLATE, 5, 1},
	{EROFS_ALG_LZMA, 0, 0},
};

bool packer_quick_find(const struct mica_codec_spec *spec, struct mica_codec_spec *quick)
{
	*quick = *spec;
	quick->lz4hc = false;
	quick->extreme = false;
	if (spec->none)
		return false;
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (speeds[i].alg != spec->alg)
			continue;
		quick->level = speeds[i].quick;
		return spec->level >= speeds[i].slow;
	}
	return spec->lz4hc;
}

/* Fast, finds repetitions, and gives up early. */
static int probe_codec(struct mica_packer *p, struct packer_worker *w, struct mica_err *err)
{
	static const struct mica_codec_spec zstd = {.alg = EROFS_ALG_ZSTD, .level = 1};

	return w->probe ? 0
			: mica_compressor_new(&zstd, mica_max(p->cluster_max, p->extent_max),
					      &w->probe, err);
}

int packer_probe(struct mica_packer *p, struct packer_worker *w, unsigned int setting,
		 const void *in, uint32_t len, unsigned char *scratch, bool *noise,
		 struct mica_err *err)
{
	long n;
	int ret;

	*noise = false;
	if (!p->settings[setting].slow || !packer_looks_dense(in, len, NOISE_MOST))
		return 0;
	ret = probe_codec(p, w, err);
	if (ret)
		return ret;
	n = mica_compress(w->probe, scratch, len - len / GAIN_MIN, in, len, err);
	*noise = !n;
	return n < 0 ? (int)n : 0;
}
