/* SPDX-License-Identifier: MIT */
/*
 * Stored bytes and who they belong to. Sharing is declared by the same start
 * and length, by PARTIAL_REF on one start, by chunks, or for all plain data of an
 * image that has the feature of sharing; always plain with plain and encoded with
 * encoded. Any other overlap means that two structures fight for the same bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check_priv.h"
#include "util.h"

static int span_compare(const void *pa, const void *pb)
{
	const struct check_span *a = pa, *b = pb;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->len != b->len)
		return a->len > b->len ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->partial != b->partial)
		return a->partial ? 1 : -1;
	if (a->llen != b->llen)
		return a->llen > b->llen ? -1 : 1;
	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return a->la < b->la ? -1 : a->la > b->la;
}

/* Nothing that b says is not said by a, its neighbour in the order. */
static bool span_covered(const struct check_span *a, const struct check_span *b)
{
	return a->kind != CHECK_SPAN_META && a->device == b->device && a->start == b->start &&
	       a->len == b->len && a->kind == b->kind && a->alg == b->alg &&
	       a->partial == b->partial && (a->llen == b->llen || a->partial);
}

static void spans_compact(struct check_spans *spans)
{
	size_t kept = 0;

	if (!spans->count)
		return;
	qsort(spans->list, spans->count, sizeof(*spans->list), span_compare);
	for (size_t i = 1; i < spans->count; i++)
		if (!span_covered(&spans->list[kept], &spans->list[i]))
			spans->list[++kept] = spans->list[i];
	spans->count = kept + 1;
}

/* Chunks that follow one another, an inline tail behind its inode: one span. */
static bool span_extend(struct check_span *last, const struct check_span *next)
{
	if (last->owner != next->owner || last->kind != next->kind ||
	    last->device != next->device || last->start + last->len != next->start)
		return false;
	if (next->llen || last->llen || next->kind == CHECK_SPAN_XATTR)
		return false;
	if (next->kind != CHECK_SPAN_META && last->la + last->len != next->la)
		return false;
	last->len += next->len;
	return true;
}

int mica_check_span_add(struct check *c, const struct check_span *span, struct mica_err *err)
{
	struct check_spans *s = &c->spans;

	if (!span->len || (s->count && span_extend(&s->list[s->count - 1], span)))
		return 0;
	if (s->count == s->cap) {
		/* files that share everything shrink here, before memory is asked for */
		spans_compact(s);
		if (s->count >= s->cap / 2) {
			size_t cap = s->cap ? s->cap * 2 : 256;
			struct check_span *list = realloc(s->list, cap * sizeof(*list));

			if (!list)
				return mica_err_nomem(err);
			s->list = list;
			s->cap = cap;
		}
	}
	s->list[s->count++] = *span;
	return 0;
}

static const char *span_name(const struct check_span *s)
{
	static const char *const names[] = {"metadata", "a shared xattr", "data", "chunks",
					    "a pcluster"};

	return s->owner == CHECK_NO_ROW ? "superblock" : names[s->kind];
}

static bool span_is_meta(const struct check_span *s)
{
	return s->kind == CHECK_SPAN_META || s->kind == CHECK_SPAN_XATTR;
}

/* Its stored bytes are the file's bytes. */
static bool span_is_plain(const struct check_span *s)
{
	return s->kind == CHECK_SPAN_FLAT || s->kind == CHECK_SPAN_CHUNK ||
	       (s->kind == CHECK_SPAN_ENCODED && s->alg == EROFS_ALG_MAX);
}

/*
 * Files may be made of pieces of others, and of what was stored behind these: plain data
 * overlap anyhow then. On a device, what its own image shares is shared here.
 */
static bool plain_shared(const struct check *c, const struct check_span *a,
			 const struct check_span *b)
{
	return (c->sb->feature_incompat & EROFS_INCOMPAT_FRAGMENTS || a->device) &&
	       span_is_plain(a) && span_is_plain(b);
}

/* a and b overlap, a starts no later */
static bool overlap_declared(const struct check *c, const struct check_span *a,
			     const struct check_span *b)
{
	bool equal = a->start == b->start && a->len == b->len;

	if (span_is_meta(a) || span_is_meta(b))
		return equal && a->kind == CHECK_SPAN_XATTR && b->kind == CHECK_SPAN_XATTR;
	if (span_is_plain(a) != span_is_plain(b))
		return false;
	if (equal || (a->start == b->start && (a->partial || b->partial)) || plain_shared(c, a, b))
		return true;
	return a->kind == CHECK_SPAN_CHUNK || b->kind == CHECK_SPAN_CHUNK;
}

