/* SPDX-License-Identifier: MIT */
#include "compat.h"

#define OLDEST MICA_KERNEL(5, 15)

/* A number of one to three digits; moves *text behind it. */
static bool digits_take(const char **text, unsigned int *out)
{
	const char *p = *text;

	for (*out = 0; p - *text < 3 && *p >= '0' && *p <= '9'; p++)
		*out = *out * 10 + (unsigned int)(*p - '0');
	if (p == *text)
		return false;
	*text = p;
	return true;
}

int mica_compat_parse(const char *text, struct mica_compat *out, struct mica_err *err)
{
	const char *p = text;
	unsigned int major, minor;

	if (!digits_take(&p, &major) || *p++ != '.' || !digits_take(&p, &minor) || *p)
		return mica_err_set(err, MICA_E_USAGE,
				    "'%s' is not a kernel version such as 6.1 or 6.12", text);
	out->kernel = MICA_KERNEL(major, minor);
	if (out->kernel < OLDEST)
		return mica_err_set(err, MICA_E_USAGE,
				    "Linux %u.%u is too old: images need 5.15 or later", major,
				    minor);
	mica_compat_set(out->kernel, out);
	return 0;
}

void mica_compat_set(unsigned int kernel, struct mica_compat *out)
{
	out->kernel = kernel;
	out->tail_pclusters = kernel >= MICA_KERNEL(5, 17);
	out->fragments = kernel >= MICA_KERNEL(6, 1);
	out->extents = kernel >= MICA_KERNEL(6, 15);
	out->metabox = kernel >= MICA_KERNEL(6, 17);
}

int mica_compat_check_alg(const struct mica_compat *compat, const struct mica_codec_spec *spec,
			  struct mica_err *err)
{
	unsigned int need = spec->none ? 0 : mica_codec_alg_kernel(spec->alg);

	if (compat->kernel >= need)
		return 0;
	return mica_err_set(err, MICA_E_USAGE,
			    "%s needs Linux %u.%u, but the image must mount on %u.%u (--compat)",
			    mica_codec_alg_name(spec->alg), need / 1000, need % 1000,
			    compat->kernel / 1000, compat->kernel % 1000);
}

const char *mica_compat_default_alg(const struct mica_compat *compat)
{
	return compat->kernel >= mica_codec_alg_kernel(EROFS_ALG_ZSTD) ? "zstd" : "lz4hc";
}
