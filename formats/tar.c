/* SPDX-License-Identifier: MIT */
#include "tar.h"

#include <string.h>

bool mica_tar_is_zero(const void *block)
{
	const unsigned char *p = block;

	return !p[0] && !memcmp(p, p + 1, MICA_TAR_BLOCK - 1);
}

bool mica_tar_checksum_ok(const struct mica_tar_header *h)
{
	const size_t start = offsetof(struct mica_tar_header, chksum);
	const unsigned char *p = (const unsigned char *)h;
	int64_t sum = 0, signed_sum = 0, want;

	for (size_t i = 0; i < MICA_TAR_BLOCK; i++) {
		unsigned char c = i >= start && i < start + sizeof(h->chksum) ? ' ' : p[i];

		sum += c;
		signed_sum += (signed char)c;
	}
	return mica_tar_number(h->chksum, sizeof(h->chksum), &want) &&
	       (want == sum || want == signed_sum);
}

bool mica_tar_is_posix(const struct mica_tar_header *h)
{
	return !memcmp(h->magic, "ustar", 6);
}

bool mica_tar_is_gnu(const struct mica_tar_header *h)
{
	return !memcmp(h->magic, "ustar ", 6);
}

static bool number_binary(const unsigned char *p, size_t len, int64_t *out)
{
	/* the sign is the second bit of the first byte */
	uint64_t fill = p[0] & 0x40 ? UINT64_MAX : 0;
	uint64_t v = (fill << 7) | (p[0] & 0x7f);

	for (size_t i = 1; i < len; i++) {
		/* what is shifted out, and the sign after it, must be copies of the sign */
		if (v >> 55 != fill >> 55)
			return false;
		v = v << 8 | p[i];
	}
	*out = (int64_t)v;
	return true;
}

bool mica_tar_number(const char *field, size_t len, int64_t *out)
{
	int64_t v = 0;
	size_t i = 0;

	if (len && (unsigned char)field[0] & 0x80)
		return number_binary((const unsigned char *)field, len, out);
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (v > INT64_MAX >> 3)
			return false;
		v = v << 3 | (field[i] - '0');
	}
	if (i < len && field[i] != ' ' && field[i] != '\0')
		return false;
	*out = v;
	return true;
}
