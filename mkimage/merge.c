/* SPDX-License-Identifier: MIT */
/* mica merge: one image of metadata over the images of layers. */
#include <stdio.h>
#include <stdlib.h>

#include "bases.h"
#include "options.h"
#include "verbs.h"

#define DEVICES_KERNEL MICA_KERNEL(5, 16)

/* --compat is as new as the layers need it, unless the user knows better than they. */
static int compat_settle(struct mica_mkimage_options *o, const struct mica_bases *bases,
			 struct mica_err *err)
{
	struct mica_compat *c = &o->build.compat;

	if (!o->build.flat && c->kernel < DEVICES_KERNEL)
		return mica_err_set(err, MICA_E_USAGE,
				    "an image over several devices needs Linux %u.%u, but it must "
				    "mount on %u.%u (--compat); --flat has no devices",
				    DEVICES_KERNEL / 1000, DEVICES_KERNEL % 1000, c->kernel / 1000,
				    c->kernel % 1000);
	if (bases->kernel <= c->kernel)
		return 0;
	if (o->have_compat)
		return mica_err_set(err, MICA_E_USAGE,
				    "%s needs Linux %u.%u, but the image must mount on %u.%u "
				    "(--compat)",
				    bases->kernel_path, bases->kernel / 1000, bases->kernel % 1000,
				    c->kernel / 1000, c->kernel % 1000);
	mica_compat_set(bases->kernel, c);
	return 0;
}

static int merge(struct mica_mkimage_options *o, const char *image, const char *const *paths,
		 unsigned int count, struct mica_err *err)
{
	struct mica_bases bases;
	int ret = mica_bases_open(paths, count, &bases, err);

	if (!ret)
		ret = compat_settle(o, &bases, err);
	bases.extents = o->build.compat.extents;
	o->build.bases = &bases;
	if (!ret)
		ret = mica_run("merge", image, paths, count, NULL, &o->build, &o->run, err);
	mica_bases_free(&bases);
	return ret;
}

static int merge_run(int argc, char **argv)
{
	struct mica_mkimage_options o;
	struct mica_err err = {0};
	int operands;
	int ret = mica_merge_options_parse(&o, argc, argv, &operands, &err);

	if (!ret)
		ret = merge(&o, argv[1], (const char *const *)argv + 2, (unsigned int)operands - 1,
			    &err);
	if (ret)
		fprintf(stderr, "mica merge: %s\n", err.msg);
	mica_mkimage_options_free(&o);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct mica_verb mica_verb_merge = {
	.name = "merge",
	.usage = "[OPTIONS] IMAGE LAYER...",
	.summary = "build an image over the images of layers, without copying them",
	.about = "Writes the small image IMAGE that shows the EROFS images LAYER, bottom first, "
		 "as overlayfs would stack them. Contents stay in the layers, which are the "
		 "devices of "
		 "IMAGE from then on: mount and the other verbs want them with --device, the "
		 "kernel with "
		 "-o device=, in the same order.",
	.opts = mica_merge_opts,
	.run = merge_run,
};
