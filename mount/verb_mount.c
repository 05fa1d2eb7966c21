/* SPDX-License-Identifier: MIT */
/* "mica mount": from the command line to a live mount. */
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "mountinfo.h"
#include "session.h"

/* Exit statuses of mount(8) */
enum {
	STATUS_OK = 0,
	STATUS_USAGE = 1,
	STATUS_SYSTEM = 2,
	STATUS_MOUNT = 32,
};

static int fail(const struct mica_err *err, int status)
{
	fprintf(stderr, "mica mount: %s\n", err->msg);
	return status;
}

static int mountpoint_resolve(const char *path, char *full, struct mica_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOTCONN)
			return mica_err_set(err, MICA_E_SYS,
					    "%s is a dead mount, its server is gone: run 'mica "
					    "umount %s' first",
					    path, path);
		return mica_err_sys(err, errno, "mountpoint %s", path);
	}
	if (!S_ISDIR(st.st_mode))
		return mica_err_set(err, MICA_E_SYS, "mountpoint %s: not a directory", path);
	return mica_mountinfo_resolve(path, full, err);
}

/* That nobody can read it is no failure: the mount is live. */
static void announce(const struct mica_mount_opts *opts)
{
	if (opts->quiet)
		return;
	if (opts->image)
		printf("mica: %s mounted on %s by FUSE\n", opts->image, opts->mountpoint);
	else
		printf("mica: %u layer%s mounted on %s by FUSE, %s%s\n", opts->layers.count,
		       opts->layers.count == 1 ? "" : "s", opts->mountpoint,
		       opts->upper ? "changes go to " : "read-only",
		       opts->upper ? opts->upper : "");
	fflush(stdout);
}

/* In the process that serves. daemon: NULL in the foreground. */
static int serve(const struct mica_mount_opts *opts, const char *mountpoint,
		 struct mica_daemon *daemon)
{
	cleanup_session struct mica_session s = {0};
	struct mica_err err;

	if (mica_session_open(&s, opts, &err))
		return fail(&err, STATUS_MOUNT);
	if (opts->fake)
		return STATUS_OK;
	if (mica_session_mount(&s, mountpoint, &err))
		return fail(&err, STATUS_MOUNT);
	if (daemon) {
		mica_log_to_syslog(mountpoint);
		mica_daemon_ready(daemon);
	} else {
		announce(opts);
	}
	if (mica_session_serve(&s, &err)) {
		mica_log("%s", err.msg);
		return STATUS_SYSTEM;
	}
	return STATUS_OK;
}

/* A server that crashed while it mounted may have left a mount that nobody serves. */
static void leftover_unmount(const char *mountpoint)
{
	struct mica_mountinfo info;
	struct statx st;

	if (!statx(AT_FDCWD, mountpoint, AT_STATX_FORCE_SYNC, STATX_TYPE, &st) || errno != ENOTCONN)
		return;
	if (mica_mountinfo_find(mountpoint, &info, NULL) == 1 &&
	    !strcmp(info.type, MICA_MOUNT_TYPE))
		mica_mountinfo_unmount(mountpoint, true, NULL);
}

static int serve_in_background(const struct mica_mount_opts *opts, const char *mountpoint)
{
	struct mica_daemon daemon;
	struct mica_err err;
	int status;

	if (mica_daemon_fork(&daemon, &err))
		return fail(&err, STATUS_SYSTEM);
	if (!daemon.child)
		return serve(opts, mountpoint, &daemon);
	status = mica_daemon_wait(&daemon);
	if (status < 0) {
		announce(opts);
		return STATUS_OK;
	}
	leftover_unmount(mountpoint);
	if (status <= 128)
		return status;
	fprintf(stderr, "mica mount: the serving process died of signal %d\n", status - 128);
	return STATUS_SYSTEM;
}

static int mount_run(int argc, char **argv)
{
	cleanup_mount_opts struct mica_mount_opts opts = {0};
	char mountpoint[PATH_MAX];
	struct mica_err err;

	if (mica_mount_opts_parse(&opts, argc, argv, &err))
		return fail(&err, STATUS_USAGE);
	if (opts.version) {
		printf("fuse-overlayfs: stand-in of mica %s\n", MICA_VERSION);
		return STATUS_OK;
	}
	if (mountpoint_resolve(opts.mountpoint, mountpoint, &err))
		return fail(&err, STATUS_MOUNT);
	if (opts.foreground || opts.fake)
		return serve(&opts, mountpoint, NULL);
	return serve_in_background(&opts, mountpoint);
}

const struct mica_verb mica_verb_mount = {
	.name = "mount",
	.usage = "[OPTIONS] LAYER... MOUNTPOINT",
	.summary = "show images and directories as one tree",
	.about = "Mounts IMAGE, any EROFS image in a file or on a block device, read-only on the "
		 "directory MOUNTPOINT through FUSE. Returns when the mount is live; a process "
		 "that serves it stays behind until 'mica umount MOUNTPOINT'. What root mounts is "
		 "visible to all users, with the owners and modes in the image enforced; what "
		 "another user mounts is visible to that user alone. Set-user-ID bits and devices "
		 "work only with -o suid and -o dev.",
	.opts = mica_mount_opts_table,
	.run = mount_run,
};
