/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static int err_vset(struct mica_err *err, int code, int sys,
							  const char *fmt, va_list ap)
{
	if (!err)
		return code;
	err->code = code;
	err->sys = sys;
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	return code;
}

int mica_err_set(struct mica_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, 0, fmt, ap);
	va_end(ap);
	return code;
}

int mica_err_sys(struct mica_err *err, int sys, const char *fmt, ...)
{
	int code = sys == ENOMEM ? MICA_E_NOMEM : MICA_E_SYS;
	char text[128];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, sys, fmt, ap);
	va_end(ap);
	if (!err)
		return code;
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
		 strerror_r(sys, text, sizeof(text)));
	return code;
}

int mica_err_wrap(struct mica_err *err, const char *fmt, ...)
{
	char inner[MICA_ERR_MSG_MAX];
	size_t len;
	va_list ap;

	if (!err)
		return MICA_E_SYS;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", inner);
	return err->code;
}

int mica_err_nomem(struct mica_err *err)
{
	return mica_err_set(err, MICA_E_NOMEM, "out of memory");
}

int mica_err_errno(const struct mica_err *err)
{
	switch (err->code) {
	case 0:
		return 0;
	case MICA_E_SYS:
		return err->sys ? err->sys : EIO;
	case MICA_E_UNSUPPORTED:
		return EOPNOTSUPP;
	case MICA_E_USAGE:
		return EINVAL;
	case MICA_E_NOMEM:
		return ENOMEM;
	case MICA_E_NOENT:
		return ENOENT;
	default:
		return EIO;
	}
}
