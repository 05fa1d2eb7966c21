/* SPDX-License-Identifier: MIT */
/* Setters of options without a value: FLAG_SETTER(set_json, struct dump_args, json) */
#ifndef MICA_FSCK_FLAG_H
#define MICA_FSCK_FLAG_H

#include "../lib/opt.h"

#define FLAG_SETTER(fn, type, field)                                                               \
	static int fn(void *ctx, const char *value, struct mica_err *err)                          \
	{                                                                                          \
		(void)value;                                                                       \
		(void)err;                                                                         \
		((type *)ctx)->field = true;                                                       \
		return 0;                                                                          \
	}

#endif
