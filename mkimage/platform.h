/* SPDX-License-Identifier: MIT */
/* The platforms of images: "linux/arm/v7", as OCI and Go name them. */
#ifndef MICA_MKIMAGE_PLATFORM_H
#define MICA_MKIMAGE_PLATFORM_H

#include <stdbool.h>

#include "../lib/err.h"

#define MICA_PLATFORM_PART 32 /* bytes of a part, with its NUL */
#define MICA_PLATFORM_TEXT (3 * MICA_PLATFORM_PART)

struct mica_platform {
	char os[MICA_PLATFORM_PART], arch[MICA_PLATFORM_PART];
	char variant[MICA_PLATFORM_PART]; /* "": the architecture's usual one */
};

/* "OS/ARCH[/VARIANT]" */
int mica_platform_parse(const char *text, struct mica_platform *out, struct mica_err *err);

/* The parts of an image's description, of which variant may be NULL; false: too long to be any. */
bool mica_platform_set(struct mica_platform *p, const char *os, const char *arch,
		       const char *variant);

/* What this machine runs. */
void mica_platform_host(struct mica_platform *out);

/*
 * How well an image for has runs where want is asked for; 0: it does not. Of
 * variants "v1", "v2", ... lower ones run too, the highest of them best.
 */
unsigned int mica_platform_rank(const struct mica_platform *want, const struct mica_platform *has);

/* "linux/arm/v7", fit for messages */
void mica_platform_format(const struct mica_platform *p, char out[MICA_PLATFORM_TEXT]);

#endif
