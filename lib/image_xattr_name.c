/* SPDX-License-Identifier: MIT */
/* Names of extended attributes: short prefixes by number, long ones from the image's table. */
#include "image_xattr.h"

#include <inttypes.h>
#include <string.h>
#define XXH_INLINE_ALL /* one small function: no library to load at every start */
#include <xxhash.h>

#include "util.h"

struct mica_xattr_prefix {
	uint8_t base;
	uint8_t infix_len;
	char infix[EROFS_NAME_MAX];
};

static const char *const bases[] = {
	[EROFS_XATTR_USER] = "user.",
	[EROFS_XATTR_ACL_ACCESS] = "system.posix_acl_access",
	[EROFS_XATTR_ACL_DEFAULT] = "system.posix_acl_default",
	[EROFS_XATTR_TRUSTED] = "trusted.",
	[EROFS_XATTR_SECURITY] = "security.",
};

static const char *base_name(unsigned int base)
{
	return base < sizeof(bases) / sizeof(bases[0]) ? bases[base] : NULL;
}

/* What the table is read from: an inode's data, or (NULL) the image itself. */
static const struct mica_inode *table_inode(const struct mica_image *img)
{
	if (img->sb.feature_compat & EROFS_COMPAT_PLAIN_XATTR_PFX)
		return NULL;
	if (img->sb.metabox_nid)
		return &img->metabox;
	return img->sb.packed_nid ? &img->packed : NULL;
}

static int table_read(struct mica_image *img, void *buf, size_t len, uint64_t off,
		      struct mica_err *err)
{
	const struct mica_inode *inode = table_inode(img);

	if (!inode)
		return mica_meta_read(img, false, off, buf, len, err);
	if (!mica_range_in(off, len, inode->size))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "%zu bytes at %" PRIu64 " reach over the end of inode %" PRIu64
				    " at %" PRIu64,
				    len, off, inode->nid, inode->size);
	return mica_image_read_all(img, inode, buf, len, off, err);
}

static int prefix_load(struct mica_image *img, uint64_t *off, struct mica_xattr_prefix *out,
		       struct mica_err *err)
{
	unsigned int len;
	le16 len16;
	int ret;

	ret = table_read(img, &len16, sizeof(len16), *off, err);
	if (ret)
		return ret;
	len = le16_get(len16);
	if (!len || len > sizeof(out->infix) + 1)
		return mica_err_set(err, MICA_E_CORRUPT, "%u bytes are not within 1..%zu", len,
				    sizeof(out->infix) + 1);
	out->infix_len = (uint8_t)(len - 1);
	ret = table_read(img, &out->base, sizeof(out->base), *off + sizeof(len16), err);
	if (!ret)
		ret = table_read(img, out->infix, out->infix_len,
				 *off + sizeof(len16) + sizeof(out->base), err);
	*off = mica_round_up(*off + sizeof(len16) + len, 4);
	return ret;
}

int mica_xattr_prefixes_load(struct mica_image *img, struct mica_err *err)
{
	uint64_t off = (uint64_t)img->sb.xattr_prefix_start * EROFS_XATTR_ALIGN;

	if (!img->sb.xattr_prefix_count)
		return 0;
	img->prefixes = calloc(img->sb.xattr_prefix_count, sizeof(*img->prefixes));
	if (!img->prefixes)
		return mica_err_nomem(err);
	for (unsigned int i = 0; i < img->sb.xattr_prefix_count; i++) {
		uint64_t at = off;
		int ret = prefix_load(img, &off, &img->prefixes[i], err);

		if (ret)
			return mica_err_wrap(err, "xattr prefix %u at %" PRIu64, i, at);
	}
	return 0;
}

void mica_xattr_prefixes_free(struct mica_image *img)
{
	free(img->prefixes);
}

int mica_xattr_name(const struct mica_image *img, unsigned int index, const char *suffix,
		    unsigned int len, char *out, size_t cap, struct mica_err *err)
{
	const char *infix = "";
	unsigned int infix_len = 0, total;
	const char *base;

	if (index & EROFS_XATTR_LONG) {
		index &= ~EROFS_XATTR_LONG;
		if (index >= img->sb.xattr_prefix_count)
			return mica_err_set(err, MICA_E_CORRUPT, "prefix %u of a table of %u",
					    index, img->sb.xattr_prefix_count);
		infix = img->prefixes[index].infix;
		infix_len = img->prefixes[index].infix_len;
		index = img->prefixes[index].base;
	}
	base = base_name(index);
	if (!base)
		return 0;
	total = infix_len + len;
	if (total > EROFS_NAME_MAX || strlen(base) + total >= cap)
		return mica_err_set(err, MICA_E_CORRUPT, "name of %u bytes exceeds %u", total,
				    EROFS_NAME_MAX);
	/* The two names of ACLs are complete, the others are not. */
	if (!total != (base[strlen(base) - 1] != '.'))
		return mica_err_set(err, MICA_E_CORRUPT, "'%s' with a name of %u bytes", base,
				    total);
	if (memchr(infix, 0, infix_len) || memchr(suffix, 0, len))
		return mica_err_set(err, MICA_E_CORRUPT, "name holds a NUL");
	memcpy(out, base, strlen(base));
	memcpy(out + strlen(base), infix, infix_len);
	memcpy(out + strlen(base) + infix_len, suffix, len);
	out[strlen(base) + total] = 0;
	return 1;
}

uint32_t mica_xattr_filter_bit(const struct mica_image *img, unsigned int index, const char *suffix,
			       unsigned int len)
{
	char name[2 * EROFS_NAME_MAX];
	unsigned int infix_len = 0;

	if (index & EROFS_XATTR_LONG) {
		const struct mica_xattr_prefix *p = &img->prefixes[index & ~EROFS_XATTR_LONG];

		memcpy(name, p->infix, p->infix_len);
		infix_len = p->infix_len;
		index = p->base;
	}
	memcpy(name + infix_len, suffix, len);
	return 1u << (XXH32(name, infix_len + len, EROFS_XATTR_FILTER_SEED + index) & 31);
}

unsigned int mica_xattr_index(const char *name, const char **suffix)
{
	for (unsigned int i = 1; i < sizeof(bases) / sizeof(bases[0]); i++) {
		size_t len = bases[i] ? strlen(bases[i]) : 0;

		if (!len || strncmp(name, bases[i], len))
			continue;
		*suffix = name + len;
		return i;
	}
	return 0;
}
