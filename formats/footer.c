/* SPDX-License-Identifier: MIT */
#include "footer.h"

#include <string.h>

#include "crc32c.h"

static const uint8_t magic[8] = {'m', 'i', 'c', 'a', 'f', 'o', 'o', 't'};

static uint32_t footer_checksum(struct mica_footer_disk d)
{
	d.checksum = le32_make(0);
	return mica_crc32c(~0u, &d, sizeof(d));
}

void mica_footer_encode(const struct mica_footer *footer, struct mica_footer_disk *out)
{
	struct mica_footer_disk d = {
		.version = le32_make(MICA_FOOTER_VERSION),
		.image = le64_make(footer->image),
		.length = le64_make(footer->length),
		.device = le64_make(footer->device),
	};

	memcpy(d.magic, magic, sizeof(magic));
	d.checksum = le32_make(footer_checksum(d));
	*out = d;
}

bool mica_footer_decode(const struct mica_footer_disk *d, struct mica_footer *out)
{
	if (memcmp(d->magic, magic, sizeof(magic)) || le32_get(d->version) != MICA_FOOTER_VERSION ||
	    le32_get(d->checksum) != footer_checksum(*d))
		return false;
	*out = (struct mica_footer){
		.image = le64_get(d->image),
		.length = le64_get(d->length),
		.device = le64_get(d->device),
	};
	return true;
}
