/* SPDX-License-Identifier: MIT */
/* "mica status": asks the processes that serve mounts what is in force in them. */
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/util.h"
#include "mountinfo.h"
#include "status.h"

/* Exit statuses of the verb */
enum {
	STATUS_OK = 0,
	STATUS_USAGE = 1,
	STATUS_FAILED = 2,
};

struct ask {
	bool json;
	bool some; /* mount of mica was found */
	bool failed;
};

static int opt_set_json(void *ctx, const char *value, struct mica_err *err)
{
	struct ask *ask = ctx;

	(void)value;
	(void)err;
	ask->json = true;
	return 0;
}

static const struct mica_opt status_opts[] = {
	{"json", 0, NULL, "one JSON object a mount, each on a line of its own", opt_set_json},
	{0},
};

/* Errors are numbers: who asks all mounts leaves out those that are not of mica. */
static int status_read(const char *path, bool json, struct mica_status *out)
{
	unsigned long request = json ? MICA_IOC_STATUS_JSON : MICA_IOC_STATUS;
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, request, out) < 0)
		return errno;
	out->text[sizeof(out->text) - 1] = 0;
	return 0;
}

static void explain(const char *path, int error)
{
	if (error == ENOTTY || error == ENOTDIR || error == EINVAL)
		fprintf(stderr, "mica status: %s: not a mount of mica\n", path);
	else if (error == ENOTCONN)
		fprintf(stderr,
			"mica status: %s is a dead mount, its server is gone: run 'mica umount "
			"%s'\n",
			path, path);
	else
		fprintf(stderr, "mica status: %s: %s\n", path, strerror(error));
}

static void ask_one(struct ask *ask, const char *path, bool all)
{
	cleanup_free struct mica_status *status = calloc(1, sizeof(*status));
	int error = status ? status_read(path, ask->json, status) : ENOMEM;

	/* another program may well be the one whose name is in the type */
	if (all && error == ENOTTY)
		return;
	if (error) {
		explain(path, error);
		ask->failed = true;
	} else {
		if (ask->some && !ask->json)
			putchar('\n');
		fputs(status->text, stdout);
	}
	ask->some = true;
}

static int mount_seen(void *ctx, const char *path, const struct mica_mountinfo *info,
		      struct mica_err *err)
{
	struct ask *ask = ctx;

	(void)err;
	if (!strcmp(info->type, MICA_MOUNT_TYPE) || !strcmp(info->type, "fuse.fuse-overlayfs"))
		ask_one(ask, path, true);
	return 0;
}

static int ask_all(struct ask *ask)
{
	struct mica_err err;

	if (mica_mountinfo_each(mount_seen, ask, &err)) {
		fprintf(stderr, "mica status: %s\n", err.msg);
		ask->failed = true;
	} else if (!ask->some && !ask->json) {
		printf("nothing is mounted by mica\n");
	}
	return ask->failed ? STATUS_FAILED : STATUS_OK;
}

static int status_run(int argc, char **argv)
{
	struct ask ask = {0};
	struct mica_err err;
	int operands;
	bool help;

	if (mica_opt_parse(status_opts, &ask, argc, argv, &operands, &help, &err)) {
		fprintf(stderr, "mica status: %s\n", err.msg);
		return STATUS_USAGE;
	}
	if (!operands)
		return ask_all(&ask);
	for (int i = 1; i <= operands; i++) {
		char path[PATH_MAX];

		if (!mica_mountinfo_resolve(argv[i], path, &err)) {
			ask_one(&ask, path, false);
			continue;
		}
		fprintf(stderr, "mica status: %s\n", err.msg);
		ask.failed = true;
	}
	return ask.failed ? STATUS_FAILED : STATUS_OK;
}

const struct mica_verb mica_verb_status = {
	.name = "status",
	.usage = "[OPTIONS] [MOUNTPOINT...]",
	.summary = "say what is in force in mounts made by mica mount",
	.about = "Asks the process that serves each MOUNTPOINT, or all mounts of mica that there "
		 "are, and prints what it says: its sources, where changes go, its cache, and "
		 "what of FUSE the kernel and libfuse let it use.",
	.opts = status_opts,
	.run = status_run,
};
