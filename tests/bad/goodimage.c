/* SPDX-License-Identifier: MIT */
/* Builds the good image, byte by byte as docs/format.md describes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lz4.h>
#include <xxhash.h>

#include "badimage.h"

#define MAP_HEADER(k) ((struct erofs_map_header_disk *)(image + BODY_OFF(k)))

static void super_put(uint8_t *image)
{
	struct erofs_super_disk *sb = (struct erofs_super_disk *)(image + EROFS_SUPER_OFFSET);
	struct erofs_lz4_cfg_disk lz4 = {
		.max_distance = le16_make(65535),
		.max_pclusterblks = le16_make(1),
	};

	sb->magic = le32_make(EROFS_MAGIC);
	sb->feature_compat =
		le32_make(EROFS_COMPAT_SB_CHKSUM | EROFS_COMPAT_MTIME | EROFS_COMPAT_XATTR_FILTER);
	sb->feature_incompat = le32_make(EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_COMPR_CFGS |
					 EROFS_INCOMPAT_CHUNKED_FILE | EROFS_INCOMPAT_DEVICE_TABLE |
					 EROFS_INCOMPAT_FRAGMENTS | EROFS_INCOMPAT_48BIT);
	sb->blkszbits = 12;
	sb->rootnid_2b = le16_make(NID(I_ROOT));
	sb->inos = le64_make(I_INNER);
	sb->blocks_lo = le32_make(GOOD_SIZE / GOOD_BLOCK);
	sb->meta_blkaddr = le32_make(BLK_META);
	sb->xattr_blkaddr = le32_make(BLK_XATTR);
	memcpy(sb->volume_name, "good", 4);
	sb->algs = le16_make(1 << EROFS_ALG_LZ4);
	sb->packed_nid = le64_make(NID(I_PACKED));
	*(le16 *)(image + CFG_OFF) = le16_make(sizeof(lz4));
	memcpy(image + CFG_OFF + 2, &lz4, sizeof(lz4));
}

static struct erofs_inode_compact_disk *inode_put(uint8_t *image, int k, enum erofs_layout layout,
						  uint16_t mode, uint16_t nlink, uint32_t size,
						  uint32_t u)
{
	struct erofs_inode_compact_disk *i =
		(struct erofs_inode_compact_disk *)(image + INODE_OFF(k));

	i->format = le16_make((uint16_t)(layout << 1));
	i->mode = le16_make(mode);
	i->nb = le16_make(nlink);
	i->size = le32_make(size);
	i->u = le32_make(u);
	i->ino = le32_make((uint32_t)k);
	return i;
}

struct name {
	const char *name;
	int inode;
	uint8_t type;
};

static uint32_t dir_put(uint8_t *at, const struct name *names, unsigned int count)
{
	struct erofs_dirent_disk *e = (struct erofs_dirent_disk *)at;
	uint32_t off = count * (uint32_t)sizeof(*e);

	for (unsigned int i = 0; i < count; i++) {
		e[i].nid = le64_make(NID(names[i].inode));
		e[i].nameoff = le16_make((uint16_t)off);
		e[i].file_type = names[i].type;
		memcpy(at + off, names[i].name, strlen(names[i].name));
		off += (uint32_t)strlen(names[i].name);
	}
	return off;
}

/* In byte order; badimage_cases.h counts on it. */
static const struct name root_names[] = {
	{".", I_ROOT, EROFS_FT_DIR},
	{"..", I_ROOT, EROFS_FT_DIR},
	{"blockmap", I_BLOCKMAP, EROFS_FT_REG},
	{"chunk", I_CHUNK, EROFS_FT_REG},
	{"compact", I_COMPACT, EROFS_FT_REG},
	{"dev", I_DEV, EROFS_FT_CHR},
	{"extents", I_EXTENTS, EROFS_FT_REG},
	{"flat", I_FLAT, EROFS_FT_REG},
	{"frag", I_FRAG, EROFS_FT_REG},
	{"full", I_FULL, EROFS_FT_REG},
	{"hard1", I_HARD, EROFS_FT_REG},
	{"hard2", I_HARD, EROFS_FT_REG},
	{"inline", I_INLINE, EROFS_FT_REG},
	{"link", I_LINK, EROFS_FT_LNK},
	{"sub", I_SUB, EROFS_FT_DIR},
	{"xattr", I_XATTR, EROFS_FT_REG},
};

