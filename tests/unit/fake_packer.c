/* SPDX-License-Identifier: MIT */
#include "fake_packer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_item *item_new(struct mica_packer *p, struct mica_tinode *inode, uint64_t size)
{
	struct fake_item *item;

	/* one file after another */
	assert(!p->count || p->items[p->count - 1].ended);
	/* until it is freed the packer may write to the inode */
	assert(inode->pinned);
	p->items = realloc(p->items, (p->count + 1) * sizeof(*p->items));
	item = &p->items[p->count++];
	*item = (struct fake_item){.inode = inode, .size = size};
	item->bytes = malloc(size + 1);
	memset(item->bytes, '~', size);
	item->bytes[size] = '\0';
	return item;
}

int mica_packer_begin(struct mica_packer *p, struct mica_tinode *inode, const char *path,
		      uint64_t size, const struct mica_run *runs, size_t run_count,
		      struct mica_err *err)
{
	struct fake_item *item = item_new(p, inode, size);

	(void)path;
	(void)err;
	item->has_runs = runs;
	item->run_count = run_count;
	return 0;
}

static struct fake_item *item_open(struct mica_packer *p, uint64_t len)
{
	struct fake_item *item = &p->items[p->count - 1];

	assert(p->count && !item->ended && len && len <= item->size - item->written);
	item->written += len;
	return item;
}

int mica_packer_write(struct mica_packer *p, const void *buf, size_t len, struct mica_err *err)
{
	struct fake_item *item = item_open(p, len);

	(void)err;
	memcpy(item->bytes + item->written - len, buf, len);
	return 0;
}

int mica_packer_zeros(struct mica_packer *p, uint64_t len, struct mica_err *err)
{
	(void)err;
	item_open(p, len);
	return 0;
}

int mica_packer_end(struct mica_packer *p, struct mica_err *err)
{
	struct fake_item *item = &p->items[p->count - 1];

	(void)err;
	assert(p->count && !item->ended && item->written == item->size);
	item->ended = true;
	return 0;
}

int mica_packer_symlink(struct mica_packer *p, struct mica_tinode *inode, const char *target,
			size_t len, struct mica_err *err)
{
	struct fake_item *item = item_new(p, inode, len);

	(void)err;
	assert(len >= 1 && len <= 4095);
	memcpy(item->bytes, target, len);
	item->symlink = item->ended = true;
	return 0;
}

int mica_packer_scratch_write(struct mica_packer *p, const void *buf, size_t len, uint64_t *off,
			      struct mica_err *err)
{
	(void)err;
	/* offsets are not what one would guess */
	if (p->scratch_len + len + 7 > p->scratch_cap) {
		p->scratch_cap = 2 * (p->scratch_len + len + 7);
		p->scratch = realloc(p->scratch, p->scratch_cap);
	}
	memset(p->scratch + p->scratch_len, '#', 7);
	*off = p->scratch_len + 7;
	memcpy(p->scratch + *off, buf, len);
	p->scratch_len += len + 7;
	return 0;
}

int mica_packer_scratch_read(struct mica_packer *p, void *buf, size_t len, uint64_t off,
			     struct mica_err *err)
{
	(void)err;
	assert(off + len <= p->scratch_len);
	memcpy(buf, p->scratch + off, len);
	if (p->scratch_forgets)
		((char *)buf)[len / 2] ^= 1;
	return 0;
}

const struct fake_item *fake_packer_find(const struct mica_packer *p,
					 const struct mica_tinode *inode)
{
	for (size_t i = p->count; i--;)
		if (p->items[i].inode == inode)
			return &p->items[i];
	return NULL;
}

void fake_packer_free(struct mica_packer *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->items[i].bytes);
	free(p->items);
	free(p->scratch);
	*p = (struct mica_packer){0};
}

const char *mica_xattrs_refuse(const struct mica_kv *kv)
{
	return strncmp(kv->name, "bad.", 4) ? NULL : "unknown prefix";
}

int mica_xattrs_intern(struct mica_xattrs *x, const struct mica_kv *kvs, size_t count, uint32_t *id,
		       struct mica_err *err)
{
	char *set = NULL;
	size_t len;
	FILE *f;

	assert(count);
	if (!strcmp(kvs[0].name, "user.toomany"))
		return mica_err_set(err, MICA_E_LIMIT, "too many");
	f = open_memstream(&set, &len);
	for (size_t i = 0; i < count; i++)
		fprintf(f, "%s%s=%.*s", i ? "," : "", kvs[i].name, (int)kvs[i].len,
			(const char *)kvs[i].value);
	fclose(f);
	for (*id = 1; *id <= x->count; ++*id) {
		if (strcmp(x->sets[*id - 1], set))
			continue;
		free(set);
		return 0;
	}
	x->sets = realloc(x->sets, ++x->count * sizeof(*x->sets));
	x->sets[x->count - 1] = set;
	return 0;
}

void fake_xattrs_free(struct mica_xattrs *x)
{
	for (size_t i = 0; i < x->count; i++)
		free(x->sets[i]);
	free(x->sets);
	*x = (struct mica_xattrs){0};
}
