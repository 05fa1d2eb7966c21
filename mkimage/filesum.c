/* SPDX-License-Identifier: MIT */
/*
 * Content is a sequence of runs: blocks that are not all zeros, then blocks
 * that are. What is hashed of a run are its data blocks and both lengths, so
 * that, read from the end, it tells one content from any other.
 */
#include "filesum.h"

#include <stdbool.h>
#include <string.h>

#include "../formats/le.h"
#include "../lib/util.h"

int mica_filesum_init(struct mica_filesum *s, const uint8_t key[MICA_KEYHASH_KEY],
		      struct mica_err *err)
{
	return mica_keyhash_new(key, &s->hash, err);
}

void mica_filesum_clear(struct mica_filesum *s)
{
	mica_keyhash_free(s->hash);
	s->hash = NULL;
}

void mica_filesum_begin(struct mica_filesum *s)
{
	mica_keyhash_begin(s->hash);
	s->data = s->zeros = 0;
	s->fill = 0;
}

static bool is_zero(const unsigned char *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

static void run_end(struct mica_filesum *s)
{
	le64 lengths[2] = {le64_make(s->data), le64_make(s->zeros)};

	mica_keyhash_add(s->hash, lengths, sizeof(lengths));
	s->data = s->zeros = 0;
}

static void data_add(struct mica_filesum *s, const unsigned char *p, size_t len)
{
	if (s->zeros)
		run_end(s);
	mica_keyhash_add(s->hash, p, len);
	s->data += len;
}

/* Whole blocks, or the file's last one; as many as can be are hashed in one piece. */
static void blocks_add(struct mica_filesum *s, const unsigned char *p, size_t len)
{
	size_t from = 0, at = 0;

	while (at < len) {
		size_t n = mica_min(MICA_FILESUM_BLOCK, len - at);

		if (is_zero(p + at, n)) {
			if (at > from)
				data_add(s, p + from, at - from);
			s->zeros += n;
			from = at + n;
		}
		at += n;
	}
	if (at > from)
		data_add(s, p + from, at - from);
}

static void block_flush(struct mica_filesum *s)
{
	blocks_add(s, s->block, s->fill);
	s->fill = 0;
}

void mica_filesum_add(struct mica_filesum *s, const void *buf, size_t len)
{
	const unsigned char *p = buf;

	while (len) {
		size_t n = mica_round_down(len, MICA_FILESUM_BLOCK);

		if (!s->fill && n) {
			blocks_add(s, p, n);
		} else {
			n = mica_min(len, MICA_FILESUM_BLOCK - s->fill);
			memcpy(s->block + s->fill, p, n);
			s->fill += n;
			if (s->fill == MICA_FILESUM_BLOCK)
				block_flush(s);
		}
		p += n;
		len -= n;
	}
}

void mica_filesum_zeros(struct mica_filesum *s, uint64_t len)
{
	while (len) {
		uint64_t n = mica_round_down(len, MICA_FILESUM_BLOCK);

		if (!s->fill && n) {
			s->zeros += n;
		} else {
			n = mica_min(len, MICA_FILESUM_BLOCK - s->fill);
			memset(s->block + s->fill, 0, n);
			s->fill += n;
			if (s->fill == MICA_FILESUM_BLOCK)
				block_flush(s);
		}
		len -= n;
	}
}

int mica_filesum_end(struct mica_filesum *s, uint8_t out[MICA_KEYHASH_LEN], struct mica_err *err)
{
	block_flush(s);
	run_end(s);
	return mica_keyhash_end(s->hash, out, err);
}