static void dirs_put(uint8_t *image)
{
	static const struct name sub[] = {
		{".", I_SUB, EROFS_FT_DIR},
		{"..", I_ROOT, EROFS_FT_DIR},
		{"inner", I_INNER, EROFS_FT_REG},
	};
	uint32_t size = dir_put(image + ROOT_DIR_OFF, root_names,
				sizeof(root_names) / sizeof(root_names[0]));

	inode_put(image, I_ROOT, EROFS_LAYOUT_FLAT_PLAIN, S_IFDIR | 0755, 3, size, BLK_ROOT);
	size = dir_put(image + BODY_OFF(I_SUB), sub, 3);
	inode_put(image, I_SUB, EROFS_LAYOUT_FLAT_INLINE, S_IFDIR | 0755, 2, size, 0xffffffff);
	inode_put(image, I_INNER, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG | 0644, 1, 0, 0xffffffff);
}

static void flat_put(uint8_t *image)
{
	struct erofs_inode_extended_disk *flat =
		(struct erofs_inode_extended_disk *)(image + INODE_OFF(I_FLAT));

	flat->format = le16_make(EROFS_FORMAT_EXTENDED | EROFS_LAYOUT_FLAT_PLAIN << 1);
	flat->mode = le16_make(S_IFREG | 0644);
	flat->size = le64_make(5000);
	flat->u = le32_make(BLK_FLAT);
	flat->ino = le32_make(I_FLAT);
	flat->nlink = le32_make(1);
	memset(image + BLK_FLAT * GOOD_BLOCK, 'f', 5000);
	inode_put(image, I_INLINE, EROFS_LAYOUT_FLAT_INLINE, S_IFREG | 0644, 1, 100, 0xffffffff);
	memset(image + BODY_OFF(I_INLINE), 'i', 100);
	inode_put(image, I_LINK, EROFS_LAYOUT_FLAT_INLINE, S_IFLNK | 0777, 1, 4, 0xffffffff);
	memcpy(image + BODY_OFF(I_LINK), "flat", 4);
	inode_put(image, I_DEV, EROFS_LAYOUT_FLAT_PLAIN, S_IFCHR | 0600, 1, 0, 1 << 8 | 3);
	inode_put(image, I_HARD, EROFS_LAYOUT_FLAT_INLINE, S_IFREG | 0644, 2, 4, 0xffffffff);
	memcpy(image + BODY_OFF(I_HARD), "hard", 4);
	inode_put(image, I_PACKED, EROFS_LAYOUT_FLAT_PLAIN, S_IFREG, 1, 300, BLK_PACKED);
	memset(image + BLK_PACKED * GOOD_BLOCK, 'p', 300);
}

static void chunks_put(uint8_t *image)
{
	struct erofs_chunk_index_disk *index =
		(struct erofs_chunk_index_disk *)(image + BODY_OFF(I_CHUNK));

	inode_put(image, I_CHUNK, EROFS_LAYOUT_CHUNK, S_IFREG | 0644, 1, 3 * GOOD_BLOCK,
		  EROFS_CHUNK_INDEXES);
	index[0].startblk_lo = le32_make(BLK_CHUNK);
	index[1].startblk_lo = le32_make(BLK_CHUNK + 1);
	index[2].startblk_lo = le32_make(EROFS_NULL_BLK);
	index[2].startblk_hi = le16_make(0xffff);
	inode_put(image, I_BLOCKMAP, EROFS_LAYOUT_CHUNK, S_IFREG | 0644, 1, GOOD_BLOCK, 0);
	*(le32 *)(image + BODY_OFF(I_BLOCKMAP)) = le32_make(BLK_CHUNK);
	memset(image + BLK_CHUNK * GOOD_BLOCK, 'c', 2 * GOOD_BLOCK);
}

/* LZ4 of len equal bytes at the end of a block, zeros before it, as EROFS has it */
static void lz4_put(uint8_t *block, char byte, size_t len)
{
	char src[4 * GOOD_BLOCK], dst[GOOD_BLOCK];
	int n;

	memset(src, byte, len);
	n = LZ4_compress_default(src, dst, (int)len, sizeof(dst));
	if (n <= 0) {
		fputs("badimage: LZ4 failed\n", stderr);
		exit(2);
	}
	memcpy(block + GOOD_BLOCK - n, dst, (size_t)n);
}

static void compressed_put(uint8_t *image)
{
	struct erofs_lcluster_disk *full =
		(struct erofs_lcluster_disk *)(image + BODY_OFF(I_FULL) + 16);
	uint8_t *compact = image + BODY_OFF(I_COMPACT) + 8;

	inode_put(image, I_FULL, EROFS_LAYOUT_COMPRESSED_FULL, S_IFREG | 0644, 1, 3 * GOOD_BLOCK,
		  1);
	full[0].advise = le16_make(EROFS_LCLUSTER_HEAD1);
	full[0].u = le32_make(BLK_FULL);
	full[1].advise = le16_make(EROFS_LCLUSTER_NONHEAD);
	full[1].u = le32_make(1 | 2 << 16);
	full[2].advise = le16_make(EROFS_LCLUSTER_NONHEAD);
	full[2].u = le32_make(2 | 1 << 16);
	lz4_put(image + BLK_FULL * GOOD_BLOCK, 'F', 3 * GOOD_BLOCK);

	/* one pack of two: HEAD at 0, NONHEAD whose next head is 1 ahead; base: block - 1 */
	inode_put(image, I_COMPACT, EROFS_LAYOUT_COMPRESSED_COMPACT, S_IFREG | 0644, 1,
		  2 * GOOD_BLOCK, 1);
	*(le16 *)compact = le16_make(EROFS_LCLUSTER_HEAD1 << 12);
	*(le16 *)(compact + 2) = le16_make(EROFS_LCLUSTER_NONHEAD << 12 | 1);
	*(le32 *)(compact + 4) = le32_make(BLK_COMPACT - 1);
	lz4_put(image + BLK_COMPACT * GOOD_BLOCK, 'C', 2 * GOOD_BLOCK);
}

