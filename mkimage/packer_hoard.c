/* SPDX-License-Identifier: MIT */
/* The hoard route: small files and tails, on their way into the packed inode. */
#include <string.h>

#include "../lib/util.h"
#include "packer_int.h"

#define LOOK_BYTES (512u << 10) /* of the hoard, looked at in one job */
#define LOOK_FILES 512u
#define HOARD_MIN  (4u << 20)
#define HOARD_MAX  (256u << 20)
#define EMPTY_PART 8u /* so much of a hoard comes in before the full one is emptied */
#define HOARD_PART 8u /* of the memory that may be used, for each of the two */

/* A file that is alone in the image is better off in its inode. */
#define PACKED_MIN MICA_BLOCK

int packer_hoard_init(struct mica_packer *p, struct mica_err *err)
{
	uint64_t want = p->opts->memory / HOARD_PART;
	uint32_t cap = (uint32_t)mica_max(mica_min(want, HOARD_MAX), HOARD_MIN);
	int ret = 0;

	p->hoard.cur = &p->hoard.hoards[0];
	for (unsigned int i = 0; !ret && i < 2; i++)
		ret = mica_hoard_init(&p->hoard.hoards[i], mica_max(cap, 2 * p->cluster_max), err);
	return ret;
}

static void segment_free(struct segment *s)
{
	if (!s)
		return;
	free(s->parts);
	free(s->cuts);
	free(s->in);
	free(s->out);
	free(s);
}

void packer_hoard_free(struct mica_packer *p)
{
	segment_free(p->hoard.seg);
	while (p->hoard.free) {
		struct segment *s = p->hoard.free;

		p->hoard.free = s->next_free;
		segment_free(s);
	}
	for (unsigned int i = 0; i < 2; i++)
		mica_hoard_free(&p->hoard.hoards[i]);
}

/* --- looking ------------------------------------------------------------------ */

void packer_hoard_digest_begin(struct mica_keyhash *h)
{
	static const uint8_t domain[] = "hoard";

	mica_keyhash_begin(h);
	mica_keyhash_add(h, domain, sizeof(domain));
}

int packer_hoard_digest(struct mica_keyhash *h, const unsigned char *data, uint32_t len,
			uint8_t out[MICA_DIGEST], struct mica_err *err)
{
	packer_hoard_digest_begin(h);
	mica_keyhash_add(h, data, len);
	return mica_keyhash_end(h, out, err);
}

int packer_hoard_look(struct mica_packer *p, struct packer_worker *w, struct hoard_look *look,
		      struct mica_err *err)
{
	int ret = 0;

	for (uint32_t i = look->first; !ret && i < look->end; i++) {
		struct mica_hoard_file *f = &look->hoard->files[i];
		const unsigned char *data = look->hoard->data + f->off;

		ret = packer_hoard_digest(w->hash, data, f->len, f->digest, err);
		mica_gear_sketch(&p->settings[0].gear, data, f->len, &f->sketch);
	}
	return ret;
}

/* Files that nobody was told to look at yet. */
static int look_submit(struct mica_packer *p, struct mica_err *err)
{
	struct hoard_look *look;

	if (p->hoard.looked == p->hoard.cur->count)
		return 0;
	look = calloc(1, sizeof(*look));
	if (!look)
		return mica_err_nomem(err);
	look->job.kind = JOB_HOARD;
	look->hoard = p->hoard.cur;
	look->first = p->hoard.looked;
	look->end = p->hoard.cur->count;
	p->hoard.looked = look->end;
	return packer_submit(p, look, err);
}

static int hoard_change(struct mica_packer *p, struct mica_err *err);
static int hoard_empty(struct mica_packer *p, struct mica_hoard *h, bool last,
		       struct mica_err *err);

/* --- gathering ---------------------------------------------------------------- */

