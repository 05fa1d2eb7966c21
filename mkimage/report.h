/* SPDX-License-Identifier: MIT */
/*
 * Where the parts of mkimage say what they had to leave out or change. The
 * verb prints it; tests record it.
 */
#ifndef MICA_MKIMAGE_REPORT_H
#define MICA_MKIMAGE_REPORT_H

#include <stdint.h>

struct mica_report {
	/* One line without a newline; "PATH: what". */
	void (*warn)(struct mica_report *report, const char *line);
	uint64_t warnings;
};

void mica_report_warn(struct mica_report *report, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
