/* SPDX-License-Identifier: MIT */
#ifndef MICA_MKIMAGE_VERBS_H
#define MICA_MKIMAGE_VERBS_H

#include "../lib/opt.h"

extern const struct mica_verb mica_verb_mkimage;
extern const struct mica_verb mica_verb_merge;

#endif
