/* SPDX-License-Identifier: MIT */
/*
 * Directories: blocks of entries, each block an array of struct
 * erofs_dirent_disk and then their names. A cookie is the byte position of an
 * entry in the directory; the "." that a directory may omit comes last and has
 * the directory's size as its cookie.
 */
#include "image_priv.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

#define DIRENT_SIZE ((unsigned int)sizeof(struct erofs_dirent_disk))

struct mica_dir {
	struct mica_image *img;
	struct mica_inode inode;
	uint64_t pos;	    /* cookie of the next entry */
	uint64_t block_pos; /* first byte of the block in buf */
	unsigned int size;  /* of that block, 0: none is loaded */
	unsigned int count; /* entries in it */
	bool checked;	    /* all of them; else only the first */
	uint8_t buf[];
};

static const struct erofs_dirent_disk *dir_entry(const struct mica_dir *dir, unsigned int i)
{
	return (const struct erofs_dirent_disk *)dir->buf + i;
}

static const char *dir_name(const struct mica_dir *dir, unsigned int i, unsigned int *len)
{
	unsigned int off = le16_get(dir_entry(dir, i)->nameoff);
	const char *name = (const char *)dir->buf + off;

	if (i + 1 < dir->count)
		*len = le16_get(dir_entry(dir, i + 1)->nameoff) - off;
	else /* only the last name of a block may be followed by zeros */
		*len = (unsigned int)strnlen(name, dir->size - off);
	return name;
}

static int dir_check_entry(const struct mica_dir *dir, unsigned int i, struct mica_err *err)
{
	unsigned int off = le16_get(dir_entry(dir, i)->nameoff);
	unsigned int end = dir->size;
	unsigned int len;
	const char *name;

	if (i + 1 < dir->count)
		end = le16_get(dir_entry(dir, i + 1)->nameoff);
	if (off < dir->count * DIRENT_SIZE || off >= end || end > dir->size)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "entry %u: name at %u..%u is not within %u..%u", i, off, end,
				    dir->count * DIRENT_SIZE, dir->size);
	name = dir_name(dir, i, &len);
	if (!len || len > EROFS_NAME_MAX)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "entry %u: name of %u bytes is not within 1..%u", i, len,
				    EROFS_NAME_MAX);
	if (memchr(name, '/', len) || memchr(name, 0, len))
		return mica_err_set(err, MICA_E_CORRUPT, "entry %u: name holds a '/' or a NUL", i);
	return 0;
}

/* all: else only the first entry, which is what a search for the right block looks at */
static int dir_check_block(struct mica_dir *dir, bool all, struct mica_err *err)
{
	unsigned int first;

	if (dir->size < DIRENT_SIZE)
		return mica_err_set(err, MICA_E_CORRUPT, "%u bytes hold no entry of %u", dir->size,
				    DIRENT_SIZE);
	first = le16_get(dir_entry(dir, 0)->nameoff);
	if (!first || first % DIRENT_SIZE || first >= dir->size)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "first name at %u: not a multiple of %u within %u..%u", first,
				    DIRENT_SIZE, DIRENT_SIZE, dir->size);
	dir->count = first / DIRENT_SIZE;
	for (unsigned int i = 0; i < (all ? dir->count : 1); i++) {
		int ret = dir_check_entry(dir, i, err);

		if (ret)
			return ret;
	}
	return 0;
}

static int dir_load(struct mica_dir *dir, uint64_t block_pos, bool all, struct mica_err *err)
{
	uint32_t block_size = dir->img->sb.block_size;
	unsigned int size = (unsigned int)mica_min(dir->inode.size - block_pos, block_size);
	bool loaded = dir->size && dir->block_pos == block_pos;
	int ret;

	if (loaded && (dir->checked || !all))
		return 0;
	dir->size = 0;
	if (!loaded) {
		ret = mica_image_read_all(dir->img, &dir->inode, dir->buf, size, block_pos, err);
		if (ret)
			return ret;
	}
	dir->size = size;
	dir->block_pos = block_pos;
	dir->checked = all;
	ret = dir_check_block(dir, all, err);
	if (!ret)
		return 0;
	dir->size = 0;
	return mica_err_wrap(err, "directory %" PRIu64 ", block at %" PRIu64, dir->inode.nid,
			     block_pos);
}

int mica_dir_open(struct mica_image *img, const struct mica_inode *inode, struct mica_dir **out,
		  struct mica_err *err)
{
	struct mica_dir *dir;

