/* SPDX-License-Identifier: MIT */
/*
 * What is in force in a mount, told by the process that serves it to whoever may ask: as
 * text for people, or as a JSON object.
 */
#ifndef MICA_MOUNT_STATUS_H
#define MICA_MOUNT_STATUS_H

#include <sys/ioctl.h>

#include "session.h"

#define MICA_STATUS_MAX 16000u /* bytes, with the NUL: an ioctl takes no more */

struct mica_status {
	char text[MICA_STATUS_MAX];
};

/* Asked of the mountpoint by "mica status". */
#define MICA_IOC_STATUS	     _IOR('M', 2, struct mica_status)
#define MICA_IOC_STATUS_JSON _IOR('M', 3, struct mica_status)

/* Sources that have no room are counted only. uring: the question came by io_uring. */
int mica_status_write(const struct mica_session *s, bool json, bool uring, struct mica_status *out,
		      struct mica_err *err);

#endif
