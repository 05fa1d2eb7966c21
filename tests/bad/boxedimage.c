/* SPDX-License-Identifier: MIT */
/* The good image with a metabox, in which a directory and a file of it lie. */
#include <string.h>
#include <sys/stat.h>

#include "badimage.h"

struct entry {
	const char *name;
	uint64_t nid;
	uint8_t type;
};

static uint32_t dir_put(uint8_t *at, const struct entry *e, unsigned int count)
{
	struct erofs_dirent_disk *d = (struct erofs_dirent_disk *)at;
	uint32_t off = count * (uint32_t)sizeof(*d);

	for (unsigned int i = 0; i < count; i++) {
		d[i].nid = le64_make(e[i].nid);
		d[i].nameoff = le16_make((uint16_t)off);
		d[i].file_type = e[i].type;
		memcpy(at + off, e[i].name, strlen(e[i].name));
		off += (uint32_t)strlen(e[i].name);
	}
	return off;
}

static void inode_put(uint8_t *at, uint16_t format, uint16_t mode, uint32_t size, uint32_t u)
{
	struct erofs_inode_compact_disk *i = (struct erofs_inode_compact_disk *)at;

	i->format = le16_make(format);
	i->mode = le16_make(mode);
	i->nb = le16_make(S_ISDIR(mode) ? 2 : 1);
	i->size = le32_make(size);
	i->u = le32_make(u);
}

void boxed_image(uint8_t *image)
{
	static const struct entry sub[] = {
		{".", NID(I_SUB), EROFS_FT_DIR},
		{"..", NID(I_ROOT), EROFS_FT_DIR},
		{"box", BOX_NID(B_DIR), EROFS_FT_DIR},
		{"inner", NID(I_INNER), EROFS_FT_REG},
	};
	static const struct entry box[] = {
		{"..", NID(I_SUB), EROFS_FT_DIR},
		{"file", BOX_NID(B_FILE), EROFS_FT_REG},
	};
	struct erofs_super_disk *sb = (struct erofs_super_disk *)(image + EROFS_SUPER_OFFSET);
	struct erofs_inode_compact_disk *i =
		(struct erofs_inode_compact_disk *)(image + INODE_OFF(I_SUB));
	uint32_t size;

	sb->feature_incompat = le32_make(le32_get(sb->feature_incompat) | EROFS_INCOMPAT_METABOX);
	sb->sb_extslots = 1;
	memmove(image + CFG_OFF + EROFS_EXTSLOT_SIZE, image + CFG_OFF, 16);
	memset(image + CFG_OFF, 0, EROFS_EXTSLOT_SIZE);
	sb->metabox_nid = le64_make(NID(I_METABOX));
	inode_put(image + INODE_OFF(I_METABOX), EROFS_LAYOUT_FLAT_PLAIN << 1, S_IFREG, BOX_SIZE,
		  BLK_BOX);
	size = dir_put(image + BODY_OFF(I_SUB), sub, 4);
	i->size = le32_make(size);
	i->nb = le16_make(3);
	size = dir_put(image + BOX_OFF(B_DIR) + 32, box, 2);
	inode_put(image + BOX_OFF(B_DIR), EROFS_LAYOUT_FLAT_INLINE << 1 | EROFS_FORMAT_BIT4,
		  S_IFDIR | 0755, size, 0);
	inode_put(image + BOX_OFF(B_FILE), EROFS_LAYOUT_FLAT_INLINE << 1, S_IFREG | 0644, 100, 0);
	memset(image + BOX_OFF(B_FILE) + 32, 'b', 100);
}
