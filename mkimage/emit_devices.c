/* SPDX-License-Identifier: MIT */
/* The device table: a slot for each image that this one refers to. */
#include <string.h>

#include "../lib/util.h"
#include "bases.h"
#include "emit.h"

void mica_emit_device(const struct mica_emit *e, unsigned int base, void *slot)
{
	const struct mica_base *l = &e->layout->opts->bases->v[base];
	struct erofs_device_disk d = {
		.blocks_lo = le32_make((uint32_t)l->blocks),
		.uniaddr_lo = le32_make((uint32_t)(l->start >> e->layout->block_bits)),
	};

	memcpy(d.tag, l->tag, strlen(l->tag));
	memcpy(slot, &d, sizeof(d));
}

int mica_emit_devices(struct mica_emit *e, struct mica_err *err)
{
	unsigned int count = e->layout->opts->bases->count;
	uint64_t bytes = (uint64_t)count * EROFS_DEVSLOT_SIZE;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < count; i++) {
		struct erofs_device_disk d;

		mica_emit_device(e, i, &d);
		ret = mica_outfile_write(e->out, &d, sizeof(d), err);
	}
	return ret ? ret
		   : mica_outfile_zeros(e->out, mica_round_up(bytes, MICA_BLOCK) - bytes, err);
}
