/* SPDX-License-Identifier: MIT */
#include "rand.h"
#include "tool.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_MAX_LEN 255

static uint32_t id_pick(struct rng *rng)
{
	static const uint32_t ids[] = {0,     1,     33,     1000,     65534,
				       65535, 65536, 100000, 1u << 31, 4294967294u};

	return rng_percent(rng, 50) ? 0 : rng_pick(rng, ids);
}

static mode_t mode_pick(struct rng *rng, mode_t type)
{
	static const mode_t usual[] = {0644, 0755, 0600, 0444, 0555, 0777, 0640};
	mode_t mode = rng_percent(rng, 80) ? rng_pick(rng, usual) : rng_range(rng, 0, 07777);

	if (S_ISDIR(type))
		mode |= 0700;
	if (rng_percent(rng, 6))
		mode |= 04000;
	if (rng_percent(rng, 6))
		mode |= 02000;
	if (rng_percent(rng, 6))
		mode |= 01000;
	return mode;
}

static struct timespec time_pick(struct rng *rng)
{
	static const int64_t seconds[] = {
		0,	    1,		-1,	    -1000000000, -2147483648, 946684800,
		2147483647, 2147483648, 4294967295, 4294967296,	 5000000000,  8589934592,
	};
	static const long nanoseconds[] = {0, 1, 999999999, 123456789, 500000000};
	struct timespec ts = {.tv_sec = 1700000000};

	if (rng_percent(rng, 30)) /* many files of one time: the image's epoch */
		return ts;
	ts.tv_sec = rng_percent(rng, 30) ? rng_pick(rng, seconds)
					 : (int64_t)rng_range(rng, 1000000000, 1800000000);
	ts.tv_nsec = rng_percent(rng, 50) ? rng_pick(rng, nanoseconds)
					  : (long)rng_range(rng, 0, 999999999);
	return ts;
}

static void xattr_set(const char *proc, const char *name, const void *value, size_t len)
{
	if (!setxattr(proc, name, value, len, 0))
		return;
	/* No room, no such kind here, or (user.*) not on this type of file. */
	if (errno != ENOSPC && errno != E2BIG && errno != ENOTSUP && errno != EPERM &&
	    errno != ERANGE)
		tool_die_errno("setxattr %s, %zu bytes", name, len);
}

static void xattr_own(struct rng *rng, const char *proc, bool user)
{
	static const char *const prefixes[] = {"user.", "trusted.", "security.mica."};
	size_t len = rng_percent(rng, 90) ? rng_range(rng, 0, 60) : rng_range(rng, 0, 4000);
	const char *prefix = user ? rng_pick(rng, prefixes) : prefixes[1];
	char name[NAME_MAX_LEN + 1];
	size_t name_len = strlen(prefix), end;
	unsigned char *value;

	if (rng_percent(rng, 2))
		len = rng_range(rng, 4000, 60000);
	end = name_len + (rng_percent(rng, 95) ? rng_range(rng, 1, 20)
					       : rng_range(rng, 1, NAME_MAX_LEN - name_len));
	strcpy(name, prefix);
	while (name_len < end)
		name[name_len++] = (char)rng_range(rng, 'a', 'z');
	name[name_len] = '\0';
	value = tool_alloc(len);
	for (size_t i = 0; i < len; i++)
		value[i] = (unsigned char)rng_next(rng);
	xattr_set(proc, name, value, len);
	free(value);
}

/* A few pairs that many files have: they go to the shared area. */
static void xattr_common(struct rng *rng, const char *proc, bool user)
{
	static const char *const common[][2] = {
		{"user.mime_type", "text/plain"},
		{"user.mime_type", "application/octet-stream"},
		{"user.origin", ""},
		{"trusted.md5", "d41d8cd98f00b204e9800998ecf8427e"},
		{"security.mica.label", "system_u:object_r:usr_t:s0"},
		{"security.mica.label", "system_u:object_r:bin_t:s0"},
		{"trusted.a", "1"},
	};
	size_t i = rng_range(rng, 0, sizeof(common) / sizeof(common[0]) - 1);

	if (!user && strncmp(common[i][0], "trusted.", 8))
		return;
	xattr_set(proc, common[i][0], common[i][1], strlen(common[i][1]));
}

