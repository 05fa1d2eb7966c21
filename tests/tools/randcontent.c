/* SPDX-License-Identifier: MIT */
#include "rand.h"
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Sizes at which block, tail, index and segment arithmetic changes. */
static const size_t edges[] = {
	0,	 1,	  2,	   31,	    32,	     63,      4031,   4032,   4033,
	4063,	 4064,	  4065,	   4095,    4096,    4097,    8191,   8192,   8193,
	16383,	 16384,	  16385,   65535,   65536,   65537,   131071, 131072, 131073,
	196608,	 262143,  262144,  262145,  266240,  524287,  524288, 524289, 786432,
	1048575, 1048576, 1048577, 2097151, 2097152, 2097153,
};

static size_t size_pick(struct rng *rng)
{
	unsigned int kind = (unsigned int)rng_range(rng, 0, 99);

	if (kind < 18)
		return rng_pick(rng, edges);
	if (kind < 28) /* around one block: inline tail or not */
		return rng_range(rng, 3900, 4300);
	if (kind < 70)
		return rng_range(rng, 0, 9000);
	if (kind < 97) /* evenly over the powers of two */
		return rng_range(rng, 0, (size_t)1 << rng_range(rng, 6, 18));
	return rng_range(rng, 300000, 3000000);
}

void content_pick(struct rng *rng, size_t max, struct content *out)
{
	*out = (struct content){.seed = rng_next(rng), .size = size_pick(rng)};
	out->sparse = out->size > 4096 && rng_percent(rng, 12);
	if (max && out->size > max)
		out->size %= max + 1;
}

static void words_fill(struct rng *rng, unsigned char *p, size_t len)
{
	static const char *const words[] = {
		"static ", "int ",   "return ", "layer ",  "block ", "the ",	"= 0;\n",
		"{\n\t",   "}\n",    "(void)",	"struct ", "index ", "0x0040 ", "offset ",
		"if (",	   "NULL) ", "/usr/",	"lib/",	   ".so\n",  "mode ",	"cluster\n",
	};

	for (size_t i = 0; i < len;) {
		const char *word = rng_pick(rng, words);
		size_t n = strlen(word);

		if (n > len - i)
			n = len - i;
		memcpy(p + i, word, n);
		i += n;
	}
}

static void noise_fill(struct rng *rng, unsigned char *p, size_t len, unsigned char mask)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)rng_next(rng) & mask;
}

static void records_fill(struct rng *rng, unsigned char *p, size_t len)
{
	uint32_t n = (uint32_t)rng_next(rng);

	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)((n + i / 16) >> (8 * (i % 4)));
}

static void piece_fill(struct rng *rng, unsigned char *p, size_t len)
{
	switch (rng_range(rng, 0, 6)) {
	case 0:
	case 1:
		words_fill(rng, p, len);
		break;
	case 2:
		noise_fill(rng, p, len, 0xff);
		break;
	case 3: /* hardly compressible */
		noise_fill(rng, p, len, 0x7f);
		break;
	case 4:
		records_fill(rng, p, len);
		break;
	case 5:
		memset(p, (int)rng_range(rng, 0, 255), len);
		break;
	default:
		break; /* zeros */
	}
}

/* One kind of content through and through, or pieces of several kinds. */
static void content_fill(struct rng *rng, unsigned char *p, size_t len)
{
	bool mixed = rng_percent(rng, 40);

	for (size_t i = 0; i < len;) {
		size_t n = mixed ? rng_range(rng, 1, 1 + len / 2) : len;

		if (n > len - i)
			n = len - i;
		piece_fill(rng, p + i, n);
		i += n;
	}
}

static void write_all(int fd, const unsigned char *p, size_t len, off_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, off);

		if (n <= 0)
			tool_die_errno("write of %zu bytes at %lld", len, (long long)off);
		p += n;
		len -= (size_t)n;
		off += n;
	}
}

void content_write(int fd, const struct content *content)
{
	struct rng rng = {content->seed}, holes = {~content->seed};
	size_t size = content->prefix + content->size + content->gap;
	unsigned char *p = tool_alloc(size), *at = p + content->prefix;

	content_fill(&rng, at, content->size);
	noise_fill(&rng, p, content->prefix, 0xff);
	memmove(at + content->cut + content->gap, at + content->cut, content->size - content->cut);
	noise_fill(&rng, at + content->cut, content->gap, 0xff);
	if (ftruncate(fd, (off_t)size) < 0)
		tool_die_errno("truncate to %zu", size);
	for (size_t off = 0; off < size;) {
		size_t n = content->sparse ? rng_range(&holes, 1, size) : size;

		if (n > size - off)
			n = size - off;
		/* Holes of any alignment; a file may also be one hole. */
		if (!content->sparse || rng_percent(&holes, 50))
			write_all(fd, p + off, n, (off_t)off);
		off += n;
	}
	free(p);
}