struct record {
	le32 plen, pstart_lo, pstart_hi, lstart_lo;
};

static void extents_put(uint8_t *image)
{
	struct record *r = (struct record *)(image + BODY_OFF(I_EXTENTS) + 16);

	inode_put(image, I_EXTENTS, EROFS_LAYOUT_COMPRESSED_FULL, S_IFREG | 0644, 1, 3 * GOOD_BLOCK,
		  2);
	MAP_HEADER(I_EXTENTS)->a = le32_make(2);
	MAP_HEADER(I_EXTENTS)->advise = le16_make(EROFS_ADVISE_EXTENTS | 2 << 1);
	r[0].plen = le32_make(GOOD_BLOCK | (1 + EROFS_ALG_LZ4) << EROFS_EXT_FMT_SHIFT);
	r[0].pstart_lo = le32_make(BLK_EXTENTS * GOOD_BLOCK);
	r[1].plen = le32_make(GOOD_BLOCK);
	r[1].pstart_lo = le32_make(BLK_EXTENTS2 * GOOD_BLOCK);
	r[1].lstart_lo = le32_make(2 * GOOD_BLOCK);
	lz4_put(image + BLK_EXTENTS * GOOD_BLOCK, 'E', 2 * GOOD_BLOCK);
	memset(image + BLK_EXTENTS2 * GOOD_BLOCK, 'e', GOOD_BLOCK);

	inode_put(image, I_FRAG, EROFS_LAYOUT_COMPRESSED_FULL, S_IFREG | 0644, 1, 200, 0);
	*(le64 *)(image + BODY_OFF(I_FRAG)) = le64_make(1ULL << 63 | 100);
}

static uint32_t filter_bit(const char *suffix, enum erofs_xattr_index index)
{
	return 1u << (XXH32(suffix, strlen(suffix), EROFS_XATTR_FILTER_SEED + index) & 31);
}

static uint8_t *xattr_put(uint8_t *at, enum erofs_xattr_index index, const char *suffix,
			  const char *value)
{
	struct erofs_xattr_entry_disk *e = (struct erofs_xattr_entry_disk *)at;
	size_t len = strlen(suffix), value_len = strlen(value);

	e->name_len = (uint8_t)len;
	e->name_index = (uint8_t)index;
	e->value_size = le16_make((uint16_t)value_len);
	memcpy(at + sizeof(*e), suffix, len);
	memcpy(at + sizeof(*e) + len, value, value_len);
	return at + ((sizeof(*e) + len + value_len + 3) & ~3ul);
}

static void xattrs_put(uint8_t *image)
{
	struct erofs_xattr_ibody_disk *body = (struct erofs_xattr_ibody_disk *)(image + XATTR_OFF);
	struct erofs_inode_compact_disk *i = inode_put(image, I_XATTR, EROFS_LAYOUT_FLAT_PLAIN,
						       S_IFREG | 0644, 1, 0, 0xffffffff);
	uint8_t *end;

	body->name_filter =
		le32_make(~(filter_bit("a", EROFS_XATTR_USER) | filter_bit("bb", EROFS_XATTR_USER) |
			    filter_bit("shared", EROFS_XATTR_TRUSTED)));
	body->shared_count = 1;
	*(le32 *)(image + XATTR_ID) = le32_make(2);
	end = xattr_put(image + XATTR_ENTRY, EROFS_XATTR_USER, "a", "one");
	end = xattr_put(end, EROFS_XATTR_USER, "bb", "two");
	i->xattr_icount = le16_make((uint16_t)((end - (image + XATTR_OFF) - 12) / 4 + 1));
	xattr_put(image + BLK_XATTR * GOOD_BLOCK + 8, EROFS_XATTR_TRUSTED, "shared", "value");
}

void good_image(uint8_t *image)
{
	memset(image, 0, GOOD_SIZE);
	super_put(image);
	dirs_put(image);
	flat_put(image);
	chunks_put(image);
	compressed_put(image);
	extents_put(image);
	xattrs_put(image);
}
