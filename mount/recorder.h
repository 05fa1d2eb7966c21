/* SPDX-License-Identifier: MIT */
/*
 * "mica mount --trace": in which order files, and parts of large ones, are read first, as the
 * text of lib/trace.h. Any thread.
 */
#ifndef MICA_MOUNT_RECORDER_H
#define MICA_MOUNT_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "../lib/err.h"

struct mica_recorder;

/* Lines go behind what the file has already; it is made when it is missing. file: for messages, kept */
int mica_recorder_new(const char *file, struct mica_recorder **out, struct mica_err *err);

/* Writes what is left. A line that could not be written was logged once. */
void mica_recorder_free(struct mica_recorder *r);

/* Bytes that were read, from off on; whole: there are no others in the file. */
void mica_recorder_read(struct mica_recorder *r, const char *path, uint64_t off, uint64_t len,
			bool whole);

#endif
