/* SPDX-License-Identifier: MIT */
#include "kind.h"

#include <stdint.h>
#include <string.h>

static const struct {
	enum mica_kind kind;
	uint8_t len;
	char magic[8];
} magics[] = {
	{MICA_KIND_PROGRAM, 4,
	 "\x7f"
	 "ELF"},
	{MICA_KIND_ARCHIVE, 8, "!<arch>\n"},
	{MICA_KIND_PACKED, 2, "\x1f\x8b"},
	{MICA_KIND_PACKED, 6,
	 "\xfd"
	 "7zXZ"},
	{MICA_KIND_PACKED, 4, "\x28\xb5\x2f\xfd"},
	{MICA_KIND_PACKED, 3, "BZh"},
	{MICA_KIND_PACKED, 4, "\x89PNG"},
	{MICA_KIND_PACKED, 3, "\xff\xd8\xff"},
	{MICA_KIND_PACKED, 4, "PK\x03\x04"},
};

enum mica_kind mica_kind(const unsigned char *head, size_t len)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (len >= magics[i].len && !memcmp(head, magics[i].magic, magics[i].len))
			return magics[i].kind;
	return MICA_KIND_OTHER;
}
