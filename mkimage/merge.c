/* SPDX-License-Identifier: MIT */
/* mica merge: one image of metadata over the images of layers. */
#include <stdio.h>
#include <stdlib.h>

#include "bases.h"
#include "options.h"
#include "verbs.h"

static int merge(struct mica_mkimage_options *o, const char *image, const char *const *paths,
		 unsigned int count, struct mica_err *err)
{
	struct mica_bases bases;
	int ret = mica_bases_open(paths, count, &bases, err);

	if (!ret)
		ret = mica_bases_settle(&bases, o->build.flat, o->have_compat, &o->build.compat,
					err);
	o->build.bases = &bases;
	o->build.merge = true;
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
