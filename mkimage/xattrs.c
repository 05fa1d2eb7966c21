/* SPDX-License-Identifier: MIT */
#include "xattrs.h"

#include <string.h>
#include <xxhash.h>

#include "../formats/erofs.h"
#include "../lib/keyhash.h"
#include "../lib/util.h"
#include "outfile.h"
#include "pool.h"

/*
 * Inline attributes beside which every inode and inline tail still fits into
 * one block; what is more goes to the shared area, also when nobody shares it.
 */
#define IBODY_MAX 448

#define NUMBERS_MAX (1u << 31) /* items and sets; far beyond any memory */

/* One (name, value) pair. */
struct item {
	uint8_t key[MICA_KEYHASH_LEN]; /* of full name and value */
	uint64_t spool_off;	       /* its erofs_xattr_entry_disk with name and value, padded */
	uint32_t size;		       /* bytes of that */
	uint32_t refs;		       /* inodes */
	uint32_t shared_id;	       /* in units of 4 bytes; valid when shared */
	uint8_t filter_bit;
	bool shared;
};

struct set {
	uint32_t first; /* in xattrs->members */
	uint32_t count;
	uint32_t refs; /* inodes */
};

struct mica_xattrs {
	struct mica_spool *spool;
	struct mica_keyhash *hash; /* keyed, so that nobody can choose what collides */
	uint64_t seed;		   /* for the same reason */
	struct item *items;
	uint64_t item_cap;
	uint32_t item_count;
	uint32_t set_count;
	struct set *sets; /* [0] is the empty set */
	uint64_t set_cap;
	uint32_t *members; /* item numbers of all sets, one set after another */
	uint64_t member_count, member_cap;
	uint32_t *item_table, *set_table; /* open addressing; 0: free, else number + 1 */
	uint32_t item_mask, set_mask;
};

static const struct {
	const char *prefix;
	uint8_t index;
	bool whole; /* the prefix is the whole name */
} prefixes[] = {
	{"user.", EROFS_XATTR_USER, false},
	{"system.posix_acl_access", EROFS_XATTR_ACL_ACCESS, true},
	{"system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT, true},
	{"trusted.", EROFS_XATTR_TRUSTED, false},
	{"security.", EROFS_XATTR_SECURITY, false},
};

/* The name index and the rest of the name; 0: no such prefix */
static uint8_t name_split(const char *name, const char **suffix)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i].prefix);

		if (strncmp(name, prefixes[i].prefix, len))
			continue;
		if (prefixes[i].whole ? name[len] != 0 : name[len] == 0)
			continue;
		*suffix = name + len;
		return prefixes[i].index;
	}
	return 0;
}

const char *mica_xattrs_refuse(const struct mica_kv *kv)
{
	const char *suffix;

	if (!name_split(kv->name, &suffix))
		return "EROFS has no such name space";
	if (strlen(suffix) > 255)
		return "its name is longer than 255 bytes";
	if (kv->len > 65535)
		return "its value is longer than 65,535 bytes";
	return NULL;
}

static int xattrs_init(struct mica_xattrs *x, struct mica_err *err)
{
	uint8_t key[MICA_KEYHASH_KEY];
	int ret = mica_keyhash_key(key, err);

	if (!ret)
		ret = mica_keyhash_new(key, &x->hash, err);
	if (!ret)
		ret = mica_keyhash_key(key, err);
	if (ret)
		return ret;
	memcpy(&x->seed, key, sizeof(x->seed));
	x->item_mask = x->set_mask = 1023;
	x->item_table = calloc(x->item_mask + 1, sizeof(uint32_t));
	x->set_table = calloc(x->set_mask + 1, sizeof(uint32_t));
	x->set_cap = 256;
	x->sets = calloc(x->set_cap, sizeof(*x->sets));
	x->set_count = 1;
	return x->item_table && x->set_table && x->sets ? 0 : mica_err_nomem(err);
}

int mica_xattrs_new(struct mica_spool *spool, struct mica_xattrs **out, struct mica_err *err)
{
	struct mica_xattrs *x = calloc(1, sizeof(*x));
	int ret;

	if (!x)
		return mica_err_nomem(err);
	x->spool = spool;
	ret = xattrs_init(x, err);
	if (ret) {
		mica_xattrs_free(x);
		return ret;
	}
	*out = x;
	return 0;
}

