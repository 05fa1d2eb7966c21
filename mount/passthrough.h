/* SPDX-License-Identifier: MIT */
/* Whether the kernel may read and write the host's files itself (overlay/backing.h). */
#ifndef MICA_MOUNT_PASSTHROUGH_H
#define MICA_MOUNT_PASSTHROUGH_H

#include "session.h"

/* libfuse has it from 3.17 on. */
#ifdef FUSE_CAP_PASSTHROUGH
#define MICA_CAP_PASSTHROUGH FUSE_CAP_PASSTHROUGH
#else
#define MICA_CAP_PASSTHROUGH 0u
#endif

/* Sets s->passthrough, from what was asked for and from what there is. */
void mica_passthrough_choose(struct mica_session *s, const struct fuse_conn_info *conn);

/* The state in words. */
const char *mica_passthrough_name(enum mica_passthrough state);

#endif