	if (!S_ISDIR(inode->mode))
		return mica_err_set(err, MICA_E_USAGE, "inode %" PRIu64 " is not a directory",
				    inode->nid);
	dir = malloc(sizeof(*dir) + img->sb.block_size);
	if (!dir)
		return mica_err_nomem(err);
	dir->img = img;
	dir->inode = *inode;
	dir->pos = 0;
	dir->size = 0;
	*out = dir;
	return 0;
}

const struct mica_image *mica_dir_image(const struct mica_dir *dir)
{
	return dir->img;
}

void mica_dir_seek(struct mica_dir *dir, uint64_t cookie)
{
	dir->pos = cookie;
}

void mica_dir_free(struct mica_dir *dir)
{
	free(dir);
}

static void dirent_fill(struct mica_dirent *out, uint64_t nid, uint8_t type, const char *name,
			unsigned int len, uint64_t next)
{
	out->nid = nid;
	out->type = type;
	out->name_len = len;
	memcpy(out->name, name, len);
	out->name[len] = 0;
	out->next = next;
}

int mica_dir_next(struct mica_dir *dir, struct mica_dirent *out, struct mica_err *err)
{
	uint32_t block_size = dir->img->sb.block_size;

	while (dir->pos < dir->inode.size) {
		uint64_t block_pos = mica_round_down(dir->pos, block_size);
		unsigned int i =
			(unsigned int)(dir->pos - block_pos + DIRENT_SIZE - 1) / DIRENT_SIZE;
		unsigned int len;
		const char *name;
		int ret;

		ret = dir_load(dir, block_pos, true, err);
		if (ret)
			return ret;
		if (i >= dir->count) {
			dir->pos = block_pos + dir->size;
			continue;
		}
		dir->pos = block_pos + (i + 1 < dir->count ? (i + 1) * DIRENT_SIZE : dir->size);
		name = dir_name(dir, i, &len);
		dirent_fill(out, le64_get(dir_entry(dir, i)->nid), dir_entry(dir, i)->file_type,
			    name, len, dir->pos);
		return 1;
	}
	if (!dir->inode.dot_omitted || dir->pos > dir->inode.size)
		return 0;
	dir->pos = dir->inode.size + 1;
	dirent_fill(out, dir->inode.nid, EROFS_FT_DIR, ".", 1, dir->pos);
	return 1;
}

static int name_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, mica_min(a_len, b_len));

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* The last block whose first name is not behind name; -1 in *block: there is none. */
static int dir_find_block(struct mica_dir *dir, const char *name, size_t len, int64_t *block,
			  struct mica_err *err)
{
	uint32_t block_size = dir->img->sb.block_size;
	int64_t lo = 0, hi = (int64_t)mica_div_round_up(dir->inode.size, block_size) - 1;

	while (lo <= hi) {
		int64_t mid = lo + (hi - lo) / 2;
		unsigned int first_len;
		const char *first;
		int ret;

		ret = dir_load(dir, (uint64_t)mid * block_size, false, err);
		if (ret)
			return ret;
		first = dir_name(dir, 0, &first_len);
		if (name_compare(first, first_len, name, len) <= 0)
			lo = mid + 1;
		else
			hi = mid - 1;
	}
	*block = hi;
	return 0;
}

static const struct erofs_dirent_disk *dir_find_entry(const struct mica_dir *dir, const char *name,
						      size_t len)
{
	unsigned int lo = 0, hi = dir->count;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;
		unsigned int mid_len;
		const char *mid_name = dir_name(dir, mid, &mid_len);
		int c = name_compare(mid_name, mid_len, name, len);

		if (!c)
			return dir_entry(dir, mid);
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int mica_dir_lookup(struct mica_image *img, const struct mica_inode *inode, const char *name,
		    size_t name_len, uint64_t *nid, uint8_t *type, struct mica_err *err)
{
	cleanup_dir struct mica_dir *dir = NULL;
	const struct erofs_dirent_disk *found = NULL;
	int64_t block;
	int ret;

	if (S_ISDIR(inode->mode) && inode->dot_omitted && name_len == 1 && name[0] == '.') {
		*nid = inode->nid;
		*type = EROFS_FT_DIR;
		return 0;
	}
	ret = mica_dir_open(img, inode, &dir, err);
	if (!ret)
		ret = dir_find_block(dir, name, name_len, &block, err);
	if (!ret && block >= 0)
		ret = dir_load(dir, (uint64_t)block * img->sb.block_size, true, err);
	if (ret)
		return ret;
	if (block >= 0)
		found = dir_find_entry(dir, name, name_len);
	if (!found)
		return mica_err_set(err, MICA_E_NOENT, "no '%.*s' in directory %" PRIu64,
				    (int)mica_min(name_len, EROFS_NAME_MAX), name, inode->nid);
	*nid = le64_get(found->nid);
	*type = found->file_type;
	return 0;
}
