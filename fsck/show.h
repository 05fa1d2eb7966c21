/* SPDX-License-Identifier: MIT */
/* How names, modes and times from an image are shown to people. */
#ifndef MICA_FSCK_SHOW_H
#define MICA_FSCK_SHOW_H

#include <stdint.h>
#include <stdio.h>

#include "../lib/err.h"
#include "../lib/image.h"

/* Control characters, backslashes and what is not UTF-8 become \xNN. */
void mica_show_bytes(FILE *f, const void *bytes, size_t len);
void mica_show_text(FILE *f, const char *text);

/* The row of the option table that all verbs here have in common. */
#define MICA_SHOW_DEVICE_OPT(set)                                                                  \
	{                                                                                          \
		"device", 0, "PATH",                                                               \
			"the next file of the image's device table, may be repeated; without it "  \
			"they are expected behind the image",                                      \
			set                                                                        \
	}

#define MICA_SHOW_MODE_LEN 11

/* "drwxr-sr-t" */
void mica_show_mode(uint16_t mode, char out[MICA_SHOW_MODE_LEN]);

/* "2024-02-29 23:59:59.000000001", UTC; seconds alone when there is no such year */
#define MICA_SHOW_TIME_LEN 48
void mica_show_time(int64_t sec, uint32_t nsec, char out[MICA_SHOW_TIME_LEN]);

const char *mica_show_layout(enum erofs_layout layout);
const char *mica_show_kind(const struct mica_extent *e);
const char *mica_show_alg(const struct mica_extent *e); /* NULL: not compressed */

/* The message without "SUBJECT: " in front, which the reader puts there as well */
const char *mica_show_message(const char *subject, const char *message);

/* "mica VERB: SUBJECT: message" on standard error; subject may be NULL */
void mica_show_error(const char *verb, const char *subject, const struct mica_err *err);

#endif
