/* SPDX-License-Identifier: MIT */
/* Types of files, as directory entries have them (enum erofs_file_type). */
#ifndef MICA_LIB_FILETYPE_H
#define MICA_LIB_FILETYPE_H

#include <stdint.h>

#include "../formats/erofs.h"

/* That of a mode; EROFS_FT_UNKNOWN when it has no valid type. */
uint8_t mica_filetype_of(uint16_t mode);

/* S_IFREG and so on; 0: unknown */
uint32_t mica_filetype_mode(uint8_t type);

/* "directory" */
const char *mica_filetype_name(uint8_t type);

#endif
