/* SPDX-License-Identifier: MIT */
/* The seal of images that mica wrote: a checksum over every byte. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../formats/seal.h"
#include "check_priv.h"
#include "util.h"

#define SEAL_CHUNK (1u << 20)

static void xxh_state_free(XXH3_state_t **state)
{
	XXH3_freeState(*state);
}

static int rest_sum(struct mica_io *io, uint64_t length, uint8_t sum[MICA_SEAL_SUM],
		    struct mica_err *err)
{
	cleanup(xxh_state_free) XXH3_state_t *state = XXH3_createState();
	cleanup_free uint8_t *buf = malloc(SEAL_CHUNK);
	XXH128_canonical_t canonical;

	if (!state || !buf)
		return mica_err_nomem(err);
	XXH3_128bits_reset(state);
	for (uint64_t pos = MICA_SEAL_HEAD; pos < length;) {
		size_t n = mica_min(SEAL_CHUNK, length - pos);
		int ret = mica_io_read(io, buf, n, pos, err);

		if (ret)
			return ret;
		XXH3_128bits_update(state, buf, n);
		pos += n;
	}
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
	memcpy(sum, canonical.digest, MICA_SEAL_SUM);
	return 0;
}

static void sum_format(const uint8_t sum[MICA_SEAL_SUM], char text[2 * MICA_SEAL_SUM + 1])
{
	for (size_t i = 0; i < MICA_SEAL_SUM; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

int mica_check_seal(struct check *c, struct mica_err *err)
{
	struct mica_io *io = mica_image_io(c->img);
	char found[2 * MICA_SEAL_SUM + 1], wanted[2 * MICA_SEAL_SUM + 1];
	uint8_t head[MICA_SEAL_HEAD], made[MICA_SEAL_HEAD], rest[MICA_SEAL_SUM];
	struct mica_seal_disk seal, right;
	uint64_t length;
	bool whole;
	int ret;

	if (io->size < sizeof(head))
		return 0;
	ret = mica_io_read(io, head, sizeof(head), 0, err);
	if (ret)
		return mica_check_fail_err(c, "seal", CHECK_NO_ROW, MICA_SEAL_OFFSET, err);
	if (!mica_seal_find(head, &seal, &whole))
		return 0;
	length = le64_get(seal.length);
	if (length < MICA_SEAL_HEAD || length > io->size) {
		if (!whole)
			return 0;
		mica_check_fail(c, "seal", CHECK_NO_ROW, MICA_SEAL_OFFSET,
				"it covers %" PRIu64 " bytes, but the image has %" PRIu64, length,
				io->size);
		return 0;
	}
	ret = rest_sum(io, length, rest, err);
	if (ret)
		return mica_check_fail_err(c, "seal", CHECK_NO_ROW, MICA_SEAL_OFFSET, err);
	memcpy(made, head, sizeof(made));
	mica_seal_make(made, length, le32_get(seal.flags), rest);
	memcpy(&right, made + MICA_SEAL_OFFSET, sizeof(right));
	/* one of another version, or something else */
	if (!whole && memcmp(right.sum, seal.sum, sizeof(seal.sum)))
		return 0;
	c->res->sealed = !memcmp(&right, &seal, sizeof(seal));
	c->res->seal_partial = length < io->size || c->sb->extra_devices;
	if (c->res->sealed)
		return 0;
	if (!whole) {
		mica_check_fail(
			c, "seal", CHECK_NO_ROW, MICA_SEAL_OFFSET,
			"its magic, version, flags or reserved bytes have changed since the image "
			"was built");
		return 0;
	}
	sum_format(right.sum, found);
	sum_format(seal.sum, wanted);
	mica_check_fail(c, "seal", CHECK_NO_ROW, MICA_SEAL_OFFSET,
			"the image's checksum is %s, not %s: a byte has changed since it was built",
			found, wanted);
	return 0;
}