void mica_xattrs_free(struct mica_xattrs *x)
{
	if (!x)
		return;
	mica_keyhash_free(x->hash);
	free(x->items);
	free(x->sets);
	free(x->members);
	free(x->item_table);
	free(x->set_table);
	free(x);
}

/* Room for one more element in a growing array. */
static int array_reserve(void *array, uint64_t count, uint64_t *cap, size_t size,
			 struct mica_err *err)
{
	uint64_t want = *cap ? *cap * 2 : 256;
	void *v;

	if (count < *cap)
		return 0;
	if (count >= NUMBERS_MAX)
		return mica_err_set(err, MICA_E_LIMIT, "more than %u extended attributes",
				    NUMBERS_MAX);
	v = reallocarray(*(void **)array, want, size);
	if (!v)
		return mica_err_nomem(err);
	*(void **)array = v;
	*cap = want;
	return 0;
}

static uint32_t *item_probe(struct mica_xattrs *x, const uint8_t key[MICA_KEYHASH_LEN])
{
	uint32_t h;

	memcpy(&h, key, sizeof(h));
	while (x->item_table[h & x->item_mask] &&
	       memcmp(x->items[x->item_table[h & x->item_mask] - 1].key, key, MICA_KEYHASH_LEN))
		h++;
	return &x->item_table[h & x->item_mask];
}

static int item_table_grow(struct mica_xattrs *x, struct mica_err *err)
{
	uint32_t mask = x->item_mask * 2 + 1;
	uint32_t *table;

	if (x->item_count < x->item_mask / 4 * 3)
		return 0;
	table = calloc((size_t)mask + 1, sizeof(*table));
	if (!table)
		return mica_err_nomem(err);
	free(x->item_table);
	x->item_table = table;
	x->item_mask = mask;
	for (uint32_t i = 0; i < x->item_count; i++)
		*item_probe(x, x->items[i].key) = i + 1;
	return 0;
}

static uint64_t entry_size(size_t name_len, size_t len)
{
	return mica_round_up(sizeof(struct erofs_xattr_entry_disk) + name_len + len,
			     EROFS_XATTR_ALIGN);
}

/* The pair as it will stand on disk, into the spool. */
static int item_spool(struct mica_xattrs *x, const struct mica_kv *kv, struct item *item,
		      struct mica_err *err)
{
	const char *suffix = "";
	uint8_t index = name_split(kv->name, &suffix);
	size_t name_len = strlen(suffix);
	struct erofs_xattr_entry_disk head = {
		.name_len = (uint8_t)name_len,
		.name_index = index,
		.value_size = le16_make((uint16_t)kv->len),
	};
	size_t size = entry_size(name_len, kv->len);
	cleanup_free unsigned char *buf = calloc(1, size);

	if (!buf)
		return mica_err_nomem(err);
	memcpy(buf, &head, sizeof(head));
	memcpy(buf + sizeof(head), suffix, name_len);
	if (kv->len)
		memcpy(buf + sizeof(head) + name_len, kv->value, kv->len);
	item->size = (uint32_t)size;
	item->filter_bit = XXH32(suffix, name_len, EROFS_XATTR_FILTER_SEED + index) & 31;
	return mica_spool_write(x->spool, buf, size, &item->spool_off, err);
}

static int item_key(struct mica_xattrs *x, const struct mica_kv *kv, uint8_t key[MICA_KEYHASH_LEN],
		    struct mica_err *err)
{
	mica_keyhash_begin(x->hash);
	mica_keyhash_add(x->hash, kv->name, strlen(kv->name) + 1);
	mica_keyhash_add(x->hash, kv->value, kv->len);
	return mica_keyhash_end(x->hash, key, err);
}

static int item_intern(struct mica_xattrs *x, const struct mica_kv *kv, uint32_t *number,
		       struct mica_err *err)
{
	uint8_t key[MICA_KEYHASH_LEN];
	uint32_t *slot;
	int ret = item_key(x, kv, key, err);

