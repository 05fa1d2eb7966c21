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

enum mica_code {
	MICA_E_SYS = -1,	 /* a system call failed; .sys holds errno */
	MICA_E_CORRUPT = -2,	 /* the image breaks a rule of its format */
	MICA_E_UNSUPPORTED = -3, /* valid, but a feature that mica does not read or write */
	MICA_E_USAGE = -4,	 /* the caller's or user's request makes no sense */
	MICA_E_NOMEM = -5,
	MICA_E_LIMIT = -6, /* a configured budget was exceeded */
	MICA_E_NOENT = -7, /* no such name, xattr, extent */
	MICA_E_INPUT = -8, /* a source (tar, directory, layer) is broken */
};

#define MICA_ERR_MSG_MAX 1024

struct mica_err {
	int code; /* enum mica_code, 0 when unset */
	int sys;  /* errno with MICA_E_SYS, else 0 */
	char msg[MICA_ERR_MSG_MAX];
};

/* Fill err (which may be NULL) and return code, so that "return mica_err_set(...)" reads well. */
int mica_err_set(struct mica_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Same for a failed system call: appends ": strerror(sys)"; ENOMEM becomes MICA_E_NOMEM. */
int mica_err_sys(struct mica_err *err, int sys, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prefix "context: " to the message and return err->code. */
int mica_err_wrap(struct mica_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int mica_err_nomem(struct mica_err *err);

/* The errno that a file system should answer for code: EIO for corruption, and so on. */
int mica_err_errno(const struct mica_err *err);

#endif
