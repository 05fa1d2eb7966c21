/* SPDX-License-Identifier: MIT */
/*
 * The maps of sparse files: in GNU's old header and the blocks behind it (type
 * S), in pax records (0.0 and 0.1), or as text before the data (1.0).
 */
#include <inttypes.h>
#include <string.h>

#include "../lib/util.h"
#include "source_tar.h"

/* A number of a text map has no more digits, its separator included. */
#define SPARSE_NUMBER_MAX 20

/* Runs of a header's list, which ends early with an empty one. */
static int sparse_add_list(struct mica_source_tar *t, const struct mica_tar_run *list, size_t count,
			   struct mica_err *err)
{
	for (size_t i = 0; i < count; i++) {
		int64_t off, len;
		int ret;

		if (!list[i].numbytes[0] && !list[i].offset[0])
			break;
		ret = mica_tar_field(t, "sparse offset", list[i].offset, sizeof(list[i].offset),
				     &off, err);
		if (!ret)
			ret = mica_tar_field(t, "sparse length", list[i].numbytes,
					     sizeof(list[i].numbytes), &len, err);
		if (!ret)
			ret = mica_runs_add(&t->runs, (uint64_t)off, (uint64_t)len, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int sparse_read_gnu(struct mica_source_tar *t, const struct mica_tar_header *h,
			   struct mica_err *err)
{
	struct mica_tar_sparse block;
	struct mica_tar_gnu gnu;
	int64_t size;
	bool more;
	int ret;

	if (!mica_tar_is_gnu(h))
		return mica_err_set(err, MICA_E_INPUT, "a kind of sparse file that is not known");
	memcpy(&gnu, h->prefix, sizeof(gnu));
	ret = mica_tar_field(t, "real size", gnu.realsize, sizeof(gnu.realsize), &size, err);
	if (!ret && size < 0)
		ret = mica_err_set(err, MICA_E_INPUT, "real size %" PRIi64, size);
	if (!ret)
		ret = sparse_add_list(t, gnu.sparse, sizeof(gnu.sparse) / sizeof(gnu.sparse[0]),
				      err);
	t->base.entry.size = (uint64_t)size;
	more = gnu.isextended;
	while (!ret && more) {
		size_t got;

		ret = mica_tar_stream_read(t->stream, &block, sizeof(block), &got, err);
		if (!ret && got < sizeof(block))
			ret = mica_tar_truncated(t, err);
		if (!ret)
			ret = sparse_add_list(t, block.sparse,
					      sizeof(block.sparse) / sizeof(block.sparse[0]), err);
		more = !ret && block.isextended;
	}
	return ret;
}

/* "OFFSET,LENGTH,OFFSET,LENGTH,..." */
static int sparse_parse_pairs(struct mica_source_tar *t, struct mica_pax_text map,
			      struct mica_err *err)
{
	uint64_t v[2] = {0, 0};
	size_t digits = 0, i = 0;

	for (size_t at = 0; at <= map.len; at++) {
		char c = at < map.len ? map.p[at] : ',';
		int ret;

		if (c >= '0' && c <= '9') {
			if (++digits >= SPARSE_NUMBER_MAX)
				break;
			v[i] = v[i] * 10 + (uint64_t)(c - '0');
			continue;
		}
		if (c != ',' || !digits)
			break;
		digits = 0;
		if (i++ == 0)
			continue;
		ret = mica_runs_add(&t->runs, v[0], v[1], err);
		if (ret)
			return ret;
		v[0] = v[1] = i = 0;
		if (at == map.len)
			return 0;
	}
	return mica_err_set(err, MICA_E_INPUT, "sparse map: no list of pairs of numbers");
}

/* A decimal number and a newline from the stream; *left: bytes of data, counted down. */
static int sparse_read_number(struct mica_source_tar *t, uint64_t *left, uint64_t *out,
			      struct mica_err *err)
{
	size_t digits = 0;

	*out = 0;
	while (*left && digits < SPARSE_NUMBER_MAX) {
		const unsigned char *p;
		unsigned char c;
		size_t len;
		int ret = mica_tar_stream_peek(t->stream, &p, &len, err);

		if (ret < 0)
			return ret;
		if (!ret)
			return mica_tar_truncated(t, err);
		c = p[0];
		mica_tar_stream_take(t->stream, 1);
		--*left;
		if (c == '\n' && digits)
			return 0;
		if (c < '0' || c > '9')
			break;
		digits++;
		*out = *out * 10 + (uint64_t)(c - '0');
	}
	return mica_err_set(err, MICA_E_INPUT, "sparse map: no number at byte %" PRIu64,
			    mica_tar_stream_offset(t->stream));
}

/* Count, then offset and length of each run, then zeros up to the next block. */
static int sparse_read_text(struct mica_source_tar *t, struct mica_err *err)
{
	uint64_t left = t->stored_left;
	uint64_t count, used, pad;
	int ret = sparse_read_number(t, &left, &count, err);

	for (uint64_t i = 0; !ret && i < count; i++) {
		uint64_t off, len;

		ret = sparse_read_number(t, &left, &off, err);
		if (!ret)
			ret = sparse_read_number(t, &left, &len, err);
		if (!ret)
			ret = mica_runs_add(&t->runs, off, len, err);
	}
	if (ret)
		return ret;
	used = t->stored_left - left;
	pad = -used % MICA_TAR_BLOCK;
	if (pad > left)
		return mica_err_set(err, MICA_E_INPUT,
				    "sparse map: longer than the %" PRIu64 " bytes of the entry",
				    t->stored_left);
	t->stored_left = left - pad;
	return mica_tar_skip(t, pad, err);
}

/* The map of pax records, if there is one. */
static int sparse_take_pax(struct mica_source_tar *t, const struct mica_pax *pax, bool *sparse,
			   struct mica_err *err)
{
	const struct mica_pax_number *major = &pax->numbers[MICA_PAX_SPARSE_MAJOR];
	const struct mica_pax_number *minor = &pax->numbers[MICA_PAX_SPARSE_MINOR];
	const struct mica_pax_number *size = &pax->numbers[MICA_PAX_REALSIZE];

	if (pax->has_offset)
		return mica_err_set(err, MICA_E_INPUT, "sparse map: an offset without a length");
	if (size->set && size->v < 0)
		return mica_err_set(err, MICA_E_INPUT, "real size %" PRIi64, size->v);
	*sparse = size->set;
	if (size->set)
		t->base.entry.size = (uint64_t)size->v;
	else if (major->set || t->runs.count || pax->texts[MICA_PAX_SPARSE_MAP].p)
		return mica_err_set(err, MICA_E_INPUT, "sparse map: the real size is missing");
	if (!major->set || (major->v == 0 && minor->v <= 1))
		return pax->texts[MICA_PAX_SPARSE_MAP].p
			       ? sparse_parse_pairs(t, pax->texts[MICA_PAX_SPARSE_MAP], err)
			       : 0;
	if (major->v != 1 || minor->v != 0)
		return mica_err_set(err, MICA_E_INPUT,
				    "sparse format %" PRIi64 ".%" PRIi64
				    ", known are 0.0, 0.1, 1.0",
				    major->v, minor->v);
	return sparse_read_text(t, err);
}

int mica_tar_sparse(struct mica_source_tar *t, const struct mica_tar_header *h,
		    const struct mica_pax *pax, uint64_t stored, struct mica_err *err)
{
	bool sparse = h->typeflag == MICA_TAR_GNU_SPARSE;
	int ret;

	t->stored_left = stored;
	t->base.entry.size = stored;
	ret = sparse ? sparse_read_gnu(t, h, err) : sparse_take_pax(t, pax, &sparse, err);
	if (ret)
		return ret;
	t->run_done = 0;
	/* a size alone, without a map, is that of a file without holes */
	if (!sparse || (!t->runs.count && t->stored_left == t->base.entry.size)) {
		t->whole = (struct mica_run){.off = 0, .len = t->stored_left};
		t->run = &t->whole;
		t->runs_left = 1;
		return 0;
	}
	if (t->runs.total != t->stored_left)
		return mica_err_set(err, MICA_E_INPUT,
				    "sparse map: %" PRIu64 " bytes of data, the entry has %" PRIu64,
				    t->runs.total, t->stored_left);
	t->run = t->runs.v;
	t->runs_left = t->runs.count;
	return mica_runs_declare(&t->runs, &t->base, err);
}
