/* SPDX-License-Identifier: MIT */
#include "dump.h"

#include <inttypes.h>

#include "show.h"

#define LABEL_WIDTH 24

static void dump_label(const char *label)
{
	int n = printf("%s:", label);

	printf("%*s", n < LABEL_WIDTH ? LABEL_WIDTH - n : 1, "");
}

void mica_dump_u64(struct mica_dump *d, const char *label, const char *key, uint64_t v)
{
	if (d->json) {
		mica_json_u64(&d->j, key, v);
		return;
	}
	dump_label(label);
	printf("%" PRIu64 "\n", v);
}

void mica_dump_i64(struct mica_dump *d, const char *label, const char *key, int64_t v)
{
	if (d->json) {
		mica_json_i64(&d->j, key, v);
		return;
	}
	dump_label(label);
	printf("%" PRId64 "\n", v);
}

void mica_dump_hex(struct mica_dump *d, const char *label, const char *key, uint64_t v)
{
	if (d->json) {
		mica_json_u64(&d->j, key, v);
		return;
	}
	dump_label(label);
	printf("0x%" PRIx64 "\n", v);
}

void mica_dump_str(struct mica_dump *d, const char *label, const char *key, const char *v)
{
	if (d->json) {
		mica_json_str(&d->j, key, v);
		return;
	}
	dump_label(label);
	mica_show_text(stdout, v);
	putchar('\n');
}

void mica_dump_ratio(struct mica_dump *d, const char *label, const char *key, double v)
{
	if (d->json) {
		mica_json_double(&d->j, key, v);
		return;
	}
	dump_label(label);
	printf("%.3f\n", v);
}

void mica_dump_section(struct mica_dump *d, const char *label, const char *key)
{
	if (d->json)
		mica_json_object(&d->j, key);
	else
		printf("\n%s\n", label);
}

void mica_dump_section_end(struct mica_dump *d)
{
	if (d->json)
		mica_json_object_end(&d->j);
}
