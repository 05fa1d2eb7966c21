/* SPDX-License-Identifier: MIT */
/* What a source delivers, as text that tests compare. */
#ifndef MICA_TESTS_SOURCE_DUMP_H
#define MICA_TESTS_SOURCE_DUMP_H

#include "../../mkimage/report.h"

struct source_dump {
	struct mica_report report;
	char *entries;	  /* one line for each; owned */
	char *warnings;	  /* one line for each; owned */
	char error[2048]; /* empty: none */
	int code;
};

/*
 * TYPE MODE UID:GID MTIME PATH, then what applies of: "=> hard link target",
 * "-> symlink target", rdev=, NAME=value, runs=OFF+LEN,..., size= and the data
 * itself ('~' for a byte in a hole) or, when it is long, its hash.
 */
void source_dump(struct source_dump *d, const char *path);
void source_dump_fd(struct source_dump *d, int fd);
void source_dump_free(struct source_dump *d);

#endif
