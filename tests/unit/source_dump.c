/* SPDX-License-Identifier: MIT */
#include "source_dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../mkimage/source.h"

#define DUMP_DATA_MAX 64

static void put_bytes(FILE *f, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++) {
		if (p[i] > ' ' && p[i] < 0x7f && p[i] != '\\')
			fputc(p[i], f);
		else
			fprintf(f, "\\%02x", p[i]);
	}
}

static void put_word(FILE *f, const char *sep, const char *word)
{
	fputs(sep, f);
	put_bytes(f, word, strlen(word));
}

static char type_letter(uint16_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '?';
	}
}

/* FNV-1a over the data, and the length of each hole */
static uint64_t hash_add(uint64_t h, const void *bytes, size_t len)
{
	for (const unsigned char *p = bytes; len; len--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

static int put_data(FILE *f, struct mica_source *src, const struct mica_entry *e,
		    struct mica_err *err)
{
	char shown[DUMP_DATA_MAX];
	uint64_t hash = 0xcbf29ce484222325, off, at = 0;
	const void *buf;
	size_t len;
	int ret;

	memset(shown, '~', sizeof(shown));
	while ((ret = mica_source_read(src, &buf, &len, &off, err)) > 0) {
		if (off < at || off + len > e->size)
			abort();
		if (off > at)
			hash = hash_add(hash, &(uint64_t){off - at}, sizeof(off));
		hash = hash_add(hash, buf, len);
		for (size_t i = 0; i < len && off + i < sizeof(shown); i++)
			shown[off + i] = ((const char *)buf)[i];
		at = off + len;
	}
	fprintf(f, " size=%" PRIu64 " ", e->size);
	if (e->size <= sizeof(shown))
		put_bytes(f, shown, e->size);
	else
		fprintf(f, "#%016" PRIx64, hash_add(hash, &(uint64_t){e->size - at}, sizeof(at)));
	return ret;
}

static int put_entry(FILE *f, struct mica_source *src, const struct mica_entry *e,
		     struct mica_err *err)
{
	int ret = 0;

	fprintf(f, "%c %04o %u:%u %" PRIi64, e->hardlink ? 'h' : type_letter(e->mode),
		e->mode & 07777u, e->uid, e->gid, e->mtime);
	if (e->mtime_nsec)
		fprintf(f, ".%09u", e->mtime_nsec);
	put_word(f, " ", *e->path ? e->path : ".");
	if (e->hardlink) {
		put_word(f, " => ", e->hardlink);
		fputc('\n', f);
		return 0;
	}
	if (e->symlink)
		put_word(f, " -> ", e->symlink);
	if (e->rdev)
		fprintf(f, " rdev=0x%x", e->rdev);
	for (size_t i = 0; i < e->xattr_count; i++) {
		put_word(f, " ", e->xattrs[i].name);
		fputc('=', f);
		put_bytes(f, e->xattrs[i].value, e->xattrs[i].len);
	}
	if (e->runs)
		fputs(" runs=", f);
	for (size_t i = 0; i < e->run_count; i++)
		fprintf(f, "%s%" PRIu64 "+%" PRIu64, i ? "," : "", e->runs[i].off, e->runs[i].len);
	if (S_ISREG(e->mode))
		ret = put_data(f, src, e, err);
	fputc('\n', f);
	return ret;
}

static void dump_warn(struct mica_report *report, const char *line)
{
	struct source_dump *d = (struct source_dump *)report;
	size_t len = d->warnings ? strlen(d->warnings) : 0;

	d->warnings = realloc(d->warnings, len + strlen(line) + 2);
	if (!d->warnings)
		abort();
	sprintf(d->warnings + len, "%s\n", line);
}

void source_dump(struct source_dump *d, const char *path)
{
	struct mica_source *src = NULL;
	const struct mica_entry *e;
	struct mica_err err = {0};
	size_t len;
	FILE *f;
	int ret;

	memset(d, 0, sizeof(*d));
	d->report.warn = dump_warn;
	f = open_memstream(&d->entries, &len);
	ret = mica_source_open(path, &d->report, &src, &err);
	if (!ret)
		while ((ret = mica_source_next(src, &e, &err)) > 0) {
			ret = put_entry(f, src, e, &err);
			if (ret < 0)
				break;
		}
	fclose(f);
	mica_source_free(src);
	d->code = ret;
	if (ret)
		snprintf(d->error, sizeof(d->error), "%s", err.msg);
	if (!d->warnings)
		d->warnings = calloc(1, 1);
}

void source_dump_fd(struct source_dump *d, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	source_dump(d, path);
}

void source_dump_free(struct source_dump *d)
{
	free(d->entries);
	free(d->warnings);
	memset(d, 0, sizeof(*d));
}
