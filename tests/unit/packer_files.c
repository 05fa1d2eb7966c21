/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../mkimage/data.h"
#include "../../mkimage/extlist.h"
#include "packer_files.h"

struct mica_build_opts opts;
struct mica_outfile out;
struct mica_spool *spool;
struct mica_packer *packer;
struct mica_packer_stats stats;
struct mica_err err;
struct file files[FILES_MAX];
size_t file_count;

static unsigned char *packed; /* what packed_read() decoded */

void start_image_at(const char *codec, uint32_t cluster, const char *compat, uint64_t base)
{
	opts = (struct mica_build_opts){.cluster = cluster, .memory = 64 * M, .jobs = 2};
	assert_int_equal(mica_codec_spec_parse(codec, &opts.codec, &err), 0);
	assert_int_equal(mica_compat_parse(compat, &opts.compat, &err), 0);
	out = (struct mica_outfile){.base = base};
	file_count = 0;
	memset(files, 0, sizeof(files));
	assert_int_equal(mica_spool_new("packer.img", &spool, &err), 0);
	assert_int_equal(mica_packer_new(&opts, &out, spool, &packer, &err), 0);
}

void start_image(const char *codec, uint32_t cluster, const char *compat)
{
	start_image_at(codec, cluster, compat, MICA_BLOCK);
}

static void packed_forget(void)
{
	free(packed);
	packed = NULL;
}

void end_image(void)
{
	packed_forget();
	mica_packer_free(packer);
	mica_spool_free(spool);
	free(out.buf);
	packer = NULL;
	spool = NULL;
	out = (struct mica_outfile){0};
}

int give_spans(const struct span *spans, size_t count)
{
	static unsigned char buf[77777];
	uint64_t off = 0;
	int ret = 0;

	for (size_t i = 0; !ret && i < count; off += spans[i++].len) {
		if (spans[i].kind == SPAN_HOLE) {
			ret = mica_packer_zeros(packer, spans[i].len, &err);
			continue;
		}
		for (uint64_t done = 0; !ret && done < spans[i].len;) {
			size_t n = mica_min(sizeof(buf), spans[i].len - done);

			content_fill(spans, count, off + done, buf, n);
			ret = mica_packer_write(packer, buf, n, &err);
			done += n;
		}
	}
	return ret ? ret : mica_packer_end(packer, &err);
}

int give_runs(const struct span *spans, size_t count, const struct mica_run *runs, size_t run_count)
{
	struct file *f = &files[file_count++];
	int ret;

	assert_true(file_count <= FILES_MAX);
	f->spans = spans;
	f->count = count;
	f->inode.mode = 0100644;
	ret = mica_packer_begin(packer, &f->inode, "", content_size(spans, count), runs, run_count,
				&err);
	return ret ? ret : give_spans(spans, count);
}

void give(const struct span *spans, size_t count)
{
	assert_int_equal(give_runs(spans, count, NULL, 0), 0);
}

/* As a sparse file: what is no hole is a run of data. */
void give_sparse(const struct span *spans, size_t count)
{
	struct mica_run runs[64];
	size_t run_count = 0;
	uint64_t off = 0;

	for (size_t i = 0; i < count; off += spans[i++].len)
		if (spans[i].kind != SPAN_HOLE)
			runs[run_count++] = (struct mica_run){off, spans[i].len};
	assert_int_equal(give_runs(spans, count, runs, run_count), 0);
}

/* Where one stored extent lies, and what it decodes to. */
struct place {
	const struct mica_data *data;
	struct mica_pext x;
	uint64_t la, pa;
};

static void compare(const struct file *f, uint64_t la, const unsigned char *got, uint64_t len)
{
	unsigned char want[4096];

	while (len) {
		size_t n = mica_min(len, sizeof(want));

		content_fill(f->spans, f->count, la, want, n);
		assert_memory_equal(got, want, n);
		la += n;
		got += n;
		len -= n;
	}
}

static void compare_zeros(const struct file *f, uint64_t la, uint64_t len)
{
	static const unsigned char zeros[4096];

	/* the ends are where mistakes are made */
	if (len > 4 * M) {
		compare_zeros(f, la, M);
		compare_zeros(f, la + len - M, M);
		return;
	}
	for (uint64_t i = 0; i < len; i += sizeof(zeros))
		compare(f, la + i, zeros, mica_min(len - i, sizeof(zeros)));
}

