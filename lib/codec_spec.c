/* SPDX-License-Identifier: MIT */
/* The names and levels that a user can ask for. */
#include <stdio.h>
#include <string.h>

#include "codec_priv.h"
#include "opt.h"
#include "util.h"

/* level_max 0: no level */
static const struct spec_row {
	const char *name;
	struct mica_codec_spec spec;
	unsigned int level_min, level_max;
	bool extreme; /* a level may end in 'e' */
} rows[] = {
	{"none", {.none = true}, 0, 0, false},
	{"lz4", {.alg = EROFS_ALG_LZ4}, 0, 0, false},
	{"lz4hc",
	 {.alg = EROFS_ALG_LZ4, .lz4hc = true, .level = CODEC_LZ4HC_LEVEL_DEFAULT},
	 1,
	 CODEC_LZ4HC_LEVEL_MAX,
	 false},
	{"deflate",
	 {.alg = EROFS_ALG_DEFLATE, .level = CODEC_DEFLATE_LEVEL_DEFAULT},
	 1,
	 CODEC_DEFLATE_LEVEL_MAX,
	 false},
	{"lzma",
	 {.alg = EROFS_ALG_LZMA, .level = CODEC_LZMA_LEVEL_DEFAULT},
	 0,
	 CODEC_LZMA_LEVEL_MAX,
	 true},
	{"zstd",
	 {.alg = EROFS_ALG_ZSTD, .level = CODEC_ZSTD_LEVEL_DEFAULT},
	 1,
	 CODEC_ZSTD_LEVEL_MAX,
	 false},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What all rows allow, for a message: "none, lz4, lz4hc[:1..12], ..." */
static void rows_list(char *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < ROWS && n < len; i++) {
		int k = snprintf(buf + n, len - n, "%s%s", i ? ", " : "", rows[i].name);

		n += (size_t)k;
		if (!rows[i].level_max || n >= len)
			continue;
		k = snprintf(buf + n, len - n, "[:%u..%u%s]", rows[i].level_min, rows[i].level_max,
			     rows[i].extreme ? "[e]" : "");
		n += (size_t)k;
	}
}

static int level_parse(const struct spec_row *row, const char *text, struct mica_codec_spec *out,
		       struct mica_err *err)
{
	size_t len = strlen(text);
	char digits[16] = "";
	uint64_t level;
	int ret;

	if (!row->level_max)
		return mica_err_set(err, MICA_E_USAGE, "%s has no levels", row->name);
	*out = row->spec;
	if (row->extreme && len && len < sizeof(digits) && text[len - 1] == 'e') {
		out->extreme = true;
		memcpy(digits, text, len - 1);
		text = digits;
	}
	ret = mica_opt_uint(text, row->level_min, row->level_max, &level, err);
	if (ret)
		return mica_err_wrap(err, "level of %s", row->name);
	out->level = (int)level;
	return 0;
}

int mica_codec_spec_parse(const char *text, struct mica_codec_spec *out, struct mica_err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	struct mica_codec_spec spec;
	char list[160];
	int ret;

	for (size_t i = 0; i < ROWS; i++) {
		if (strlen(rows[i].name) != len || memcmp(rows[i].name, text, len))
			continue;
		ret = colon ? level_parse(&rows[i], colon + 1, &spec, err) : 0;
		if (!ret)
			*out = colon ? spec : rows[i].spec;
		return ret;
	}
	rows_list(list, sizeof(list));
	return mica_err_set(err, MICA_E_USAGE, "'%s' is not a compression: %s", text, list);
}

void mica_codec_spec_format(const struct mica_codec_spec *spec, char *buf, size_t len)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct spec_row *row = &rows[i];

		if (row->spec.none != spec->none || row->spec.alg != spec->alg ||
		    row->spec.lz4hc != spec->lz4hc)
			continue;
		if (row->level_max)
			snprintf(buf, len, "%s:%d%s", row->name, spec->level,
				 spec->extreme ? "e" : "");
		else
			snprintf(buf, len, "%s", row->name);
		return;
	}
}

/*
 * What may stand behind the last decoded byte of a deflate stream: the end of a
 * block is at most 15 bits, an empty stored block 5 bytes and 3 bits.
 */
#define DEFLATE_END 8u
#define PAGE	    4096u /* the smallest there is; larger ones are multiples of it */

int mica_codec_lead(enum erofs_alg alg, uint64_t pa, size_t len)
{
	unsigned int end = (unsigned int)((pa + len) % PAGE);
	unsigned int zeros = DEFLATE_END + 1 - end;

	if (alg != EROFS_ALG_DEFLATE || !end || end > DEFLATE_END || end >= len)
		return 0;
	/* zeros up to the end of a page would not be taken for padding */
	return pa % PAGE + zeros < PAGE ? (int)zeros : -1;
}
