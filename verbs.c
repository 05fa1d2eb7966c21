/* SPDX-License-Identifier: MIT */
#include "verbs.h"

#include <stddef.h>

#include "fsck/verbs.h"
#include "mkimage/verbs.h"

__attribute__((visibility("default"))) const struct mica_module mica_module = {
	.version = MICA_VERSION,
	.verbs =
		{
			&mica_verb_mkimage,
			&mica_verb_merge,
			&mica_verb_fsck,
			&mica_verb_dump,
			&mica_verb_extract,
			NULL,
		},
};
