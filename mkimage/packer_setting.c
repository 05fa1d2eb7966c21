/* SPDX-License-Identifier: MIT */
/* How files are compressed: the settings of the rules, and the compressors for them. */
#include "../lib/util.h"
#include "packer_int.h"

/*
 * The algorithm that shared extents have before encoded extents, where the index of
 * an inode names one for all of them: the usual one, or the first that compresses.
 */
static const struct packer_setting *setting_main(const struct mica_packer *p)
{
	for (unsigned int i = 0; i < p->setting_count; i++)
		if (!p->settings[i].how.codec.none)
			return &p->settings[i];
	return &p->settings[0];
}

static void setting_set(struct mica_packer *p, unsigned int i, const struct mica_compression *how)
{
	struct packer_setting *s = &p->settings[i];

	s->how = *how;
	if (how->cluster > MICA_CLUSTER_PLAIN) {
		s->extent = how->cluster;
		s->how.cluster = MICA_CLUSTER_PLAIN;
		p->pile_extent = (uint32_t)mica_max(p->pile_extent, s->extent);
	}
	s->number = (uint8_t)i;
	s->slow = packer_quick_find(&how->codec, &s->quick);
	s->extent_max = packer_extent_max(&p->opts->compat, s->how.cluster);
	mica_gear_init(&s->gear, s->how.cluster);
	p->cluster_max = (uint32_t)mica_max(p->cluster_max, s->how.cluster);
	p->extent_max = (uint32_t)mica_max(p->extent_max, s->extent_max);
}

int packer_settings_init(struct mica_packer *p, struct mica_err *err)
{
	const struct mica_rules *rules = p->opts->rules;
	const struct mica_compression usual = {p->opts->codec, p->opts->cluster};
	enum erofs_alg main_alg;

	p->setting_count = rules ? rules->setting_count : 1;
	p->settings = calloc(p->setting_count, sizeof(*p->settings));
	p->zero_runs = calloc(p->setting_count, sizeof(*p->zero_runs));
	if (!p->settings || !p->zero_runs)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < p->setting_count; i++)
		setting_set(p, i, rules ? &rules->settings[i] : &usual);
	main_alg = setting_main(p)->how.codec.alg;
	p->packed.setting = setting_main(p)->number;
	for (unsigned int i = 0; i < p->setting_count; i++)
		p->settings[i].shares =
			p->opts->compat.extents || p->settings[i].how.codec.alg == main_alg;
	p->set = &p->settings[0];
	return 0;
}

void packer_settings_free(struct mica_packer *p)
{
	for (unsigned int i = 0; p->zero_runs && i < p->setting_count; i++) {
		mica_codec_free(p->zero_runs[i].codec);
		free(p->zero_runs[i].out);
	}
	free(p->zero_runs);
	free(p->settings);
}

int packer_codec(struct mica_packer *p, struct packer_worker *w, unsigned int setting, bool noise,
		 struct mica_codec **out, struct mica_err *err)
{
	const struct packer_setting *s = &p->settings[setting];
	struct mica_codec **codec = noise ? &w->quick[setting] : &w->codecs[setting];
	int ret = 0;

	if (!*codec)
		ret = mica_compressor_new(
			noise ? &s->quick : &s->how.codec,
			mica_max(mica_max(s->how.cluster, s->extent_max), s->extent), codec, err);
	*out = *codec;
	return ret;
}
