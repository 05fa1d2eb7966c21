/* SPDX-License-Identifier: MIT */
/*
 * What newer versions of libfuse and of the kernel offer: files of the host that the kernel reads
 * and writes itself (overlay/backing.h), and requests by io_uring.
 */
#ifndef MICA_MOUNT_PASSTHROUGH_H
#define MICA_MOUNT_PASSTHROUGH_H

#include "session.h"

/* libfuse has it from 3.17 on. */
#ifdef FUSE_CAP_PASSTHROUGH
#define MICA_CAP_PASSTHROUGH FUSE_CAP_PASSTHROUGH
#else
#define MICA_CAP_PASSTHROUGH 0u
#endif

/* And this from 3.18 on. */
#ifdef FUSE_CAP_OVER_IO_URING
#define MICA_CAP_URING ((unsigned int)FUSE_CAP_OVER_IO_URING)
#else
#define MICA_CAP_URING 0u
#endif

/* Sets s->passthrough, from what was asked for and from what there is. */
void mica_passthrough_choose(struct mica_session *s, const struct fuse_conn_info *conn);

/* The state in words. */
const char *mica_passthrough_name(enum mica_passthrough state);

/* Whether this request came by io_uring, and the state in words when one did or did not. */
bool mica_uring_brought(fuse_req_t req);
const char *mica_uring_name(const struct mica_session *s, bool in_force);

#endif
