/* SPDX-License-Identifier: MIT */
/*
 * kmount IMAGE DIR [OPTIONS]: has the kernel mount an EROFS image that is a
 * plain file, without a loop device. mount(8) would always make one. Exit
 * status 3: this kernel wants a block device.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4)
		tool_die("usage: kmount IMAGE DIR [OPTIONS]");
	if (!mount(argv[1], argv[2], "erofs", MS_RDONLY, argc > 3 ? argv[3] : ""))
		return 0;
	if (errno == ENOTBLK)
		return 3;
	tool_die_errno("%s on %s", argv[1], argv[2]);
}
