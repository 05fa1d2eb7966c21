/* SPDX-License-Identifier: MIT */
/* "mica umount": ends a mount of mica, and no other. */
#include "verbs.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mountinfo.h"
#include "session.h"

#define SERVER_WAIT_MS 10000

/* Exit statuses of umount(8) */
enum {
	STATUS_OK = 0,
	STATUS_USAGE = 1,
	STATUS_UMOUNT = 32,
};

static int opt_set_lazy(void *ctx, const char *value, struct mica_err *err)
{
	(void)value;
	(void)err;
	*(bool *)ctx = true;
	return 0;
}

static const struct mica_opt umount_opts[] = {
	{"lazy", 'l', NULL, "detach now also when files are in use; it ends when they are closed",
	 opt_set_lazy},
	{0},
};

static int mount_check(const char *path, struct mica_err *err)
{
	struct mica_mountinfo info;
	int found = mica_mountinfo_find(path, &info, err);

	if (found < 0)
		return found;
	if (!found)
		return mica_err_set(err, MICA_E_USAGE, "%s: nothing is mounted there", path);
	if (strcmp(info.type, MICA_MOUNT_TYPE))
		return mica_err_set(err, MICA_E_USAGE,
				    "%s is a mount of type %s, not one of mica: use umount(8)",
				    path, info.type);
	return 0;
}

/* A pidfd of the process that serves path, -1 when it cannot be told. */
static int server_open(const char *path)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pid;

	if (dir < 0 || ioctl(dir, MICA_IOC_SERVER_PID, &pid) < 0 || pid <= 1)
		return -1;
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* The image is closed when its server is gone. */
static void server_wait(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd >= 0)
		poll(&p, 1, SERVER_WAIT_MS);
}

static int umount_path(const char *mountpoint, bool lazy, struct mica_err *err)
{
	cleanup_fd int server = -1;
	char path[PATH_MAX];
	int ret;

	ret = mica_mountinfo_resolve(mountpoint, path, err);
	if (!ret)
		ret = mount_check(path, err);
	if (ret)
		return ret;
	/* a lazy unmount is for servers that may not answer, and waits for nothing */
	if (!lazy)
		server = server_open(path);
	ret = mica_mountinfo_unmount(path, lazy, err);
	if (!ret)
		server_wait(server);
	return ret;
}

static int umount_run(int argc, char **argv)
{
	struct mica_err err;
	bool lazy = false, help;
	int operands, ret;

	ret = mica_opt_parse(umount_opts, &lazy, argc, argv, &operands, &help, &err);
	if (!ret && operands != 1)
		ret = mica_err_set(&err, MICA_E_USAGE,
				   "one mountpoint is needed (see mica umount --help)");
	if (ret) {
		fprintf(stderr, "mica umount: %s\n", err.msg);
		return STATUS_USAGE;
	}
	if (umount_path(argv[1], lazy, &err)) {
		fprintf(stderr, "mica umount: %s\n", err.msg);
		return STATUS_UMOUNT;
	}
	return STATUS_OK;
}

const struct mica_verb mica_verb_umount = {
	.name = "umount",
	.usage = "[OPTIONS] MOUNTPOINT",
	.summary = "end a mount made by mica mount",
	.about = "Unmounts MOUNTPOINT if mica serves it, and waits until the server has closed the "
		 "image. Other mounts are refused.",
	.opts = umount_opts,
	.run = umount_run,
};
