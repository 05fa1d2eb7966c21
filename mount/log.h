/* SPDX-License-Identifier: MIT */
/*
 * Where a serving process says what went wrong: standard error until it goes
 * into the background, the system log from then on. A distinct failure is said
 * once, and a storm of distinct ones is cut short.
 */
#ifndef MICA_MOUNT_LOG_H
#define MICA_MOUNT_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void mica_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Through the memory of what was said already, and the limit on lines in a time. */
void mica_log_failure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* From now on lines go to the system log; name: the mountpoint, borrowed for good. */
void mica_log_to_syslog(const char *name);

/*
 * libfuse's own messages go to mica_log(), or, between begin and end, into buf,
 * so that they become part of one error.
 */
void mica_log_take_fuse(void);
void mica_log_collect_begin(char *buf, size_t cap);
void mica_log_collect_end(void);

#endif
