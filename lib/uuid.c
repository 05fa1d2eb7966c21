/* SPDX-License-Identifier: MIT */
#include "uuid.h"

static bool dash_at(unsigned int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

void mica_uuid_format(const uint8_t uuid[16], char out[MICA_UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	unsigned int n = 0;

	for (unsigned int i = 0; i + 1 < MICA_UUID_TEXT; i++) {
		if (dash_at(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = digits[uuid[n / 2] >> (n % 2 ? 0 : 4) & 15];
		n++;
	}
	out[MICA_UUID_TEXT - 1] = '\0';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool mica_uuid_parse(const char *text, uint8_t out[16])
{
	unsigned int i, n = 0;

	for (i = 0; i + 1 < MICA_UUID_TEXT && text[i]; i++) {
		int v = digit_value(text[i]);

		if (dash_at(i) ? text[i] != '-' : v < 0)
			return false;
		if (dash_at(i))
			continue;
		out[n / 2] = (uint8_t)(n % 2 ? out[n / 2] | v : v << 4);
		n++;
	}
	return i + 1 == MICA_UUID_TEXT && !text[i];
}
