/* SPDX-License-Identifier: MIT */
/* mica mkimage: the command line around mica_build(). */
#include <stdio.h>
#include <stdlib.h>

#include "bases.h"
#include "options.h"
#include "tarindex.h"
#include "verbs.h"

static int bases_open(struct mica_mkimage_options *o, const char *source, struct mica_bases *bases,
		      struct mica_err *err)
{
	int ret;

	if (o->tar_index) {
		o->build.bases = bases;
		o->build.merge = true;
		return mica_tarindex_open(source, bases, err);
	}
	if (!o->bases.count)
		return 0;
	ret = mica_bases_open(o->bases.v, o->bases.count, bases, err);
	if (!ret)
		ret = mica_bases_settle(bases, false, o->have_compat, &o->build.compat, err);
	o->build.bases = bases;
	return ret;
}

static int mkimage_run(int argc, char **argv)
{
	struct mica_mkimage_options o;
	struct mica_bases bases = {0};
	struct mica_err err = {0};
	int operands;
	int ret = mica_mkimage_options_parse(&o, argc, argv, &operands, &err);

	if (!ret)
		ret = bases_open(&o, argv[2], &bases, &err);
	if (!ret)
		ret = mica_run("mkimage", argv[1], (const char *const *)argv + 2,
			       (unsigned int)operands - 1, o.has_platform ? &o.platform : NULL,
			       &o.build, &o.run, &err);
	if (ret)
		fprintf(stderr, "mica mkimage: %s\n", err.msg);
	mica_bases_free(&bases);
	mica_mkimage_options_free(&o);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

const struct mica_verb mica_verb_mkimage = {
	.name = "mkimage",
	.usage = "[OPTIONS] IMAGE SOURCE...",
	.summary = "build an image from tarballs, directories and other images",
	.about = "Builds the read-only EROFS image IMAGE from each SOURCE: a tarball in any "
		 "compression, - for one on standard input, a directory, another EROFS image, or "
		 "the layers of a container image (oci:DIR[:TAG], oci-archive:FILE[:TAG], "
		 "docker-archive:FILE[:NAME]). Several sources are layers, bottom first; "
		 "whiteouts (.wh.NAME, .wh..wh..opq) hide what lies below. IMAGE appears whole "
		 "or not at all. With --per-layer IMAGE is a directory or a path with %n or %d, "
		 "and each layer becomes an image of its own.",
	.opts = mica_mkimage_opts,
	.run = mkimage_run,
};
