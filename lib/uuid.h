/* SPDX-License-Identifier: MIT */
/* UUIDs as people read them: 01234567-89ab-cdef-0123-456789abcdef. */
#ifndef MICA_LIB_UUID_H
#define MICA_LIB_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define MICA_UUID_TEXT 37u /* with the NUL */

void mica_uuid_format(const uint8_t uuid[16], char out[MICA_UUID_TEXT]);

/* false: text is no UUID; *out may hold anything then */
bool mica_uuid_parse(const char *text, uint8_t out[16]);

#endif
