/* SPDX-License-Identifier: MIT */
#include "kind.h"

#include <string.h>

#include "../lib/util.h"

#define SUFFIX_MAX 8u /* longer ones say nothing */

/* In the order in which they are stored. */
enum kind {
	KIND_TEXT,
	KIND_DATA,
	KIND_ARCHIVE, /* static libraries */
	KIND_PROGRAM, /* ELF files */
	KIND_PACKED,  /* compressed already */
};

#define KIND_SHIFT 56

static const struct {
	enum kind kind;
	uint8_t len;
	char magic[8];
} magics[] = {
	{KIND_PROGRAM, 4,
	 "\x7f"
	 "ELF"},
	{KIND_ARCHIVE, 8, "!<arch>\n"},
	{KIND_PACKED, 2, "\x1f\x8b"},
	{KIND_PACKED, 6,
	 "\xfd"
	 "7zXZ"},
	{KIND_PACKED, 4, "\x28\xb5\x2f\xfd"},
	{KIND_PACKED, 3, "BZh"},
	{KIND_PACKED, 4, "\x89PNG"},
	{KIND_PACKED, 3, "\xff\xd8\xff"},
	{KIND_PACKED, 4, "PK\x03\x04"},
};

uint64_t mica_kind_name(const char *path)
{
	const char *name = strrchr(path, '/'), *dot;
	uint64_t v = 0;

	name = name ? name + 1 : path;
	/* libraries have their version behind it */
	if (strstr(name, ".so."))
		name = ".so";
	dot = strrchr(name, '.');
	if (!dot || strlen(dot + 1) > SUFFIX_MAX)
		return 0;
	for (dot++; *dot; dot++)
		v = v << 7 ^ (unsigned char)*dot;
	return v;
}

static enum kind head_kind(const unsigned char *head, size_t len)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (len >= magics[i].len && !memcmp(head, magics[i].magic, magics[i].len))
			return magics[i].kind;
	return memchr(head, 0, len) ? KIND_DATA : KIND_TEXT;
}

uint64_t mica_kind(uint64_t name, const unsigned char *head, size_t len)
{
	return (uint64_t)head_kind(head, len) << KIND_SHIFT | (name & ((1ull << KIND_SHIFT) - 1));
}

unsigned int mica_kind_class(uint64_t kind)
{
	return (unsigned int)(kind >> KIND_SHIFT);
}

bool mica_kind_is_packed(uint64_t kind)
{
	return mica_kind_class(kind) == KIND_PACKED;
}
