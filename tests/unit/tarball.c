/* SPDX-License-Identifier: MIT */
#include "tarball.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void tarball_raw(struct tarball *t, const void *p, size_t len)
{
	if (t->len + len >= t->cap) {
		t->cap = 2 * (t->len + len) + MICA_TAR_BLOCK;
		t->p = realloc(t->p, t->cap);
		if (!t->p)
			abort();
	}
	if (p)
		memcpy(t->p + t->len, p, len);
	else
		memset(t->p + t->len, 0, len);
	t->len += len;
}

void tarball_body(struct tarball *t, const void *p, size_t len)
{
	tarball_raw(t, p, len);
	tarball_raw(t, NULL, -len % MICA_TAR_BLOCK);
}

void tarball_sum(unsigned char *header)
{
	struct mica_tar_header *h = (struct mica_tar_header *)header;
	char digits[9];
	unsigned sum = 0;

	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < MICA_TAR_BLOCK; i++)
		sum += header[i];
	snprintf(digits, sizeof(digits), "%06o", sum & 0777777);
	memcpy(h->chksum, digits, 7);
}

/* Octal, or base 256 when that is too short. */
static void number_put(char *field, size_t len, int64_t v)
{
	char digits[32];

	if (v >= 0 && (len > 21 || v < (int64_t)1 << (3 * (len - 1)))) {
		snprintf(digits, sizeof(digits), "%0*llo", (int)len - 1, (long long)v);
		memcpy(field, digits, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		size_t shift = 8 * (len - 1 - i);

		field[i] = (char)(shift < 64 ? v >> shift : v < 0 ? -1 : 0);
	}
	field[0] |= (char)0x80;
}

static void text_put(char *field, size_t len, const char *s)
{
	if (s)
		memcpy(field, s, strlen(s) < len ? strlen(s) : len);
}

unsigned char *tarball_add(struct tarball *t, struct tarball_entry e)
{
	struct mica_tar_header h = {0};
	size_t len = e.len ? e.len : e.data ? strlen(e.data) : 0;
	size_t at = t->len;

	h.typeflag = e.type ? e.type : '0';
	text_put(h.name, sizeof(h.name), e.name);
	text_put(h.linkname, sizeof(h.linkname), e.link);
	if (!e.mode)
		e.mode = h.typeflag == '5' ? 0755 : 0644;
	number_put(h.mode, sizeof(h.mode), e.mode);
	number_put(h.uid, sizeof(h.uid), (int64_t)e.uid);
	number_put(h.gid, sizeof(h.gid), (int64_t)e.gid);
	number_put(h.size, sizeof(h.size), (int64_t)(e.size ? e.size : len));
	number_put(h.mtime, sizeof(h.mtime), e.mtime);
	if (e.magic != TARBALL_OLD) {
		memcpy(h.magic, e.magic == TARBALL_GNU ? "ustar " : "ustar", 6);
		memcpy(h.version, e.magic == TARBALL_GNU ? " " : "00", 2);
		number_put(h.devmajor, sizeof(h.devmajor), e.major);
		number_put(h.devminor, sizeof(h.devminor), e.minor);
		text_put(h.prefix, sizeof(h.prefix), e.prefix);
	}
	tarball_sum((unsigned char *)&h);
	tarball_raw(t, &h, sizeof(h));
	tarball_body(t, e.data, len);
	return t->p + at;
}

void tarball_pax(struct tarball *t, char type, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3; /* space, '=', newline */
	size_t total = rest + 1;
	char digits[32];
	char *record;

	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", total) != total)
		total = rest + strlen(digits);
	record = malloc(total + 1);
	if (!record)
		abort();
	rest = (size_t)sprintf(record, "%zu %s=", total, key);
	memcpy(record + rest, value, len);
	record[total - 1] = '\n';
	tarball_add(t, (struct tarball_entry){
			       .name = "pax", .type = type, .data = record, .len = total});
	free(record);
}

void tarball_end(struct tarball *t)
{
	tarball_raw(t, NULL, 2 * (size_t)MICA_TAR_BLOCK);
}

int tarball_fd(const struct tarball *t)
{
	int fd = memfd_create("tarball", MFD_CLOEXEC);

	for (size_t done = 0; done < t->len;) {
		ssize_t n = write(fd, t->p + done, t->len - done);

		if (n <= 0)
			abort();
		done += (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

void tarball_free(struct tarball *t)
{
	free(t->p);
	*t = (struct tarball){0};
}
