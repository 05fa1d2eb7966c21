/* SPDX-License-Identifier: MIT */
#ifndef MICA_MOUNT_VERBS_H
#define MICA_MOUNT_VERBS_H

#include "../lib/opt.h"

extern const struct mica_verb mica_verb_mount;
extern const struct mica_verb mica_verb_umount;
extern const struct mica_verb mica_verb_status;

#endif
