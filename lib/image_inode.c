/* SPDX-License-Identifier: MIT */
#include "image_priv.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "util.h"

#define NSEC_MAX   999999999u
#define BLKADDR_48 ((1ULL << 48) - 1)

/* Both on-disk forms begin alike. */
union inode_disk {
	struct erofs_inode_compact_disk compact;
	struct erofs_inode_extended_disk extended;
};

bool mica_inode_has_data(const struct mica_inode *inode)
{
	return S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode);
}

static int inode_decode_extended(const struct erofs_inode_extended_disk *d, struct mica_inode *out,
				 struct mica_err *err)
{
	out->size = le64_get(d->size);
	out->uid = le32_get(d->uid);
	out->gid = le32_get(d->gid);
	out->nlink = le32_get(d->nlink);
	out->ino = le32_get(d->ino);
	out->mtime = (int64_t)le64_get(d->mtime);
	out->mtime_nsec = le32_get(d->mtime_nsec);
	if (out->size > INT64_MAX)
		return mica_err_set(err, MICA_E_CORRUPT, "size %" PRIu64 " exceeds %" PRId64,
				    out->size, INT64_MAX);
	if (out->mtime_nsec > NSEC_MAX)
		return mica_err_set(err, MICA_E_CORRUPT, "mtime_nsec %" PRIu32 " exceeds %u",
				    out->mtime_nsec, NSEC_MAX);
	return 0;
}

static int inode_decode_compact(const struct mica_super *sb,
				const struct erofs_inode_compact_disk *d, bool nlink_1,
				struct mica_inode *out, struct mica_err *err)
{
	out->size = le32_get(d->size);
	out->uid = le16_get(d->uid);
	out->gid = le16_get(d->gid);
	out->nlink = nlink_1 ? 1 : le16_get(d->nb);
	out->ino = le32_get(d->ino);
	out->mtime_nsec = sb->fixed_nsec;
	if (__builtin_add_overflow(sb->epoch, (int64_t)le32_get(d->mtime), &out->mtime))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "mtime %" PRIu32 " after the epoch %" PRId64 " is out of range",
				    le32_get(d->mtime), sb->epoch);
	return 0;
}

/* i_u and i_nb: what they mean depends on type and layout. hi: i_nb holds bits 32.. */
static int inode_decode_u(uint32_t u, uint16_t nb, bool hi, struct mica_inode *out,
			  struct mica_err *err)
{
	uint64_t wide = u | (hi ? (uint64_t)nb << 32 : 0);

	out->startblk = UINT64_MAX;
	switch (out->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		out->rdev = u;
		return 0;
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	default:
		return mica_err_set(err, MICA_E_CORRUPT, "mode 0%o has no known file type",
				    out->mode);
	}
	switch (out->layout) {
	case EROFS_LAYOUT_FLAT_PLAIN:
		if (wide != (hi ? BLKADDR_48 : UINT32_MAX))
			out->startblk = wide;
		return 0;
	case EROFS_LAYOUT_FLAT_INLINE:
		out->startblk = wide;
		return 0;
	case EROFS_LAYOUT_CHUNK:
		out->chunk_format = (uint16_t)u;
		if (out->chunk_format & ~EROFS_CHUNK_ALL)
			return mica_err_set(
				err, MICA_E_UNSUPPORTED, "chunk format 0x%x has unknown bits 0x%x",
				out->chunk_format, out->chunk_format & ~EROFS_CHUNK_ALL);
		return 0;
	default:
		out->cblocks = wide;
		return 0;
	}
}

static int inode_decode(const struct mica_super *sb, const union inode_disk *d,
			struct mica_inode *out, struct mica_err *err)
{
	uint16_t format = le16_get(d->compact.format);
	uint16_t icount = le16_get(d->compact.xattr_icount);
	bool bit4 = format & EROFS_FORMAT_BIT4;
	bool nlink_1;
	int ret;