int packer_hoard_begin(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	struct mica_hoard *h = p->hoard.cur;
	int ret = 0;

	if (!mica_hoard_fits(h, len))
		ret = hoard_change(p, err);
	h = p->hoard.cur;
	h->files[h->count] = (struct mica_hoard_file){
		.inode = p->inode,
		.off = h->used,
		.setting = p->set->number,
	};
	return ret;
}

void packer_hoard_add(struct mica_packer *p, const void *buf, size_t len)
{
	struct mica_hoard *h = p->hoard.cur;

	if (buf)
		memcpy(h->data + h->used, buf, len);
	else
		memset(h->data + h->used, 0, len);
	h->used += len;
}

int packer_hoard_end(struct mica_packer *p, struct mica_err *err)
{
	struct mica_hoard *h = p->hoard.cur;
	struct mica_hoard_file *f = &h->files[h->count++];

	f->len = (uint32_t)(h->used - f->off);
	if (p->hoard.full && h->used >= h->cap / EMPTY_PART) {
		int ret = hoard_empty(p, p->hoard.full, false, err);

		if (ret)
			return ret;
	}
	if (h->used - h->files[p->hoard.looked].off < LOOK_BYTES &&
	    h->count - p->hoard.looked < LOOK_FILES)
		return 0;
	return look_submit(p, err);
}

/* --- segments ----------------------------------------------------------------- */

static int segment_get(struct mica_packer *p, const struct mica_hoard *h, unsigned int setting,
		       struct mica_err *err)
{
	struct segment *s;

	pthread_mutex_lock(&p->free_lock);
	s = p->hoard.free;
	if (s)
		p->hoard.free = s->next_free;
	pthread_mutex_unlock(&p->free_lock);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return mica_err_nomem(err);
		s->job.kind = JOB_SEGMENT;
	}
	s->hoard = h;
	s->setting = (uint8_t)setting;
	s->la = p->hoard.size;
	s->len = 0;
	s->count = 0;
	s->cut_count = 0;
	s->several = !h->data;
	s->encode = false;
	p->hoard.seg = s;
	return 0;
}

void packer_segment_release(struct mica_packer *p, struct segment *s)
{
	pthread_mutex_lock(&p->free_lock);
	s->next_free = p->hoard.free;
	p->hoard.free = s;
	pthread_mutex_unlock(&p->free_lock);
}

static int segment_submit(struct mica_packer *p, bool last, struct mica_err *err)
{
	struct segment *s = p->hoard.seg;
	unsigned long under_way = mica_pipe_submitted(p->pipe);
	int ret = 0;

	if (!s)
		return 0;
	p->hoard.seg = NULL;
	s->last = last;
	s->plain_fits = !s->encode && packer_plain_fits(p, s->la, s->len, last);
	/* each is so much memory that there must not be more of them than workers, and one */
	if (s->several && under_way > p->worker_count)
		ret = mica_pipe_wait(p->pipe, under_way - p->worker_count, err);
	if (!ret)
		return packer_submit(p, s, err);
	packer_segment_release(p, s);
	return ret;
}

static int segment_part(struct mica_packer *p, const struct mica_hoard *h, unsigned int setting,
			uint64_t off, uint32_t len, struct mica_err *err)
{
	struct segment *s;
	int ret = p->hoard.seg ? 0 : segment_get(p, h, setting, err);

	if (ret)
		return ret;
	s = p->hoard.seg;
	if (s->count == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 64;
		struct segment_part *parts = reallocarray(s->parts, cap, sizeof(*parts));

		if (!parts)
			return mica_err_nomem(err);
		s->parts = parts;
		s->cap = cap;
	}
	s->parts[s->count++] = (struct segment_part){off, len};
	s->len += len;
	p->hoard.size += len;
	p->hoard.used = true;
	return 0;
}

static uint32_t segment_most(const struct mica_packer *p, const struct mica_hoard *h,
			     unsigned int setting)
{
	const struct packer_setting *set = &p->settings[setting];

	if (!h->data)
		return PACKER_SEGMENT_EXTENTS * set->extent;
	return (uint32_t)mica_min(set->how.cluster, set->extent_max);
}

