/* SPDX-License-Identifier: MIT */
#include "xattrs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE	  "overlay."
#define NAMES_MAX 1024 /* of an object that is asked for all of them at once */

static const char *prefix(bool userxattr)
{
	return userxattr ? "user.overlay." : "trusted.overlay.";
}

void mica_overlay_xattr(bool userxattr, const char *key, char name[MICA_XATTR_NAME_MAX])
{
	snprintf(name, MICA_XATTR_NAME_MAX, "%s%s", prefix(userxattr), key);
}

long mica_overlay_value(const struct mica_place *place, const char *key, char *buf, size_t cap)
{
	const struct mica_ovl_layer *layer = place->layer;
	char name[MICA_XATTR_NAME_MAX];
	long n = -ENODATA;

	if (layer->image || !layer->userxattr) {
		mica_overlay_xattr(false, key, name);
		n = mica_place_getxattr(place, name, buf, cap - 1);
	}
	if (n < 0 && layer->userxattr) {
		mica_overlay_xattr(true, key, name);
		n = mica_place_getxattr(place, name, buf, cap - 1);
	}
	buf[n < 0 ? 0 : n] = 0;
	return n;
}

bool mica_overlay_marked(const struct mica_place *place, const char *key, char *value)
{
	char buf[128]; /* a digest of the data may follow metacopy */
	long n = mica_overlay_value(place, key, buf, sizeof(buf));

	if (value)
		*value = buf[0];
	return n >= 0;
}

bool mica_overlay_bare(const struct mica_place *place)
{
	char names[NAMES_MAX];
	long n = place->layer->image ? -1 : mica_place_listxattr(place, names, sizeof(names));

	for (const char *name = names; n > 0 && name < names + n; name += strlen(name) + 1)
		if (!strncmp(name, prefix(true), strlen(prefix(true))) ||
		    !strncmp(name, prefix(false), strlen(prefix(false))))
			return false;
	return n >= 0;
}

/* fuse-overlayfs has some of its own. */
static bool foreign(const char *name)
{
	return !strncmp(name, "user.fuseoverlayfs.", 19);
}

int mica_overlay_name_store(bool userxattr, const char *name, char out[MICA_XATTR_NAME_MAX])
{
	size_t head = strlen(prefix(userxattr));
	bool escape = !strncmp(name, prefix(userxattr), head);
	int n;

	if (foreign(name))
		return -EPERM;
	if (!escape)
		head = 0;
	n = snprintf(out, MICA_XATTR_NAME_MAX, "%.*s%s%s", (int)head, name, escape ? ESCAPE : "",
		     name + head);
	return n >= MICA_XATTR_NAME_MAX ? -ERANGE : 0;
}

bool mica_overlay_name_show(bool userxattr, const char *name, char out[MICA_XATTR_NAME_MAX])
{
	size_t head = strlen(prefix(userxattr)), skip = 0;

	if (foreign(name))
		return false;
	if (!strncmp(name, prefix(userxattr), head)) {
		if (strncmp(name + head, ESCAPE, strlen(ESCAPE)))
			return false;
		skip = strlen(ESCAPE);
	} else {
		head = 0;
	}
	snprintf(out, MICA_XATTR_NAME_MAX, "%.*s%s", (int)head, name, name + head + skip);
	return true;
}

size_t mica_overlay_names_show(bool userxattr, bool trusted, char *names, size_t len)
{
	char shown[MICA_XATTR_NAME_MAX];
	size_t used = 0, n;

	for (char *name = names; name < names + len; name += n) {
		n = strlen(name) + 1;
		if (!trusted && !strncmp(name, "trusted.", 8))
			continue;
		/* what is shown is never longer than what it was */
		if (mica_overlay_name_show(userxattr, name, shown)) {
			size_t keep = strlen(shown) + 1;

			memmove(names + used, shown, keep);
			used += keep;
		}
	}
	return used;
}