/* Encoded bytes at the end of whole blocks, or exactly len of them. */
static void decode(const struct mica_pext *x, const unsigned char *from, uint64_t len, bool padded,
		   unsigned char *got)
{
	static struct mica_codec *codec;
	uint64_t pad = 0;

	assert_non_null(from);
	assert_true(x->llen <= EROFS_EXTENT_MAX && len <= EROFS_PCLUSTER_MAX);
	while (padded && !from[pad])
		pad++;
	assert_true(pad < MICA_BLOCK && from[pad]);
	if (!codec)
		assert_int_equal(mica_decompressor_new(&codec, &err), 0);
	if (mica_decompress(codec, opts.codec.alg, got, x->llen, from + pad, len - pad, !x->partial,
			    &err))
		fail_msg("%s", err.msg);
}

static void compare_encoded(const struct file *f, const struct place *p, const unsigned char *from,
			    uint64_t len, bool padded)
{
	cleanup_free unsigned char *got = malloc(p->x.llen);

	assert_non_null(got);
	decode(&p->x, from, len, padded, got);
	compare(f, p->la, got, p->x.llen);
}

/*
 * What an index by blocks can say: one extent begins in a block, and one that is within a
 * single block takes one.
 */
static void lclusters_check(const struct mica_tinode *inode, const struct mica_pext *x, uint64_t la)
{
	uint64_t end = la + x->llen, entries;

	if (opts.compat.extents)
		return;
	entries = (end < inode->size ? end / MICA_BLOCK : mica_div_round_up(end, MICA_BLOCK)) -
		  la / MICA_BLOCK;
	assert_true(entries >= 1);
	if (entries == 1)
		assert_true(x->plen <= MICA_BLOCK);
}

/* The packed inode's bytes, all of them; to be freed. */
static unsigned char *packed_decode(void)
{
	const struct mica_tinode *inode = mica_packer_packed(packer);
	const struct mica_data *data = &inode->data;
	unsigned char *buf = calloc(1, inode->size);
	const struct mica_pext *x;
	struct mica_extreader r;
	uint64_t la = 0;
	int ret = 0;

	assert_non_null(buf);
	if (data->kind == MICA_DATA_FLAT) {
		memcpy(buf, fake_outfile_at(&out, data->start, inode->size - data->tail_len),
		       inode->size - data->tail_len);
		if (data->tail_len)
			tail_read(data, buf + inode->size - data->tail_len);
		return buf;
	}
	mica_extreader_start(&r, spool, data);
	while ((x = mica_extreader_next(&r, &ret, &err))) {
		assert_true(x->llen <= inode->size - la);
		lclusters_check(inode, x, la);
		if (x->plen && x->alg >= 0)
			decode(x, fake_outfile_at(&out, x->pstart, x->plen), x->plen,
			       !opts.compat.extents, buf + la);
		else if (x->plen)
			memcpy(buf + la, fake_outfile_at(&out, x->pstart, x->llen), x->llen);
		la += x->llen;
	}
	assert_int_equal(ret, 0);
	assert_int_equal(la, inode->size);
	return buf;
}

/* The same, borrowed: it is decoded once after everything is out. */
static const unsigned char *packed_read(void)
{
	if (!packed)
		packed = packed_decode();
	return packed;
}

/* From byte la on the file is in the packed inode. */
static void fragment_check(const struct file *f, uint64_t la)
{
	const struct mica_tinode *inode = mica_packer_packed(packer);

	assert_non_null(inode);
	assert_true(mica_range_in(f->inode.data.fragment, f->inode.size - la, inode->size));
	compare(f, la, packed_read() + f->inode.data.fragment, f->inode.size - la);
}

void tail_read(const struct mica_data *data, unsigned char *buf)
{
	assert_in_range(data->tail_len, 1, MICA_TAIL_MAX);
	assert_int_equal(mica_spool_read(spool, buf, data->tail_len, mica_extlist_tail(data), &err),
			 0);
}

/* Checks one extent and says what it is; moves p->pa behind it. */
static char extent_check(const struct file *f, struct place *p)
{
	const struct mica_data *data = p->data;
	unsigned char tail[MICA_TAIL_MAX];
	uint64_t stored = p->x.plen;
	bool blocks = data->kind == MICA_DATA_PCLUSTERS;
	char kind = 'P';

	if (!p->x.plen && p->x.alg < 0) {
		assert_true(data->kind != MICA_DATA_PCLUSTERS);
		compare_zeros(f, p->la, p->x.llen);
		return 'H';
	}
	if (!p->x.plen) {
		assert_true(blocks && data->flags & MICA_DATA_TAIL_ENCODED);
		tail_read(data, tail);
		compare_encoded(f, p, tail, data->tail_len, false);
		return 'T';
	}
	if (data->kind == MICA_DATA_CHUNK)
		stored = p->x.llen;
	if (p->x.alg >= 0) {
		compare_encoded(f, p, fake_outfile_at(&out, p->pa, stored), stored, blocks);
		kind = 'E';
	} else {
		assert_true(stored >= p->x.llen);
		assert_non_null(fake_outfile_at(&out, p->pa, stored));
		compare(f, p->la, fake_outfile_at(&out, p->pa, stored), p->x.llen);
	}
	p->pa += blocks ? mica_round_up(stored, MICA_BLOCK) : stored;
	return kind;
}

