/* SPDX-License-Identifier: MIT */
/*
 * kmount IMAGE DIR [OPTIONS]: has the kernel mount an EROFS image that is a
 * plain file, without a loop device. mount(8) would always make one. Options
 * are told one by one, since all of them together must fit into a page for
 * mount(2). Exit status 3: this kernel wants a block device.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* What the kernel has to say about a mount that failed: a line of text with each read. */
static void say_why(int fs)
{
	int saved = errno;
	char line[1024];
	ssize_t n;

	while ((n = read(fs, line, sizeof(line))) > 0)
		fprintf(stderr, "kmount: %.*s", (int)n, line);
	errno = saved;
}

static void option_set(int fs, char *word)
{
	char *value = strchr(word, '=');
	int ret;

	if (value)
		*value++ = '\0';
	ret = value ? fsconfig(fs, FSCONFIG_SET_STRING, word, value, 0)
		    : fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0);
	if (ret < 0) {
		say_why(fs);
		tool_die_errno("option %s", word);
	}
}

int main(int argc, char **argv)
{
	int fs, mnt;

	if (argc < 3 || argc > 4)
		tool_die("usage: kmount IMAGE DIR [OPTIONS]");
	fs = fsopen("erofs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", argv[1], 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		tool_die_errno("erofs");
	for (char *word = argc > 3 ? strtok(argv[3], ",") : NULL; word; word = strtok(NULL, ","))
		option_set(fs, word);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		if (errno == ENOTBLK)
			return 3;
		say_why(fs);
		tool_die_errno("%s on %s", argv[1], argv[2]);
	}
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (mnt < 0 || move_mount(mnt, "", AT_FDCWD, argv[2], MOVE_MOUNT_F_EMPTY_PATH) < 0)
		tool_die_errno("%s on %s", argv[1], argv[2]);
	return 0;
}