/* Bytes that are not stored before. */
static int segment_new(struct mica_packer *p, const struct mica_hoard *h, unsigned int setting,
		       uint64_t off, uint32_t left, struct mica_err *err)
{
	uint32_t most = segment_most(p, h, setting);
	int ret = 0;

	while (!ret && left) {
		uint32_t used = p->hoard.seg ? p->hoard.seg->len : 0;
		uint32_t n = (uint32_t)mica_min(left, most - used);

		ret = segment_part(p, h, setting, off, n, err);
		off += n;
		left -= n;
		if (!ret && p->hoard.seg->len == most)
			ret = segment_submit(p, false, err);
	}
	return ret;
}

static int segment_repeat(struct mica_packer *p, const struct mica_repeat *what,
			  struct mica_err *err)
{
	struct repeat_job *r = calloc(1, sizeof(*r));

	if (!r)
		return mica_err_nomem(err);
	r->job.kind = JOB_REPEAT;
	r->what = *what;
	p->hoard.size += what->len;
	p->bytes_dup += what->len;
	return packer_submit(p, r, err);
}

static int segment_bytes(struct mica_packer *p, const struct mica_hoard *h, unsigned int setting,
			 uint64_t off, uint32_t len, struct mica_err *err)
{
	int ret = 0;

	if (h != &p->pile.hoard)
		return segment_new(p, h, setting, off, len, err);
	while (!ret && len) {
		const struct mica_repeat *repeat;
		bool begins;
		uint32_t n = packer_repeats_next(p, len, &repeat, &begins);

		if (begins)
			ret = segment_submit(p, false, err);
		if (!ret && repeat)
			ret = segment_repeat(p, repeat, err);
		else if (!ret)
			ret = segment_new(p, h, setting, off, n, err);
		off += n;
		len -= n;
	}
	return ret;
}

/*
 * A file's bytes behind those before it. A segment ends between two files where
 * that leaves it more than half full: reading a file then decodes one segment. Two blocks are
 * the least, since an extent must reach the next block of its file, and one that is within a
 * single block cannot say that it takes two.
 */
static int segment_file(struct mica_packer *p, const struct mica_hoard *h,
			const struct mica_hoard_file *f, struct mica_err *err)
{
	uint32_t most = segment_most(p, h, f->setting), left = f->len;
	struct segment *s = p->hoard.seg;
	int ret = 0;

	if (s && s->len + left > most && s->len > most / 2 && s->len >= 2 * MICA_BLOCK)
		ret = segment_submit(p, false, err);
	return ret ? ret : segment_bytes(p, h, f->setting, f->off, f->len, err);
}

/*
 * Before encoded extents, one must reach the next block: what follows begins at one. If that
 * is away in the image, the compact index can say so when the segment is long enough and has
 * one head.
 */
static int segment_pad(struct mica_packer *p, const struct mica_hoard *h, bool away,
		       struct mica_err *err)
{
	struct segment *s = p->hoard.seg;
	uint64_t end = p->hoard.size, la;
	unsigned int setting;
	uint32_t most;
	bool far;
	int ret = 0;

	if (p->opts->compat.extents || !s)
		return 0;
	setting = s->setting;
	most = segment_most(p, h, setting);
	far = away && most > MICA_EXTLIST_FAR + MICA_BLOCK;
	la = s->la;
	if (mica_round_up(end, MICA_BLOCK) - la > most) {
		/* one that is full has no room for zeros, which become the next one */
		ret = segment_submit(p, false, err);
		la = end;
		end += mica_min(2 * MICA_BLOCK, most - MICA_BLOCK);
	}
	if (far)
		end = mica_max(end, la + MICA_EXTLIST_FAR);
	end = mica_round_up(end, MICA_BLOCK);
	while (!ret && p->hoard.size < end)
		ret = segment_part(p, h, setting, SEGMENT_ZEROS,
				   (uint32_t)mica_min(end - p->hoard.size, MICA_BLOCK), err);
	if (!ret && far)
		p->hoard.seg->encode = true;
	return ret;
}