static void overlap_tell(struct check *c, const struct check_span *a, const struct check_span *b)
{
	char whose[48] = "";

	/* the data is more likely wrong than the metadata that led to it */
	if (span_is_meta(b) && a->owner != CHECK_NO_ROW) {
		const struct check_span *swap = a;

		a = b;
		b = swap;
	}
	if (a->owner != CHECK_NO_ROW)
		snprintf(whose, sizeof(whose), " of nid %" PRIu64, c->rows[a->owner].nid);
	mica_check_fail(c, "extent", b->owner, b->start,
			"bytes 0x%" PRIx64 "..0x%" PRIx64 " (%s%s) overlap 0x%" PRIx64
			"..0x%" PRIx64 " (%s%s)",
			b->start, b->start + b->len - 1, span_name(b),
			b->device == CHECK_METABOX ? ", in the metabox" : "", a->start,
			a->start + a->len - 1, span_name(a), whose);
}

/* Two references to one pcluster must agree on what it decodes to. */
static bool pcluster_agrees(struct check *c, const struct check_span *a, const struct check_span *b)
{
	if (a->kind != CHECK_SPAN_ENCODED || b->kind != CHECK_SPAN_ENCODED || a->start != b->start)
		return true;
	if (a->alg != b->alg) {
		mica_check_fail(c, "extent", b->owner, b->start,
				"pcluster has algorithm %u, for nid %" PRIu64 " it is %u", b->alg,
				c->rows[a->owner].nid, a->alg);
		return false;
	}
	if (a->partial || plain_shared(c, a, b) ||
	    (b->partial ? b->llen <= a->llen : b->llen == a->llen))
		return true;
	mica_check_fail(c, "extent", b->owner, b->start,
			"pcluster decodes to %" PRIu32 " bytes, for nid %" PRIu64 " to %" PRIu32,
			b->llen, c->rows[a->owner].nid, a->llen);
	return false;
}

/* Data that starts where earlier data was read: only what is new is read. */
static void span_todo(struct check_span *s, uint64_t *read_end)
{
	if (s->llen && s->alg != EROFS_ALG_MAX) {
		s->todo = true;
		return;
	}
	if (s->kind == CHECK_SPAN_META || s->kind == CHECK_SPAN_XATTR)
		return;
	if (s->kind == CHECK_SPAN_ENCODED)
		s->todo = s->start >= *read_end;
	else if (s->start + s->len > *read_end)
		s->todo = true;
	if (s->todo && s->kind != CHECK_SPAN_ENCODED && s->start < *read_end) {
		uint64_t known = *read_end - s->start;

		s->start += known;
		s->len -= known;
		s->la += known;
	}
	*read_end = mica_max(*read_end, s->start + s->len);
}

static bool span_overlaps(const struct check_span *a, const struct check_span *b)
{
	return a->len && a->device == b->device && b->start < a->start + a->len;
}

/* b against what reaches farthest; false: an error. known: its pcluster came before */
static bool span_check(struct check *c, const struct check_span far[2], const struct check_span *b,
		       bool *known)
{
	*known = false;
	for (int k = 0; k < 2; k++) {
		const struct check_span *a = &far[k];

		if (!span_overlaps(a, b))
			continue;
		if (!overlap_declared(c, a, b)) {
			overlap_tell(c, a, b);
			return false;
		}
		if (!pcluster_agrees(c, a, b))
			return false;
		if (b->kind == CHECK_SPAN_ENCODED && a->start == b->start)
			*known = true;
	}
	return true;
}

/*
 * One sweep. Of the spans so far only the one that reaches farthest can still
 * overlap; chunks are followed apart, since among themselves they may overlap.
 */
void mica_check_overlaps(struct check *c)
{
	struct check_span far[2] = {0};
	uint64_t read_end = 0;
	uint32_t device = 0;

	spans_compact(&c->spans);
	for (size_t i = 0; i < c->spans.count; i++) {
		struct check_span *b = &c->spans.list[i];
		struct check_span *mine = &far[b->kind == CHECK_SPAN_CHUNK];
		bool known, good = span_check(c, far, b, &known);

		if (!span_overlaps(mine, b) || b->start + b->len > mine->start + mine->len)
			*mine = *b;
		if (b->device != device)
			read_end = 0;
		device = b->device;
		if (good && !known)
			span_todo(b, &read_end);
	}
}
