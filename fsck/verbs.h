/* SPDX-License-Identifier: MIT */
#ifndef MICA_FSCK_VERBS_H
#define MICA_FSCK_VERBS_H

#include "../lib/opt.h"

extern const struct mica_verb mica_verb_fsck;
extern const struct mica_verb mica_verb_dump;
extern const struct mica_verb mica_verb_extract;

#endif
