/* SPDX-License-Identifier: MIT */
#include "seal.h"

#include <string.h>
#include <xxhash.h>

#include "erofs.h"

static const uint8_t magic[8] = {'m', 'i', 'c', 'a', 's', 'e', 'a', 'l'};

_Static_assert(MICA_SEAL_OFFSET + sizeof(struct mica_seal_disk) == EROFS_SUPER_OFFSET, "seal");

void mica_seal_sum(const uint8_t rest[MICA_SEAL_SUM], const uint8_t head[MICA_SEAL_HEAD],
		   uint8_t out[MICA_SEAL_SUM])
{
	uint8_t text[MICA_SEAL_SUM + MICA_SEAL_HEAD - MICA_SEAL_OFFSET];
	XXH128_canonical_t sum;

	memcpy(text, rest, MICA_SEAL_SUM);
	memcpy(text + MICA_SEAL_SUM, head + MICA_SEAL_OFFSET, MICA_SEAL_HEAD - MICA_SEAL_OFFSET);
	memset(text + MICA_SEAL_SUM + offsetof(struct mica_seal_disk, sum), 0, MICA_SEAL_SUM);
	XXH128_canonicalFromHash(&sum, XXH3_128bits(text, sizeof(text)));
	memcpy(out, sum.digest, MICA_SEAL_SUM);
}

void mica_seal_make(uint8_t head[MICA_SEAL_HEAD], uint64_t length, uint32_t flags,
		    const uint8_t rest[MICA_SEAL_SUM])
{
	struct mica_seal_disk seal = {
		.version = le32_make(MICA_SEAL_VERSION),
		.flags = le32_make(flags & MICA_SEAL_FLAGS),
		.length = le64_make(length),
	};

	memcpy(seal.magic, magic, sizeof(magic));
	memcpy(head + MICA_SEAL_OFFSET, &seal, sizeof(seal));
	mica_seal_sum(rest, head, seal.sum);
	memcpy(head + MICA_SEAL_OFFSET, &seal, sizeof(seal));
}

static bool all_but_magic_is_right(const struct mica_seal_disk *seal)
{
	static const uint8_t zeros[sizeof(seal->reserved2)];

	return le32_get(seal->version) == MICA_SEAL_VERSION &&
	       !(le32_get(seal->flags) & ~MICA_SEAL_FLAGS) &&
	       !memcmp(seal->reserved2, zeros, sizeof(zeros));
}

uint32_t mica_seal_flags(const struct mica_seal_disk *seal)
{
	bool whole = !memcmp(seal->magic, magic, sizeof(magic)) && all_but_magic_is_right(seal);

	return whole ? le32_get(seal->flags) : 0;
}

bool mica_seal_find(const uint8_t head[MICA_SEAL_HEAD], struct mica_seal_disk *out, bool *whole)
{
	struct mica_seal_disk seal;
	bool magic_right, rest_right;

	memcpy(&seal, head + MICA_SEAL_OFFSET, sizeof(seal));
	magic_right = !memcmp(seal.magic, magic, sizeof(magic));
	rest_right = all_but_magic_is_right(&seal);
	*whole = magic_right && rest_right;
	*out = seal;
	return magic_right || rest_right;
}
