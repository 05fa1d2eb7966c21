/* SPDX-License-Identifier: MIT */
/* Where bytes go, one behind the other: the image file, or the metabox. */
#ifndef MICA_MKIMAGE_OUTLET_H
#define MICA_MKIMAGE_OUTLET_H

#include <stddef.h>

#include "../lib/err.h"

struct mica_outlet {
	int (*write)(void *ctx, const void *buf, size_t len, struct mica_err *err);
	void *ctx;
};

#endif
