/* SPDX-License-Identifier: MIT */
#include "mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/util.h"

extern char **environ;

/* The kernel writes space, tab, newline and backslash as three octal digits. */
static void field_unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = 0;
}

/* "36 35 98:0 /root /mountpoint options [optional...] - type source superoptions" */
static bool line_parse(char *line, const char **path, struct mica_mountinfo *out)
{
	char *save = NULL, *rest = strstr(line, " - ");
	const char *type, *source;

	if (!rest)
		return false;
	*rest = 0;
	strtok_r(line, " ", &save);
	for (int i = 0; i < 3; i++)
		strtok_r(NULL, " ", &save);
	*path = strtok_r(NULL, " ", &save);
	type = strtok_r(rest + 3, " ", &save);
	/* an empty source leaves two spaces, which strtok_r would skip */
	source = save && *save != ' ' ? strtok_r(NULL, " ", &save) : "";
	if (!*path || !type || !source)
		return false;
	snprintf(out->type, sizeof(out->type), "%s", type);
	snprintf(out->source, sizeof(out->source), "%s", source);
	field_unescape((char *)*path);
	field_unescape(out->type);
	field_unescape(out->source);
	return true;
}

int mica_mountinfo_each(mica_mountinfo_seen *seen, void *ctx, struct mica_err *err)
{
	cleanup_file FILE *f = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t cap = 0;
	int ret = 0;

	if (!f)
		return mica_err_sys(err, errno, "/proc/self/mountinfo: open");
	while (!ret && getline(&line, &cap, f) > 0) {
		struct mica_mountinfo info;
		const char *at;

		line[strcspn(line, "\n")] = 0;
		if (line_parse(line, &at, &info))
			ret = seen(ctx, at, &info, err);
	}
	return ret;
}

struct find {
	const char *path;
	struct mica_mountinfo *out;
	bool found;
};

static int find_seen(void *ctx, const char *path, const struct mica_mountinfo *info,
		     struct mica_err *err)
{
	struct find *find = ctx;

	(void)err;
	if (strcmp(path, find->path))
		return 0;
	/* later lines lie on top */
	*find->out = *info;
	find->found = true;
	return 0;
}

int mica_mountinfo_find(const char *path, struct mica_mountinfo *out, struct mica_err *err)
{
	struct find find = {.path = path, .out = out};
	int ret = mica_mountinfo_each(find_seen, &find, err);

	return ret ? ret : find.found;
}

int mica_mountinfo_resolve(const char *path, char *out, struct mica_err *err)
{
	char parent[PATH_MAX], name[PATH_MAX];
	size_t len;
	char *slash;

	if (realpath(path, out))
		return 0;
	if (errno != ENOTCONN && errno != EACCES && errno != EIO)
		return mica_err_sys(err, errno, "%s", path);
	/* the mount is dead or closed to us: resolve what lies above it */
	snprintf(name, sizeof(name), "%s", path);
	for (len = strlen(name); len > 1 && name[len - 1] == '/'; len--)
		name[len - 1] = 0;
	slash = strrchr(name, '/');
	if (slash)
		*slash = 0;
	if (!realpath(!slash ? "." : *name ? name : "/", parent))
		return mica_err_sys(err, errno, "%s", path);
	len = (size_t)snprintf(out, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "",
			       slash ? slash + 1 : name);
	return len < PATH_MAX ? 0 : mica_err_sys(err, ENAMETOOLONG, "%s", path);
}

/* Runs fusermount3 and puts what it says on standard error into said. */
static int fusermount_run(const char *path, bool lazy, char *said, size_t cap, struct mica_err *err)
{
	const char *argv[] = {"fusermount3", "-u", "--", path, NULL, NULL};
	posix_spawn_file_actions_t actions;
	int fds[2], status = 0, ret;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (lazy) {
		argv[2] = "-z";
		argv[3] = "--";
		argv[4] = path;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return mica_err_sys(err, errno, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while (!ret && used + 1 < cap && (n = read(fds[0], said + used, cap - used - 1)) > 0)
		used += (size_t)n;
	close(fds[0]);
	said[used] = 0;
	if (ret == ENOENT)
		return mica_err_set(err, MICA_E_SYS,
				    "%s: fusermount3 is not installed (package fuse3), and only "
				    "root can unmount without it",
				    path);
	if (ret)
		return mica_err_sys(err, ret, "fusermount3");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

static int busy(const char *path, struct mica_err *err)
{
	return mica_err_set(
		err, MICA_E_SYS,
		"%s is busy: a process has a file open or its working directory there "
		"('fuser -vm %s' names it; 'mica umount -l' detaches the mount at once)",
		path, path);
}

int mica_mountinfo_unmount(const char *path, bool lazy, struct mica_err *err)
{
	char said[512];
	int ret;

	if (umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EBUSY)
		return busy(path, err);
	if (errno != EPERM)
		return mica_err_sys(err, errno, "%s: unmount", path);
	ret = fusermount_run(path, lazy, said, sizeof(said), err);
	if (ret <= 0)
		return ret;
	if (strcasestr(said, "busy"))
		return busy(path, err);
	said[strcspn(said, "\n")] = 0;
	return mica_err_set(err, MICA_E_SYS, "%s: %s", path,
			    *said ? said : "fusermount3 failed without a word");
}
