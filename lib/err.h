/* SPDX-License-Identifier: MIT */
/*
 * The one error type. A function that can fail returns 0 (or a count) or a
 * negative enum mica_code, and takes a struct mica_err last, which it fills
 * before it returns the negative code. Callers add context on the way up with
 * mica_err_wrap(), so that the user reads "outer: inner: cause". Errors in
 * images name structure, offset, value and limit.
 */
#ifndef MICA_LIB_ERR_H
#define MICA_LIB_ERR_H

#include <stdarg.h>

#include "mica.h" /* enum mica_code, struct mica_err, mica_err_errno() */

/* Fill err (which may be NULL) and return code, so that "return mica_err_set(...)" reads well. */
int mica_err_set(struct mica_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Same for a failed system call: appends ": strerror(sys)"; ENOMEM becomes MICA_E_NOMEM. */
int mica_err_sys(struct mica_err *err, int sys, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prefix "context: " to the message and return err->code. */
int mica_err_wrap(struct mica_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int mica_err_nomem(struct mica_err *err);

#endif
