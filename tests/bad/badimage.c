/* SPDX-License-Identifier: MIT */
/*
 * Bad images, one broken field each. A small good image is built first, with
 * every layout that the reader knows; then one field of it is overwritten and
 * the superblock's checksum made right again, so that the field itself must be
 * found. "badimage list" prints name, exit status of fsck and what its message
 * must contain, tab-separated; "badimage make NAME FILE" writes an image, the
 * NAMEs "good" and "boxed" the unbroken ones. Cases whose names begin with
 * "boxed-" are made from the latter, which has a metabox.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../formats/crc32c.h"
#include "badimage.h"

/* Offset of a field in the image */
#define SB(f)	     (EROFS_SUPER_OFFSET + offsetof(struct erofs_super_disk, f))
#define INO(k, f)    (INODE_OFF(k) + offsetof(struct erofs_inode_compact_disk, f))
#define EXT(k, f)    (INODE_OFF(k) + offsetof(struct erofs_inode_extended_disk, f))
#define RECORD(i)    (BODY_OFF(I_EXTENTS) + 16 + 16 * (i))
#define BOX(k, f)    (BOX_OFF(k) + offsetof(struct erofs_inode_compact_disk, f))
#define NAME(at)     (ROOT_DIR_OFF + (at))
#define DIRENT(i, f) (ROOT_DIR_OFF + 12 * (i) + offsetof(struct erofs_dirent_disk, f))

enum fix { FIX, RAW, CUT };

struct bad {
	const char *name;
	uint64_t off;	    /* CUT: the image's new length */
	unsigned int width; /* bytes of value, little-endian */
	uint64_t value;
	const char *message;
	int status;
	enum fix fix; /* FIX: make the checksum right again */
};

static const struct bad bads[] = {
#include "badimage_cases.h"
};

static void checksum_set(uint8_t *image)
{
	struct erofs_super_disk *sb = (struct erofs_super_disk *)(image + EROFS_SUPER_OFFSET);

	sb->checksum = le32_make(0);
	sb->checksum = le32_make(
		mica_crc32c(~0u, image + EROFS_SUPER_OFFSET, GOOD_BLOCK - EROFS_SUPER_OFFSET));
}

static int image_write(const char *path, const uint8_t *image, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(image, 1, len, f) != len || fclose(f)) {
		perror(path);
		return 1;
	}
	return 0;
}

static int image_make(const char *name, const char *path)
{
	static uint8_t image[GOOD_SIZE];

	good_image(image);
	if (!strncmp(name, "boxed", 5))
		boxed_image(image);
	checksum_set(image);
	if (!strcmp(name, "good") || !strcmp(name, "boxed"))
		return image_write(path, image, sizeof(image));
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];

		if (strcmp(b->name, name))
			continue;
		if (b->fix == CUT)
			return image_write(path, image, b->off);
		for (unsigned int k = 0; k < b->width; k++)
			image[b->off + k] = (uint8_t)(b->value >> (8 * k));
		if (b->fix == FIX)
			checksum_set(image);
		return image_write(path, image, sizeof(image));
	}
	fprintf(stderr, "badimage: no case '%s'\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
			printf("%s\t%d\t%s\n", bads[i].name, bads[i].status, bads[i].message);
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "make"))
		return image_make(argv[2], argv[3]);
	fputs("usage: badimage list | badimage make NAME FILE\n", stderr);
	return 2;
}
