/* SPDX-License-Identifier: MIT */
#include "platform.h"

#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

#include "../lib/util.h"

#define VARIANT_BEST 1000u

/* uname(2)'s names of machines. */
static const struct {
	const char *machine, *arch, *variant;
} machines[] = {
	{"x86_64", "amd64", ""},
	{"aarch64", "arm64", ""},
	{"armv6l", "arm", "v6"},
	{"armv7l", "arm", "v7"},
	{"armv8l", "arm", "v7"},
	{"i386", "386", ""},
	{"i486", "386", ""},
	{"i586", "386", ""},
	{"i686", "386", ""},
	{"ppc64le", "ppc64le", ""},
	{"s390x", "s390x", ""},
	{"riscv64", "riscv64", ""},
	{"loongarch64", "loong64", ""},
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	{"mips", "mipsle", ""},
	{"mips64", "mips64le", ""},
#endif
};

/* What an architecture means without a variant. */
static const struct {
	const char *arch, *variant;
} usual[] = {
	{"amd64", "v1"},
	{"arm", "v7"},
	{"arm64", "v8"},
};

static bool part_set(char out[MICA_PLATFORM_PART], const char *text, size_t len)
{
	if (len >= MICA_PLATFORM_PART)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

bool mica_platform_set(struct mica_platform *p, const char *os, const char *arch,
		       const char *variant)
{
	if (!variant)
		variant = "";
	return part_set(p->os, os, strlen(os)) && part_set(p->arch, arch, strlen(arch)) &&
	       part_set(p->variant, variant, strlen(variant));
}

int mica_platform_parse(const char *text, struct mica_platform *out, struct mica_err *err)
{
	struct mica_platform p = {0};
	char *const parts[] = {p.os, p.arch, p.variant};
	const char *rest = text;
	size_t n = 0, len;

	do {
		len = strcspn(rest, "/");
		if (!len || n == 3 || !part_set(parts[n++], rest, len))
			break;
		rest += len;
	} while (*rest++);
	/* it went through up to the end, which it stepped over */
	if (n < 2 || rest != text + strlen(text) + 1)
		return mica_err_set(err, MICA_E_USAGE,
				    "'%s' is not OS/ARCH or OS/ARCH/VARIANT, such as linux/arm/v7",
				    text);
	*out = p;
	return 0;
}

void mica_platform_host(struct mica_platform *out)
{
	struct utsname u = {0};

	uname(&u);
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (strcmp(u.machine, machines[i].machine) != 0)
			continue;
		mica_platform_set(out, "linux", machines[i].arch, machines[i].variant);
		return;
	}
	*out = (struct mica_platform){.os = "linux"};
	part_set(out->arch, u.machine, strnlen(u.machine, MICA_PLATFORM_PART - 1));
}

static const char *variant_of(const struct mica_platform *p)
{
	for (size_t i = 0; !*p->variant && i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!strcmp(p->arch, usual[i].arch))
			return usual[i].variant;
	return p->variant;
}

/* The n of "vn", 0: it is no such variant. */
static unsigned int variant_number(const char *variant)
{
	unsigned int n = 0;

	if (*variant++ != 'v')
		return 0;
	for (; *variant; variant++) {
		if (!isdigit((unsigned char)*variant) || n >= VARIANT_BEST / 10)
			return 0;
		n = n * 10 + (unsigned int)(*variant - '0');
	}
	return n;
}

unsigned int mica_platform_rank(const struct mica_platform *want, const struct mica_platform *has)
{
	const char *a = variant_of(want), *b = variant_of(has);
	unsigned int n = variant_number(b);

	if (strcmp(want->os, has->os) != 0 || strcmp(want->arch, has->arch) != 0)
		return 0;
	if (!strcmp(a, b))
		return VARIANT_BEST;
	return n <= variant_number(a) ? n : 0;
}

void mica_platform_format(const struct mica_platform *p, char out[MICA_PLATFORM_TEXT])
{
	snprintf(out, MICA_PLATFORM_TEXT, "%s/%s%s%s", p->os, p->arch, *p->variant ? "/" : "",
		 p->variant);
	for (char *c = out; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			*c = '?';
}
