/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../lib/util.h"

void put16(void *p, uint16_t v)
{
	le16 le = le16_make(v);

	memcpy(p, &le, sizeof(le));
}

void put32(void *p, uint32_t v)
{
	le32 le = le32_make(v);

	memcpy(p, &le, sizeof(le));
}

void put64(void *p, uint64_t v)
{
	le64 le = le64_make(v);

	memcpy(p, &le, sizeof(le));
}

struct erofs_super_disk *disk_super(struct disk *d)
{
	return (struct erofs_super_disk *)(d->data + EROFS_SUPER_OFFSET);
}

uint8_t *disk_block(struct disk *d, unsigned int block)
{
	return d->data + block * DISK_BLOCK;
}

struct erofs_inode_extended_disk *disk_inode_at(struct disk *d, uint64_t nid)
{
	return (struct erofs_inode_extended_disk *)(disk_block(d, 1) + nid * EROFS_NID_UNIT);
}

uint8_t *disk_inode(struct disk *d, uint64_t nid, enum erofs_layout layout, uint16_t mode,
		    uint64_t size, uint32_t u)
{
	struct erofs_inode_extended_disk *i = disk_inode_at(d, nid);

	*i = (struct erofs_inode_extended_disk){
		.format = le16_make((uint16_t)(EROFS_FORMAT_EXTENDED | layout << 1)),
		.mode = le16_make(mode),
		.size = le64_make(size),
		.u = le32_make(u),
		.nlink = le32_make(1),
	};
	return (uint8_t *)(i + 1);
}

static void dirent_put(uint8_t *block, unsigned int i, uint64_t nid, unsigned int type,
		       unsigned int nameoff, const char *name)
{
	struct erofs_dirent_disk *e = (struct erofs_dirent_disk *)block + i;

	e->nid = le64_make(nid);
	e->nameoff = le16_make((uint16_t)nameoff);
	e->file_type = (uint8_t)type;
	memcpy(block + nameoff, name, strlen(name));
}

void disk_init(struct disk *d)
{
	struct erofs_super_disk *sb = disk_super(d);
	uint8_t *tail;

	memset(d, 0, sizeof(*d));
	sb->magic = le32_make(EROFS_MAGIC);
	sb->blkszbits = 12;
	sb->rootnid_2b = le16_make(DISK_ROOT);
	sb->meta_blkaddr = le32_make(1);
	sb->blocks_lo = le32_make(DISK_BLOCKS);
	sb->feature_incompat = le32_make(EROFS_INCOMPAT_ZERO_PADDING);
	tail = disk_inode(d, DISK_ROOT, EROFS_LAYOUT_FLAT_INLINE, S_IFDIR | 0755, 43, 0);
	dirent_put(tail, 0, DISK_ROOT, EROFS_FT_DIR, 36, ".");
	dirent_put(tail, 1, DISK_ROOT, EROFS_FT_DIR, 37, "..");
	dirent_put(tail, 2, DISK_FILE, EROFS_FT_REG, 39, "file");
	disk_inode(d, DISK_FILE, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 0644, 0, 0);
}

int disk_open(struct disk *d, struct mica_image **out, struct mica_err *err)
{
	const struct mica_image_opts opts = {.skip_checksum = true};
	cleanup_io struct mica_io *io = NULL;
	int ret;

	ret = mica_io_open_mem("disk", d->data, sizeof(d->data), &io, err);
	if (!ret)
		ret = mica_image_open(io, &opts, out, err);
	if (!ret)
		io = NULL;
	return ret;
}

struct mica_image *disk_image(struct disk *d)
{
	struct mica_image *img = NULL;
	struct mica_err err = {0};

	if (disk_open(d, &img, &err))
		fail_msg("%s", err.msg);
	return img;
}

void disk_expect(int ret, int code, const struct mica_err *err, const char *text)
{
	if (ret != code)
		fail_msg("code %d, not %d; expected '%s', message '%s'", ret, code, text,
			 ret < 0 ? err->msg : "");
	if (!strstr(err->msg, text))
		fail_msg("'%s' is not in '%s'", text, err->msg);
}
