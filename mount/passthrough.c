/* SPDX-License-Identifier: MIT */
#include "passthrough.h"

#include <stdio.h>
#include <string.h>

#include "../lib/util.h"

#define CAP_SYS_ADMIN_BIT 21

/* CAP_SYS_ADMIN outside of all user name spaces, which the kernel wants. */
static bool is_permitted(void)
{
	cleanup_file FILE *map = fopen("/proc/self/uid_map", "re");
	cleanup_file FILE *status = fopen("/proc/self/status", "re");
	unsigned long long inside = 1, outside = 1, count = 0, caps = 0;
	char line[256];

	if (!map || !status || fscanf(map, "%llu %llu %llu", &inside, &outside, &count) != 3)
		return false;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	return !inside && !outside && count == UINT32_MAX && caps >> CAP_SYS_ADMIN_BIT & 1;
}

void mica_passthrough_choose(struct mica_session *s, const struct fuse_conn_info *conn)
{
	if (!(s->opts->flags & MICA_MOUNT_PASSTHROUGH))
		s->passthrough = MICA_PASSTHROUGH_NOT_ASKED;
	else if (!s->ovl)
		s->passthrough = MICA_PASSTHROUGH_ONE_IMAGE;
	else if (!MICA_CAP_PASSTHROUGH)
		s->passthrough = MICA_PASSTHROUGH_NO_LIBRARY;
	else if (!(conn->capable & MICA_CAP_PASSTHROUGH))
		s->passthrough = MICA_PASSTHROUGH_NO_KERNEL;
	else
		s->passthrough = is_permitted() ? MICA_PASSTHROUGH_ON : MICA_PASSTHROUGH_NO_RIGHT;
}

const char *mica_passthrough_name(enum mica_passthrough state)
{
	static const char *const names[] = {
		[MICA_PASSTHROUGH_NOT_ASKED] = "not asked for",
		[MICA_PASSTHROUGH_ONE_IMAGE] = "of no use for one image",
		[MICA_PASSTHROUGH_NO_LIBRARY] = "not in this libfuse, which is older than 3.17",
		[MICA_PASSTHROUGH_NO_KERNEL] = "not in this kernel, which is older than 6.9",
		[MICA_PASSTHROUGH_NO_RIGHT] = "not permitted: root of the host alone may use it",
		[MICA_PASSTHROUGH_ON] = "in force",
	};

	return names[state];
}

bool mica_uring_brought(fuse_req_t req)
{
#ifdef FUSE_CAP_OVER_IO_URING
	return fuse_req_is_uring(req);
#else
	(void)req;
	return false;
#endif
}

const char *mica_uring_name(const struct mica_session *s, bool in_force)
{
	if (!(s->opts->flags & MICA_MOUNT_IO_URING))
		return "not asked for";
	if (!MICA_CAP_URING)
		return "not in this libfuse, which is older than 3.18";
	if (in_force)
		return "in force";
	return s->caps & MICA_CAP_URING
		       ? "libfuse could not start it"
		       : "not in this kernel, or off in /sys/module/fuse/parameters/enable_uring";
}