static void flat_check(const struct file *f, char *text, size_t len)
{
	const struct mica_data *data = &f->inode.data;
	uint64_t full = f->inode.size - data->tail_len;
	unsigned char tail[MICA_TAIL_MAX];

	assert_false(data->flags);
	if (full) {
		assert_int_equal(data->start % MICA_BLOCK, 0);
		assert_non_null(
			fake_outfile_at(&out, data->start, mica_round_up(full, MICA_BLOCK)));
		compare(f, 0, fake_outfile_at(&out, data->start, full), full);
	}
	if (data->tail_len) {
		assert_int_equal(full % MICA_BLOCK, 0);
		tail_read(data, tail);
		compare(f, full, tail, data->tail_len);
	}
	snprintf(text, len, "flat %" PRIu64 "+%u", full, data->tail_len);
}

static void list_check(const struct file *f, char *text, size_t len)
{
	const struct mica_data *data = &f->inode.data;
	struct place p = {.data = data};
	uint64_t stored = 0;
	const struct mica_pext *x;
	struct mica_extreader r;
	int ret = 0;

	mica_extreader_start(&r, spool, data);
	while ((x = mica_extreader_next(&r, &ret, &err))) {
		char kind;

		p.x = *x;
		p.pa = x->pstart;
		kind = extent_check(f, &p);
		if (data->kind == MICA_DATA_PCLUSTERS)
			lclusters_check(&f->inode, x, p.la);
		/* a part of what another file has stored */
		if (x->partial)
			kind = 'R';
		stored += p.pa - x->pstart;
		p.la += x->llen;
		if (strlen(text) + 40 < len)
			sprintf(text + strlen(text), " %c%" PRIu64, kind, x->llen);
		if (data->kind == MICA_DATA_CHUNK && p.la < f->inode.size)
			assert_int_equal(p.la % (1ull << data->lclusterbits), 0);
	}
	assert_int_equal(ret, 0);
	if (data->flags & MICA_DATA_TAIL_FRAGMENT) {
		assert_true(p.la < f->inode.size);
		fragment_check(f, p.la);
		if (strlen(text) + 40 < len)
			sprintf(text + strlen(text), " F%" PRIu64, f->inode.size - p.la);
		p.la = f->inode.size;
	}
	assert_int_equal(p.la, f->inode.size);
	assert_true((uint64_t)data->blocks * MICA_BLOCK >= stored);
}

/* How the file is stored, in words, after a look at every byte of it. */
const char *stored_as(const struct file *f)
{
	static char text[4096];
	const struct mica_data *data = &f->inode.data;

	text[0] = 0;
	switch (data->kind) {
	case MICA_DATA_NONE:
		assert_int_equal(f->inode.size, 0);
		return "none";
	case MICA_DATA_FLAT:
		flat_check(f, text, sizeof(text));
		return text;
	case MICA_DATA_FRAGMENT:
		fragment_check(f, 0);
		snprintf(text, sizeof(text), "fragment %" PRIu64, f->inode.size);
		return text;
	case MICA_DATA_CHUNK:
		snprintf(text, sizeof(text), "chunk %u:", data->lclusterbits);
		assert_in_range(data->lclusterbits, 12, 43);
		assert_int_equal(data->tail_len, 0);
		break;
	case MICA_DATA_PCLUSTERS:
		assert_false(opts.compat.extents);
		strcpy(text, "pclusters:");
		break;
	default:
		assert_int_equal(data->kind, MICA_DATA_EXTENTS);
		assert_true(opts.compat.extents);
		assert_int_equal(data->tail_len, 0);
		strcpy(text, "extents:");
	}
	list_check(f, text, sizeof(text));
	return text;
}

void finish(void)
{
	packed_forget();
	if (mica_packer_flush(packer, &err))
		fail_msg("%s", err.msg);
	mica_packer_result(packer, &stats);
}

void expect(size_t i, const char *text)
{
	assert_string_equal(stored_as(&files[i]), text);
}