	if (!ret)
		ret = item_table_grow(x, err);
	if (!ret)
		ret = array_reserve(&x->items, x->item_count, &x->item_cap, sizeof(*x->items), err);
	if (ret)
		return ret;
	slot = item_probe(x, key);
	if (!*slot) {
		struct item *item = &x->items[x->item_count];

		*item = (struct item){0};
		memcpy(item->key, key, sizeof(key));
		ret = item_spool(x, kv, item, err);
		if (ret)
			return ret;
		*slot = ++x->item_count;
	}
	*number = *slot - 1;
	return 0;
}

static uint32_t *set_probe(struct mica_xattrs *x, const uint32_t *members, uint32_t count)
{
	uint64_t h = XXH3_64bits_withSeed(members, count * sizeof(*members), x->seed);

	for (;; h++) {
		uint32_t *slot = &x->set_table[h & x->set_mask];
		const struct set *s = &x->sets[*slot];

		if (!*slot || (s->count == count &&
			       !memcmp(x->members + s->first, members, count * sizeof(*members))))
			return slot;
	}
}

static int set_table_grow(struct mica_xattrs *x, struct mica_err *err)
{
	uint32_t mask = x->set_mask * 2 + 1;
	uint32_t *table;

	if (x->set_count < x->set_mask / 4 * 3)
		return 0;
	table = calloc((size_t)mask + 1, sizeof(*table));
	if (!table)
		return mica_err_nomem(err);
	free(x->set_table);
	x->set_table = table;
	x->set_mask = mask;
	for (uint32_t i = 1; i < x->set_count; i++) {
		const struct set *s = &x->sets[i];

		*set_probe(x, x->members + s->first, s->count) = i;
	}
	return 0;
}

static int set_intern(struct mica_xattrs *x, const uint32_t *members, uint32_t count, uint32_t *id,
		      struct mica_err *err)
{
	uint32_t *slot;
	int ret = set_table_grow(x, err);

	if (!ret)
		ret = array_reserve(&x->sets, x->set_count, &x->set_cap, sizeof(*x->sets), err);
	if (ret)
		return ret;
	slot = set_probe(x, members, count);
	if (!*slot) {
		uint32_t first = (uint32_t)x->member_count;

		for (uint32_t i = 0; i < count; i++) {
			ret = array_reserve(&x->members, x->member_count, &x->member_cap,
					    sizeof(*x->members), err);
			if (ret)
				return ret;
			x->members[x->member_count++] = members[i];
		}
		x->sets[x->set_count] = (struct set){.first = first, .count = count};
		*slot = x->set_count++;
	}
	*id = *slot;
	return 0;
}

static int kv_compare(const void *a, const void *b)
{
	return strcmp((*(const struct mica_kv *const *)a)->name,
		      (*(const struct mica_kv *const *)b)->name);
}

/* Whatever is shared in the end, the set must fit behind an inode. */
static int set_check(const struct mica_kv *kvs, size_t count, struct mica_err *err)
{
	uint64_t size = sizeof(struct erofs_xattr_ibody_disk);

	if (count <= MICA_XATTRS_SHARED_MAX)
		return 0;
	for (size_t i = 0; i < count && size <= MICA_XATTRS_BYTES_MAX; i++) {
		const char *suffix = "";

		name_split(kvs[i].name, &suffix);
		size += entry_size(strlen(suffix), kvs[i].len);
	}
	if (size <= MICA_XATTRS_BYTES_MAX)
		return 0;
	return mica_err_set(err, MICA_E_LIMIT,
			    "%zu extended attributes are more than %u, and more than %u bytes",
			    count, MICA_XATTRS_SHARED_MAX, MICA_XATTRS_BYTES_MAX);
}

int mica_xattrs_intern(struct mica_xattrs *x, const struct mica_kv *kvs, size_t count, uint32_t *id,
		       struct mica_err *err)
{
	cleanup_free const struct mica_kv **sorted = NULL;
	cleanup_free uint32_t *members = NULL;
	int ret;