	out->extended = format & EROFS_FORMAT_EXTENDED;
	out->layout = EROFS_FORMAT_LAYOUT(format);
	out->mode = le16_get(d->compact.mode);
	out->isize = out->extended ? sizeof(d->extended) : sizeof(d->compact);
	if (icount)
		out->xattr_isize = (uint32_t)sizeof(struct erofs_xattr_ibody_disk) +
				   (icount - 1u) * EROFS_XATTR_ALIGN;
	out->dot_omitted = S_ISDIR(out->mode) && bit4;
	nlink_1 = !out->extended && !S_ISDIR(out->mode) && bit4;
	if (out->extended)
		ret = inode_decode_extended(&d->extended, out, err);
	else
		ret = inode_decode_compact(sb, &d->compact, nlink_1, out, err);
	if (ret)
		return ret;
	return inode_decode_u(le32_get(d->compact.u), le16_get(d->compact.nb),
			      out->extended || nlink_1, out, err);
}

static int inode_read(struct mica_image *img, struct mica_inode *out, struct mica_err *err)
{
	union inode_disk d;
	uint16_t format;
	int ret;

	ret = mica_meta_read(img, out->in_metabox, out->off, &d.compact, sizeof(d.compact), err);
	if (ret)
		return ret;
	format = le16_get(d.compact.format);
	if (format & ~EROFS_FORMAT_ALL)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "format 0x%x has unknown bits 0x%x",
				    format, format & ~EROFS_FORMAT_ALL);
	if (EROFS_FORMAT_LAYOUT(format) > EROFS_LAYOUT_CHUNK)
		return mica_err_set(err, MICA_E_UNSUPPORTED, "data layout %u is not within 0..%u",
				    EROFS_FORMAT_LAYOUT(format), EROFS_LAYOUT_CHUNK);
	if (format & EROFS_FORMAT_EXTENDED)
		ret = mica_meta_read(img, out->in_metabox, out->off, &d.extended,
				     sizeof(d.extended), err);
	if (!ret)
		ret = inode_decode(&img->sb, &d, out, err);
	if (ret)
		return ret;
	if (!mica_range_in(mica_inode_end(out), 0, mica_meta_size(img, out->in_metabox)))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "%" PRIu32 " bytes of xattrs reach over the end at %" PRIu64,
				    out->xattr_isize, mica_meta_size(img, out->in_metabox));
	if (mica_inode_compressed(out) && mica_inode_has_data(out) && out->size)
		ret = mica_zmap_load(img, out, err);
	return ret;
}

int mica_image_inode(struct mica_image *img, uint64_t nid, struct mica_inode *out,
		     struct mica_err *err)
{
	struct mica_inode tmp = {.nid = nid, .in_metabox = nid & EROFS_NID_METABOX};
	uint64_t base = tmp.in_metabox ? 0 : img->sb.meta_off;
	int ret;

	if (tmp.in_metabox && !img->sb.metabox_nid)
		return mica_err_set(err, MICA_E_CORRUPT,
				    "inode 0x%" PRIx64 " is in the metabox, which is not there",
				    nid);
	if (mica_mul_overflows(nid & ~EROFS_NID_METABOX, EROFS_NID_UNIT, &tmp.off) ||
	    mica_add_overflows(tmp.off, base, &tmp.off))
		return mica_err_set(err, MICA_E_CORRUPT,
				    "inode %" PRIu64 " lies behind the end at %" PRIu64, nid,
				    mica_meta_size(img, tmp.in_metabox));
	ret = inode_read(img, &tmp, err);
	if (ret)
		return mica_err_wrap(err, "inode %" PRIu64 " at %" PRIu64 "%s",
				     (uint64_t)(nid & ~EROFS_NID_METABOX), tmp.off,
				     tmp.in_metabox ? " of the metabox" : "");
	*out = tmp;
	return 0;
}