/* --- emptying ----------------------------------------------------------------- */

/* The end of a file can be nowhere but in the packed inode. */
static bool twin_fits(const struct mica_hoard_file *f)
{
	return !packer_twin_is_known(f->twin) || f->len == f->inode->size ||
	       f->twin->data.kind == MICA_DATA_FRAGMENT;
}

/* Same content, same place; the first one of them is stored. */
static int twins_find(struct mica_packer *p, struct mica_hoard *h, struct mica_err *err)
{
	int ret = 0;

	for (uint32_t i = 0; !ret && i < h->count; i++) {
		struct mica_hoard_file *f = &h->files[i];

		f->twin = mica_dedupe_find(p->dedupe, f->digest);
		if (f->twin && !twin_fits(f))
			f->twin = NULL;
		else if (f->twin)
			p->bytes_dup += f->len;
		else
			ret = mica_dedupe_add(p->dedupe, f->digest, f->inode, err);
	}
	return ret;
}

/* The whole file, or the end of one whose extents the back knows about. */
static void fragment_set(struct mica_hoard_file *f, uint64_t off)
{
	f->inode->data.fragment = off;
	if (f->len == f->inode->size)
		f->inode->data.kind = MICA_DATA_FRAGMENT;
}

/* Files that are compressed alike share segments. */
static int segments_make_setting(struct mica_packer *p, struct mica_hoard *h, uint32_t first,
				 unsigned int setting, struct mica_err *err)
{
	int ret = 0;

	for (uint32_t i = first; !ret && i != MICA_HOARD_END; i = h->files[i].next) {
		struct mica_hoard_file *f = &h->files[i];

		if (f->setting != setting)
			continue;
		if (p->hoard.seg && p->hoard.seg->setting != setting)
			ret = segment_pad(p, h, false, err);
		if (!ret && p->hoard.seg && p->hoard.seg->setting != setting)
			ret = segment_submit(p, false, err);
		if (ret)
			return ret;
		fragment_set(f, p->hoard.size);
		ret = segment_file(p, h, f, err);
	}
	return ret;
}

static int segments_make(struct mica_packer *p, struct mica_hoard *h, bool last,
			 struct mica_err *err)
{
	uint32_t first = MICA_HOARD_END;
	int ret = 0;

	if (p->later.now)
		first = mica_hoard_chain(h);
	else if (h == &p->pile.hoard)
		ret = packer_pile_order(p, &first, err);
	else
		first = mica_hoard_order(h);
	if (!ret && h == &p->pile.hoard)
		ret = packer_repeats_plan(p, h, first, err);

	for (unsigned int s = 0; !ret && s < p->setting_count; s++)
		ret = segments_make_setting(p, h, first, s, err);
	if (!ret && !last)
		ret = segment_pad(p, h, true, err);
	return ret ? ret : segment_submit(p, last, err);
}

/* So few bytes that a packed inode would not pay: each file keeps its own, inline. */
static int hoard_inline(struct mica_packer *p, struct mica_hoard *h, struct mica_err *err)
{
	unsigned char buf[PACKED_MIN];
	int ret = 0;

	for (uint32_t i = 0; !ret && i < h->count; i++) {
		struct mica_hoard_file *f = &h->files[i];

		if (f->twin)
			continue;
		f->inode->data.kind = MICA_DATA_FLAT;
		f->inode->data.tail_len = f->len;
		if (h->data)
			memcpy(buf, h->data + f->off, f->len);
		else
			ret = mica_spool_read(p->pile.spool, buf, f->len, f->off, err);
		if (!ret)
			ret = mica_spool_write(p->spool, buf, f->len, &f->inode->data.spool_off,
					       err);
	}
	return ret;
}