	*id = 0;
	if (!count)
		return 0;
	ret = set_check(kvs, count, err);
	if (ret)
		return ret;
	sorted = calloc(count, sizeof(*sorted));
	members = calloc(count, sizeof(*members));
	if (!sorted || !members)
		return mica_err_nomem(err);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &kvs[i];
	qsort(sorted, count, sizeof(*sorted), kv_compare);
	for (size_t i = 0; i < count; i++) {
		ret = item_intern(x, sorted[i], &members[i], err);
		if (ret)
			return mica_err_wrap(err, "%s", sorted[i]->name);
	}
	return set_intern(x, members, (uint32_t)count, id, err);
}

int mica_xattrs_equal(struct mica_xattrs *x, uint32_t id, const struct mica_kv *kvs, size_t count,
		      bool *equal, struct mica_err *err)
{
	const struct set *s = &x->sets[id];
	cleanup_free bool *seen = calloc(count + 1, sizeof(*seen));
	uint8_t key[MICA_KEYHASH_LEN];
	uint32_t at = 0;

	if (!seen)
		return mica_err_nomem(err);
	*equal = count == s->count;
	for (size_t i = 0; *equal && i < count; i++) {
		uint32_t tried = 0;
		int ret = item_key(x, &kvs[i], key, err);

		if (ret)
			return ret;
		/* mostly the one behind the last one */
		for (; tried < s->count; tried++, at++) {
			if (at >= s->count)
				at = 0;
			if (!memcmp(x->items[x->members[s->first + at]].key, key, sizeof(key)))
				break;
		}
		*equal = tried < s->count && !seen[at];
		if (*equal)
			seen[at++] = true;
	}
	return 0;
}

void mica_xattrs_ref(struct mica_xattrs *x, uint32_t id)
{
	x->sets[id].refs++;
}

/*
 * Set by set: make the largest inline members shared until the rest fits beside a
 * tail. A set of more than can be shared takes the room that it takes.
 */
static void set_fit(struct mica_xattrs *x, const struct set *s)
{
	const uint32_t *members = x->members + s->first;
	uint64_t size = sizeof(struct erofs_xattr_ibody_disk);

	if (s->count > MICA_XATTRS_SHARED_MAX)
		return;
	for (uint32_t i = 0; i < s->count; i++)
		size += x->items[members[i]].shared ? sizeof(le32) : x->items[members[i]].size;
	while (size > IBODY_MAX) {
		struct item *largest = NULL;

		for (uint32_t i = 0; i < s->count; i++) {
			struct item *item = &x->items[members[i]];

			if (!item->shared && (!largest || item->size > largest->size))
				largest = item;
		}
		if (!largest)
			return;
		largest->shared = true;
		size -= largest->size - sizeof(le32);
	}
}

void mica_xattrs_place(struct mica_xattrs *x, uint64_t *bytes)
{
	uint64_t pos = 0;

	for (uint32_t i = 1; i < x->set_count; i++) {
		const struct set *s = &x->sets[i];

		for (uint32_t k = 0; k < s->count; k++)
			x->items[x->members[s->first + k]].refs += s->refs;
	}
	for (uint32_t i = 0; i < x->item_count; i++) {
		struct item *item = &x->items[i];
		uint64_t inline_cost = (uint64_t)item->refs * item->size;

		item->shared = inline_cost > item->size + (uint64_t)item->refs * sizeof(le32);
	}
	for (uint32_t i = 1; i < x->set_count; i++)
		if (x->sets[i].refs)
			set_fit(x, &x->sets[i]);
	for (uint32_t i = 0; i < x->item_count; i++) {
		if (!x->items[i].shared || !x->items[i].refs)
			continue;
		x->items[i].shared_id = (uint32_t)(pos / EROFS_XATTR_ALIGN);
		pos += x->items[i].size;
	}
	*bytes = pos;
}

static int item_read(struct mica_xattrs *x, const struct item *item, unsigned char *buf,
		     struct mica_err *err)
{
	return mica_spool_read(x->spool, buf, item->size, item->spool_off, err);
}

