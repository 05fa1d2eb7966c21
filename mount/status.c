/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/json.h"
#include "../lib/util.h"
#include "overlay/overlay.h"
#include "passthrough.h"

#define SOURCES_MAX (MICA_STATUS_MAX / 2) /* where the last of the sources begins at most */

static const struct {
	unsigned int cap;
	const char *name;
} features[] = {
	{FUSE_CAP_READDIRPLUS, "readdirplus"},
	{FUSE_CAP_PARALLEL_DIROPS, "parallel_dirops"},
	{FUSE_CAP_CACHE_SYMLINKS, "cached_symlinks"},
	{FUSE_CAP_ASYNC_READ, "async_read"},
	{FUSE_CAP_POSIX_ACL, "acl"},
	{FUSE_CAP_WRITEBACK_CACHE, "writeback_cache"},
};

#define FEATURES (2 + sizeof(features) / sizeof(features[0]))

/* The names of what is in force; returns how many. */
static unsigned int features_list(const struct mica_session *s, const char *names[FEATURES])
{
	unsigned int n = 0;

	if (s->no_open)
		names[n++] = "no_open";
	if (s->no_opendir)
		names[n++] = "no_opendir";
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (s->caps & features[i].cap)
			names[n++] = features[i].name;
	return n;
}

static uint64_t cache_used(const struct mica_session *s)
{
	uint64_t used = s->image ? mica_image_cache_used(s->image) : 0;

	for (unsigned int i = 0; s->ovl && i < s->ovl->lower_count; i++)
		if (s->ovl->lowers[i].image)
			used += mica_image_cache_used(s->ovl->lowers[i].image);
	return used;
}

static const char *profile(const struct mica_session *s)
{
	return s->passthrough == MICA_PASSTHROUGH_ON ? "passthrough" : "lean";
}

static bool is_writable(const struct mica_session *s)
{
	return s->ovl && mica_ovl_writable(s->ovl) && !(s->opts->flags & MICA_MOUNT_RO);
}

/* An absolute path for a name from the command line, which the caller frees; NULL: no memory. */
static char *absolute(const struct mica_session *s, const char *name)
{
	char *path;

	if (!name || *name == '/' || !s->cwd)
		return name ? strdup(name) : NULL;
	return asprintf(&path, "%s/%s", s->cwd, name) < 0 ? NULL : path;
}

static int json_write(const struct mica_session *s, bool uring, FILE *f, struct mica_err *err)
{
	const struct mica_mount_opts *o = s->opts;
	cleanup_free char *upper = absolute(s, o->upper);
	const char *names[FEATURES];
	unsigned int n;
	struct mica_json j;

	mica_json_init(&j, f);
	mica_json_object(&j, NULL);
	mica_json_str(&j, "mountpoint", s->mountpoint);
	mica_json_u64(&j, "pid", (uint64_t)getpid());
	mica_json_str(&j, "version", MICA_VERSION);
	mica_json_str(&j, "backend", "fuse");
	mica_json_str(&j, "profile", profile(s));
	mica_json_str(&j, "passthrough", mica_passthrough_name(s->passthrough));
	mica_json_str(&j, "io_uring", mica_uring_name(s, uring));
	mica_json_str(&j, "upper", upper);
	mica_json_bool(&j, "writable", is_writable(s));
	mica_json_u64(&j, "cache_bytes", s->cache_bytes);
	mica_json_u64(&j, "cache_used", cache_used(s));
	mica_json_str(&j, "libfuse", fuse_pkgversion());
	mica_json_u64(&j, "protocol_major", s->proto_major);
	mica_json_u64(&j, "protocol_minor", s->proto_minor);
	mica_json_array(&j, "features");
	n = features_list(s, names);
	for (unsigned int i = 0; i < n; i++)
		mica_json_str(&j, NULL, names[i]);
	mica_json_array_end(&j);
	mica_json_array(&j, "sources");
	for (n = 0; n < o->layers.count && ftello(f) < SOURCES_MAX; n++) {
		cleanup_free char *path = absolute(s, o->layers.v[n]);

		mica_json_str(&j, NULL, path);
	}
	mica_json_array_end(&j);
	mica_json_u64(&j, "sources_left_out", o->layers.count - n);
	mica_json_object_end(&j);
	return mica_json_finish(&j, err);
}

static void text_write(const struct mica_session *s, bool uring, FILE *f)
{
	const struct mica_mount_opts *o = s->opts;
	cleanup_free char *upper = absolute(s, o->upper);
	const char *names[FEATURES];
	unsigned int n = features_list(s, names);

	fprintf(f, "%s: FUSE, profile %s, served by process %d\n", s->mountpoint, profile(s),
		getpid());
	fprintf(f, "  changes:  %s%s\n", is_writable(s) ? "go to " : "none, read-only",
		is_writable(s) && upper ? upper : "");
	fprintf(f, "  cache:    %.1f MiB of decoded data, %.1f at most\n",
		(double)cache_used(s) / (1 << 20), (double)s->cache_bytes / (1 << 20));
	fprintf(f, "  protocol: %u.%u, libfuse %s:", s->proto_major, s->proto_minor,
		fuse_pkgversion());
	for (unsigned int i = 0; i < n; i++)
		fprintf(f, "%s %s", i ? "," : "", names[i]);
	fprintf(f, "\n  passthrough: %s\n", mica_passthrough_name(s->passthrough));
	fprintf(f, "  io_uring: %s\n", mica_uring_name(s, uring));
	fprintf(f, "  sources, bottom to top:\n");
	for (n = 0; n < o->layers.count && ftello(f) < SOURCES_MAX; n++) {
		cleanup_free char *path = absolute(s, o->layers.v[n]);

		fprintf(f, "    %s\n", path ? path : o->layers.v[n]);
	}
	if (n < o->layers.count)
		fprintf(f, "    and %u more\n", o->layers.count - n);
}

int mica_status_write(const struct mica_session *s, bool json, bool uring, struct mica_status *out,
		      struct mica_err *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret = 0;

	if (!f)
		return mica_err_nomem(err);
	if (json)
		ret = json_write(s, uring, f, err);
	else
		text_write(s, uring, f);
	if (fclose(f) && !ret)
		ret = mica_err_nomem(err);
	if (!ret && len >= sizeof(out->text))
		ret = mica_err_set(err, MICA_E_LIMIT, "a status of %zu bytes; %zu fit", len,
				   sizeof(out->text) - 1);
	if (!ret)
		memcpy(out->text, text, len + 1);
	return ret;
}
