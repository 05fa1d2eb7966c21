/* SPDX-License-Identifier: MIT */
/* A pool of decoder states; as many as there are threads that decode at a time. */
#include "image_priv.h"

#include <inttypes.h>
#include <pthread.h>

#include "codec.h"
#include "util.h"

struct decoder {
	struct mica_codec *codec;
	struct decoder *next;
	uint8_t *in;
	size_t in_cap;
};

struct mica_decoders {
	pthread_mutex_t lock;
	struct decoder *idle;
};

int mica_decoders_new(struct mica_decoders **out, struct mica_err *err)
{
	struct mica_decoders *all = calloc(1, sizeof(*all));

	if (!all)
		return mica_err_nomem(err);
	pthread_mutex_init(&all->lock, NULL);
	*out = all;
	return 0;
}

static void decoder_free(struct decoder *d)
{
	mica_codec_free(d->codec);
	free(d->in);
	free(d);
}

void mica_decoders_free(struct mica_decoders *all)
{
	if (!all)
		return;
	for (struct decoder *d = all->idle, *next; d; d = next) {
		next = d->next;
		decoder_free(d);
	}
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static int decoder_get(struct mica_decoders *all, size_t need, struct decoder **out,
		       struct mica_err *err)
{
	struct decoder *d;
	int ret = 0;

	pthread_mutex_lock(&all->lock);
	d = all->idle;
	if (d)
		all->idle = d->next;
	pthread_mutex_unlock(&all->lock);
	if (!d)
		d = calloc(1, sizeof(*d));
	if (!d)
		return mica_err_nomem(err);
	if (!d->codec)
		ret = mica_decompressor_new(&d->codec, err);
	if (!ret && d->in_cap < need) {
		free(d->in);
		d->in = malloc(need);
		d->in_cap = d->in ? need : 0;
		if (!d->in)
			ret = mica_err_nomem(err);
	}
	if (ret) {
		decoder_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

static void decoder_put(struct mica_decoders *all, struct decoder *d)
{
	pthread_mutex_lock(&all->lock);
	d->next = all->idle;
	all->idle = d;
	pthread_mutex_unlock(&all->lock);
}

/* The stream may stand at the end of its pcluster: zeros in the first block are skipped. */
static int decoder_skip_padding(const struct mica_image *img, const struct mica_extent *e,
				const uint8_t *in, size_t *skip, struct mica_err *err)
{
	uint32_t block_size = img->sb.block_size;
	size_t limit = mica_min(e->plen, block_size - e->pa % block_size);

	*skip = 0;
	if (e->alg == EROFS_ALG_LZ4 && !(img->sb.feature_incompat & EROFS_INCOMPAT_ZERO_PADDING))
		return 0;
	while (*skip < limit && !in[*skip])
		++*skip;
	if (*skip == limit)
		return mica_err_set(err, MICA_E_CORRUPT, "its first %zu bytes are zeros", limit);
	return 0;
}

static int decoder_run(struct decoder *d, struct mica_image *img, const struct mica_extent *e,
		       void *dst, struct mica_err *err)
{
	/* Images older than the padding hold more in a pcluster than the extent wants. */
	bool whole = !e->partial && (img->sb.feature_incompat & EROFS_INCOMPAT_ZERO_PADDING ||
				     e->alg != EROFS_ALG_LZ4);
	size_t skip;
	int ret;

	if (e->is_inline)
		ret = mica_meta_read(img, e->in_metabox, e->pa, d->in, e->plen, err);
	else
		ret = mica_io_read(mica_image_device_io(img, e->device), d->in, e->plen, e->pa,
				   err);
	if (!ret)
		ret = decoder_skip_padding(img, e, d->in, &skip, err);
	if (!ret)
		ret = mica_decompress(d->codec, (enum erofs_alg)e->alg, dst, e->llen, d->in + skip,
				      e->plen - skip, whole, err);
	return ret;
}

int mica_decoders_decode(struct mica_decoders *all, struct mica_image *img,
			 const struct mica_extent *e, void *dst, struct mica_err *err)
{
	struct decoder *d = NULL;
	int ret = decoder_get(all, e->plen, &d, err);

	if (ret)
		return ret;
	ret = decoder_run(d, img, e, dst, err);
	decoder_put(all, d);
	if (ret)
		return mica_err_wrap(err, "pcluster of %" PRIu64 " bytes at %" PRIu64 "%s", e->plen,
				     e->pa, e->in_metabox ? " of the metabox" : "");
	return 0;
}