/* A pair as it came, from what stands in the spool. */
static int item_kv(struct mica_xattrs *x, const struct item *item, struct mica_pool *pool,
		   struct mica_kv *kv, struct mica_err *err)
{
	struct erofs_xattr_entry_disk head;
	unsigned char *buf = mica_pool_alloc(pool, item->size);
	const char *prefix = "", *suffix;
	int ret = buf ? item_read(x, item, buf, err) : mica_err_nomem(err);

	if (ret)
		return ret;
	memcpy(&head, buf, sizeof(head));
	suffix = (const char *)buf + sizeof(head);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (prefixes[i].index == head.name_index)
			prefix = prefixes[i].prefix;
	kv->len = le16_get(head.value_size);
	kv->value = buf + sizeof(head) + head.name_len;
	kv->name = mica_pool_alloc(pool, strlen(prefix) + head.name_len + 1);
	if (!kv->name)
		return mica_err_nomem(err);
	memcpy(stpcpy(kv->name, prefix), suffix, head.name_len);
	kv->name[strlen(prefix) + head.name_len] = '\0';
	return 0;
}

int mica_xattrs_list(struct mica_xattrs *x, uint32_t id, struct mica_pool *pool,
		     struct mica_kv **kvs, size_t *count, struct mica_err *err)
{
	const struct set *s = &x->sets[id];
	struct mica_kv *v = mica_pool_alloc(pool, (s->count + 1) * sizeof(*v));
	int ret = v ? 0 : mica_err_nomem(err);

	for (uint32_t i = 0; !ret && i < s->count; i++)
		ret = item_kv(x, &x->items[x->members[s->first + i]], pool, &v[i], err);
	if (ret)
		return ret;
	*kvs = v;
	*count = s->count;
	return 0;
}

int mica_xattrs_write_shared(struct mica_xattrs *x, const struct mica_outlet *to,
			     struct mica_err *err)
{
	cleanup_free unsigned char *buf = malloc(65536 + 512);

	if (!buf)
		return mica_err_nomem(err);
	for (uint32_t i = 0; i < x->item_count; i++) {
		const struct item *item = &x->items[i];
		int ret;

		if (!item->shared || !item->refs)
			continue;
		ret = item_read(x, item, buf, err);
		if (!ret)
			ret = to->write(to->ctx, buf, item->size, err);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * How many of the set's members the inode names by id: the first ones of those
 * that are shared. Others are inline, even if they are in the shared area as well.
 */
static uint32_t set_shared(const struct mica_xattrs *x, const struct set *s)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->count; i++)
		count += x->items[x->members[s->first + i]].shared;
	return mica_min(count, MICA_XATTRS_SHARED_MAX);
}

uint32_t mica_xattrs_ibody_size(const struct mica_xattrs *x, uint32_t id)
{
	const struct set *s = &x->sets[id];
	uint32_t shared = set_shared(x, s);
	uint32_t size = sizeof(struct erofs_xattr_ibody_disk) + shared * (uint32_t)sizeof(le32);

	if (!id)
		return 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct item *item = &x->items[x->members[s->first + i]];

		if (item->shared && shared)
			shared--;
		else
			size += item->size;
	}
	return size;
}

int mica_xattrs_ibody_encode(struct mica_xattrs *x, uint32_t id, unsigned char *buf,
			     struct mica_err *err)
{
	const struct set *s = &x->sets[id];
	const uint32_t *members = x->members + s->first;
	uint32_t shared = set_shared(x, s);
	struct erofs_xattr_ibody_disk head = {.shared_count = (uint8_t)shared};
	uint32_t filter = UINT32_MAX;
	size_t id_pos = sizeof(head), pos = sizeof(head) + shared * sizeof(le32);

	if (!id)
		return 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct item *item = &x->items[members[i]];
		le32 ref = le32_make(item->shared_id);
		int ret;

		filter &= ~(1u << item->filter_bit);
		if (item->shared && shared) {
			memcpy(buf + id_pos, &ref, sizeof(ref));
			id_pos += sizeof(ref);
			shared--;
			continue;
		}
		ret = item_read(x, item, buf + pos, err);
		if (ret)
			return ret;
		pos += item->size;
	}
	head.name_filter = le32_make(filter);
	memcpy(buf, &head, sizeof(head));
	return 0;
}