static bool hoard_is_small(const struct mica_packer *p, const struct mica_hoard *h)
{
	if (p->hoard.size || h->used > PACKED_MIN)
		return false;
	for (uint32_t i = 0; i < h->count; i++)
		if (h->files[i].len > MICA_TAIL_MAX || h->files[i].len != h->files[i].inode->size)
			return false;
	return true;
}

/* A file that has a twin is where the twin is. */
static void twin_follow(struct mica_packer *p, struct mica_hoard_file *f, bool is_inline)
{
	if (packer_twin_is_known(f->twin))
		packer_known_use(p, f->twin);
	if (f->len == f->inode->size && (is_inline || packer_twin_is_known(f->twin)))
		f->inode->data = f->twin->data;
	else
		fragment_set(f, f->twin->data.fragment);
}

int packer_hoard_store(struct mica_packer *p, struct mica_hoard *h, bool last, struct mica_err *err)
{
	bool is_inline = last && hoard_is_small(p, h);
	int ret = twins_find(p, h, err);

	if (!ret)
		ret = is_inline ? hoard_inline(p, h, err) : segments_make(p, h, last, err);
	for (uint32_t i = 0; !ret && i < h->count; i++)
		if (h->files[i].twin)
			twin_follow(p, &h->files[i], is_inline);
	return ret;
}

/* All of its files have been looked at, or are about to be. */
static int hoard_empty(struct mica_packer *p, struct mica_hoard *h, bool last, struct mica_err *err)
{
	unsigned long *ticket = &p->hoard.tickets[h - p->hoard.hoards];
	int ret = mica_pipe_wait(p->pipe, *ticket, err);

	if (!ret)
		ret = packer_hoard_store(p, h, last, err);
	*ticket = mica_pipe_submitted(p->pipe);
	p->hoard.full = NULL;
	return ret;
}

/* The other one fills up from now on. */
static int hoard_change(struct mica_packer *p, struct mica_err *err)
{
	struct mica_hoard *h = p->hoard.cur;
	unsigned int other = h == p->hoard.hoards;
	int ret = p->hoard.full ? hoard_empty(p, p->hoard.full, false, err) : 0;

	if (!ret)
		ret = look_submit(p, err);
	p->hoard.tickets[!other] = mica_pipe_submitted(p->pipe);
	if (!ret)
		ret = mica_pipe_wait(p->pipe, p->hoard.tickets[other], err);
	p->hoard.full = h;
	p->hoard.cur = &p->hoard.hoards[other];
	p->hoard.looked = 0;
	mica_hoard_clear(p->hoard.cur);
	return ret;
}

/* last: nothing comes behind it. */
static int hoards_flush(struct mica_packer *p, bool last, struct mica_err *err)
{
	struct mica_hoard *h = p->hoard.cur;
	int ret = 0;

	if (!h->count)
		return 0;
	ret = look_submit(p, err);
	p->hoard.tickets[h - p->hoard.hoards] = mica_pipe_submitted(p->pipe);
	if (!ret && p->hoard.full)
		ret = hoard_empty(p, p->hoard.full, false, err);
	return ret ? ret : hoard_empty(p, h, last, err);
}

/* No job reads what was in the hoards. */
static int hoards_reset(struct mica_packer *p, struct mica_err *err)
{
	int ret = mica_pipe_drain(p->pipe, err);

	for (unsigned int i = 0; !ret && i < 2; i++)
		mica_hoard_clear(&p->hoard.hoards[i]);
	p->hoard.looked = 0;
	return ret;
}

int packer_hoard_flush(struct mica_packer *p, bool last, struct mica_err *err)
{
	bool pile = p->pile.hoard.count > 0;
	int ret = hoards_flush(p, last && !pile, err);

	if (!ret && pile)
		ret = packer_pile_flush(p, last, err);
	return ret || last ? ret : hoards_reset(p, err);
}