static void capability_set(struct rng *rng, const char *proc)
{
	/* Revision 2: magic and flags, then two pairs of permitted and inheritable sets. */
	uint32_t cap[5] = {htole32(0x02000000 | (uint32_t)rng_percent(rng, 50))};

	cap[1] = htole32((uint32_t)rng_next(rng));
	cap[2] = htole32((uint32_t)rng_next(rng) & 0xff);
	xattr_set(proc, "security.capability", cap, sizeof(cap));
}

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

static void acl_set(struct rng *rng, const char *proc, const char *name)
{
	struct {
		uint32_t version;
		struct acl_entry e[12];
	} acl = {.version = htole32(2)};
	unsigned int n = 0, users = (unsigned int)rng_range(rng, 0, 3);
	unsigned int groups = (unsigned int)rng_range(rng, users ? 0 : 1, 3);
	uint32_t id = (uint32_t)rng_range(rng, 1, 100000);
	uint16_t mode = (uint16_t)rng_range(rng, 0, 0777);
	const uint32_t none = UINT32_MAX;

	acl.e[n++] = (struct acl_entry){htole16(1), htole16(mode >> 6), none};
	for (unsigned int i = 0; i < users; i++)
		acl.e[n++] = (struct acl_entry){htole16(2), htole16(rng_range(rng, 0, 7)),
						htole32(id + i * 7)};
	acl.e[n++] = (struct acl_entry){htole16(4), htole16(rng_range(rng, 0, 7)), none};
	for (unsigned int i = 0; i < groups; i++)
		acl.e[n++] = (struct acl_entry){htole16(8), htole16(rng_range(rng, 0, 7)),
						htole32(id + i * 70000)};
	acl.e[n++] = (struct acl_entry){htole16(16), htole16(mode >> 3 & 7), none};
	acl.e[n++] = (struct acl_entry){htole16(32), htole16(mode & 7), none};
	xattr_set(proc, name, &acl, sizeof(acl.version) + n * sizeof(acl.e[0]));
}

static void xattrs_apply(struct rng *rng, int dirfd, const char *name, mode_t type)
{
	bool user = S_ISREG(type) || S_ISDIR(type);
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char proc[64];

	if (fd < 0)
		tool_die_errno("%s", name);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	for (uint64_t n = rng_percent(rng, 25) ? rng_range(rng, 1, 3) : 0; n; n--)
		xattr_common(rng, proc, user);
	for (uint64_t n = rng_percent(rng, 12) ? rng_range(rng, 1, 4) : 0; n; n--)
		xattr_own(rng, proc, user);
	if (S_ISREG(type) && rng_percent(rng, 6))
		capability_set(rng, proc);
	if (!S_ISLNK(type) && rng_percent(rng, 8))
		acl_set(rng, proc, "system.posix_acl_access");
	if (S_ISDIR(type) && rng_percent(rng, 15))
		acl_set(rng, proc, "system.posix_acl_default");
	close(fd);
}

void meta_apply(struct rng *rng, const struct meta_limits *limits, int dirfd, const char *name,
		mode_t type)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	/* A change of owner drops setuid bits and capabilities, so it comes first. */
	if (fchownat(dirfd, name, id_pick(rng), id_pick(rng), AT_SYMLINK_NOFOLLOW) < 0)
		tool_die_errno("%s: chown", name);
	if (!S_ISLNK(type) && fchmodat(dirfd, name, mode_pick(rng, type), 0) < 0)
		tool_die_errno("%s: chmod", name);
	if (!limits->no_xattrs)
		xattrs_apply(rng, dirfd, name, type);
	times[1] = time_pick(rng);
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		tool_die_errno("%s: utimensat", name);
}
