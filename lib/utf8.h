/* SPDX-License-Identifier: MIT */
/* UTF-8: which bytes of a name may be shown as they are. */
#ifndef MICA_LIB_UTF8_H
#define MICA_LIB_UTF8_H

#include <stddef.h>

/*
 * The length of the well-formed character at s (1..4), 0 when there is none:
 * overlong forms, surrogates and what lies beyond U+10FFFF are ill-formed.
 */
size_t mica_utf8_char(const void *s, size_t len);

#endif
