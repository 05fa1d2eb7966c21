/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "ops.h"
#include "overlay/ops.h"
#include "passthrough.h"
#include "paths.h"
#include "recorder.h"
#include "warm.h"

#define THREADS_DEFAULT 10
#define CACHE_DEFAULT	(64ULL << 20)
#define CACHE_LEAST	(8ULL << 20)
#define CACHE_SHARE	8 /* part of the free memory that the default may take */
#define MMAP_THRESHOLD	(256 << 10)
#define READAHEAD_KB	1024

struct mica_buffer {
	size_t cap;
	char bytes[];
};

/* Reused from request to request: a fresh one of this size would be mapped and zeroed each time. */
void *mica_session_buffer(struct mica_session *s, size_t len)
{
	struct mica_buffer *b = pthread_getspecific(s->buffer);

	if (b && b->cap >= len)
		return b->bytes;
	free(b);
	len = mica_round_up(len + 1, 1 << 16);
	b = malloc(sizeof(*b) + len);
	if (b)
		b->cap = len;
	pthread_setspecific(s->buffer, b);
	return b ? b->bytes : NULL;
}

/* The option string for libfuse. The name may hold anything, so it is escaped. */
static int fuse_words(const struct mica_mount_opts *o, const char *fsname, char **out,
		      struct mica_err *err)
{
	cleanup_free char *name = NULL, *subtype = NULL;
	char *words = NULL;
	const char *flags[] = {
		o->upper && !(o->flags & MICA_MOUNT_RO) ? "rw" : "ro",
		o->flags & MICA_MOUNT_SUID ? "suid" : "nosuid",
		o->flags & MICA_MOUNT_DEV ? "dev" : "nodev",
		o->flags & MICA_MOUNT_NOEXEC ? "noexec" : NULL,
		o->flags & MICA_MOUNT_NOATIME ? "noatime" : NULL,
		o->flags & MICA_MOUNT_ALLOW_OTHER ? "allow_other" : NULL,
		o->flags & MICA_MOUNT_DEFAULT_PERMISSIONS ? "default_permissions" : NULL,
		o->flags & MICA_MOUNT_AUTO_UNMOUNT ? "auto_unmount" : NULL,
		MICA_CAP_URING && o->flags & MICA_MOUNT_IO_URING ? "io_uring" : NULL,
	};
	int bad = 0;

	if (asprintf(&name, "fsname=%s", fsname) < 0 ||
	    asprintf(&subtype, "subtype=%s", o->subtype) < 0)
		return mica_err_nomem(err);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		bad |= flags[i] && fuse_opt_add_opt(&words, flags[i]);
	bad |= fuse_opt_add_opt(&words, subtype) || fuse_opt_add_opt_escaped(&words, name);
	if (bad) {
		free(words);
		return mica_err_nomem(err);
	}
	*out = words;
	return 0;
}

static int fuse_open(struct mica_session *s, struct mica_err *err)
{
	const char *image = s->ovl ? "mica" : s->opts->image;
	cleanup_free char *words = NULL, *full = s->ovl ? NULL : realpath(image, NULL);
	const char *fsname = s->opts->fsname ? s->opts->fsname : full ? full : image;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	char said[256];
	int bad;

	if (fuse_words(s->opts, fsname, &words, err))
		return err->code;
	bad = fuse_opt_add_arg(&args, "mica") || fuse_opt_add_arg(&args, "-o") ||
	      fuse_opt_add_arg(&args, words);
	mica_log_collect_begin(said, sizeof(said));
	if (!bad)
		s->fuse = fuse_session_new(&args, s->ovl ? &mica_ovl_ops : &mica_ops,
					   sizeof(mica_ops), s);
	mica_log_collect_end();
	fuse_opt_free_args(&args);
	if (!s->fuse)
		return mica_err_set(err, MICA_E_SYS, "no FUSE session: %s",
				    *said ? said : "out of memory");
	return 0;
}

/* Less where memory is short. */
static uint64_t cache_default(void)
{
	uint64_t free_bytes = UINT64_MAX;
	unsigned long long kb;
	char line[128];
	cleanup_file FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			free_bytes = (uint64_t)kb << 10;
	return mica_min(mica_max(free_bytes / CACHE_SHARE, CACHE_LEAST), CACHE_DEFAULT);
}

/*
 * Many threads ask for large buffers of different sizes: these go back to the system
 * at once, and what is small shares its holes, so that the cache's cap means something.
 */
static void memory_settle(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
#endif
}

/* CPUs that this process may use, but no more than what serves. */
static unsigned int prefetch_threads(const struct mica_mount_opts *opts)
{
	unsigned int cpus = 1;
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof(set), &set))
		cpus = (unsigned int)CPU_COUNT(&set);
	return opts->threads ? (unsigned int)mica_min(cpus, opts->threads) : cpus;
}

static void prefetch_store(void *ctx, uint64_t nid, const void *data, size_t len)
{
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(len);
	struct mica_session *s = ctx;

	buf.buf[0].mem = (void *)data;
	/* fails where the kernel has forgotten the node, which is as well */
	fuse_lowlevel_notify_store(s->fuse, mica_node_from_nid(s->sb, nid), 0, &buf, 0);
}

static int open_stack(struct mica_session *s, struct mica_err *err)
{
	const struct mica_mount_opts *o = s->opts;
	const struct mica_ovl_opts opts = {
		.lowers = o->layers.v,
		.lower_count = o->layers.count,
		.upper = o->upper,
		.work = o->work,
		.flags = (o->flags & MICA_MOUNT_VOLATILE ? MICA_OVL_VOLATILE : 0) |
			 (o->flags & MICA_MOUNT_NO_REDIRECT ? 0 : MICA_OVL_REDIRECT) |
			 (o->flags & (MICA_MOUNT_REDIRECT | MICA_MOUNT_METACOPY)
				  ? MICA_OVL_REDIRECT_USER
				  : 0) |
			 (o->flags & MICA_MOUNT_DOT_WHITEOUTS ? MICA_OVL_DOT_WHITEOUTS : 0) |
			 (o->flags & MICA_MOUNT_NO_WRITEBACK ? 0 : MICA_OVL_WRITEBACK) |
			 (o->flags & MICA_MOUNT_METACOPY ? MICA_OVL_METACOPY : 0) |
			 (o->flags & MICA_MOUNT_STATIC_NLINK ? MICA_OVL_STATIC_NLINK : 0) |
			 (o->flags & MICA_MOUNT_NOXATTRS ? MICA_OVL_NOXATTRS : 0) |
			 (o->flags & MICA_MOUNT_USERXATTR ? MICA_OVL_USERXATTR : 0),
		.owners = o->owners,
		.timeout = o->flags & MICA_MOUNT_TIMEOUT ? o->timeout : MICA_OPS_FOREVER,
		.ids = &o->ids,
		.cache_bytes = s->cache_bytes,
	};
	struct rlimit files;

	/* modes are as the kernel says, which knows the caller's mask */
	umask(0);
	/* what lost its name is held open */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return mica_ovl_new(&opts, &s->ovl, err);
}

static int open_image(struct mica_session *s, struct mica_err *err)
{
	const struct mica_mount_opts *opts = s->opts;
	const struct mica_image_opts image_opts = {
		.cache_bytes = s->cache_bytes,
	};
	const struct mica_prefetch_ops prefetch_ops = {.store = prefetch_store, .ctx = s};
	const struct mica_image_files files = {
		.path = opts->image,
		.offset = opts->offset,
		.devices = opts->devices.v,
		.device_count = opts->devices.count,
	};
	int ret;

	ret = mica_image_open_files(&files, &image_opts, &s->image, err);
	if (ret)
		return ret;
	s->sb = mica_image_super(s->image);
	if (s->recorder)
		ret = mica_paths_new(s->sb->root_nid, &s->paths, err);
	if (ret)
		return ret;
	return mica_prefetch_new(s->image, image_opts.cache_bytes, prefetch_threads(opts),
				 &prefetch_ops, &s->prefetch, err);
}

/* Before the directory and the mask of the process change. */
static int open_recorder(struct mica_session *s, struct mica_err *err)
{
	if (!s->opts->trace || s->opts->fake)
		return 0;
	/* a file that may not grow is an error of write(2), and not the end of the mount */
	signal(SIGXFSZ, SIG_IGN);
	return mica_recorder_new(s->opts->trace, &s->recorder, err);
}

/* A stack has one cache for each of its images. */
static int open_warm(struct mica_session *s, struct mica_err *err)
{
	unsigned int lowers = s->ovl ? (unsigned int)mica_max(1, s->ovl->lower_count) : 1;
	cleanup_free struct mica_image **images = calloc(lowers, sizeof(struct mica_image *));
	struct mica_warm_opts opts = {
		.file = s->opts->prefetch,
		.images = images,
		.cache_bytes = s->cache_bytes / lowers,
		.threads = prefetch_threads(s->opts),
	};

	if (!s->opts->prefetch)
		return 0;
	if (!images)
		return mica_err_nomem(err);
	if (s->image)
		images[opts.image_count++] = s->image;
	for (unsigned int i = s->ovl ? s->ovl->lower_count : 0; i-- > 0;)
		if (s->ovl->lowers[i].image)
			images[opts.image_count++] = s->ovl->lowers[i].image;
	if (mica_warm_new(&opts, &s->warm, err))
		return mica_err_wrap(err, "--prefetch");
	return 0;
}

int mica_session_open(struct mica_session *s, const struct mica_mount_opts *opts,
		      struct mica_err *err)
{
	int ret;

	*s = (struct mica_session){
		.opts = opts,
		.cache_bytes = opts->cache_bytes ? opts->cache_bytes : cache_default(),
	};
	s->cwd = getcwd(NULL, 0);
	pthread_mutex_init(&s->paths_lock, NULL);
	memory_settle();
	ret = open_recorder(s, err);
	if (ret)
		return ret;
	ret = opts->image ? open_image(s, err) : open_stack(s, err);
	if (!ret)
		ret = open_warm(s, err);
	if (ret)
		return ret;
	ret = pthread_key_create(&s->buffer, free);
	if (ret)
		return mica_err_sys(err, ret, "thread key");
	s->buffer_key = true;
	mica_log_take_fuse();
	return fuse_open(s, err);
}

void mica_session_named(struct mica_session *s, const struct mica_inode *dir, const char *name,
			const struct mica_inode *inode, bool listed)
{
	if (!s->paths) {
		mica_prefetch_named(s->prefetch, inode, listed);
		return;
	}
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return;
	/* what is handed out ahead is never asked for: so nothing is, and the record is whole */
	pthread_mutex_lock(&s->paths_lock);
	/* without a name its reads are missing, which is no reason to fail the lookup */
	mica_paths_add(s->paths, inode->nid, dir->nid, name, NULL);
	pthread_mutex_unlock(&s->paths_lock);
}

void mica_session_has_read(struct mica_session *s, const struct mica_inode *inode, uint64_t off,
			   uint64_t n)
{
	char path[PATH_MAX];
	bool found;

	if (!s->recorder)
		return;
	pthread_mutex_lock(&s->paths_lock);
	found = mica_paths_get(s->paths, inode->nid, path);
	pthread_mutex_unlock(&s->paths_lock);
	if (found)
		mica_recorder_read(s->recorder, path, off, n, !off && n == inode->size);
}

static bool program_exists(const char *name)
{
	cleanup_free char *path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	char *save = NULL, full[PATH_MAX];

	for (char *dir = path ? strtok_r(path, ":", &save) : NULL; dir;
	     dir = strtok_r(NULL, ":", &save)) {
		snprintf(full, sizeof(full), "%s/%s", dir, name);
		if (!access(full, X_OK))
			return true;
	}
	return false;
}

/* libfuse only prints why it could not mount; find the causes that a newcomer meets. */
static int mount_explain(const char *mountpoint, const char *said, struct mica_err *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	int sys = errno;

	if (fd >= 0)
		close(fd);
	if (fd < 0 && (sys == ENOENT || sys == ENODEV || sys == ENXIO))
		return mica_err_set(err, MICA_E_SYS,
				    "/dev/fuse is missing: load the kernel's module with 'modprobe "
				    "fuse', or give the container the device (--device /dev/fuse)");
	if (fd < 0)
		return mica_err_sys(err, sys, "/dev/fuse: open (mounting needs access to it)");
	if (geteuid() != 0 && !program_exists("fusermount3"))
		return mica_err_set(err, MICA_E_SYS,
				    "fusermount3 is not installed (package fuse3), and only root "
				    "can mount without it");
	/* where mount(2) is not permitted, fusermount3 tried and printed its reason */
	return mica_err_set(err, MICA_E_SYS, "mount on %s failed: %s", mountpoint,
			    *said ? said : "fusermount3 refused");
}

/*
 * FUSE cannot ask for more readahead than the kernel's default; root can set it from outside.
 * Nobody serves yet: the kernel must not ask for anything to answer what the device is.
 */
static void readahead_raise(const char *mountpoint)
{
	struct statx st;
	char path[64];
	FILE *f;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &st) < 0)
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", st.stx_dev_major,
		 st.stx_dev_minor);
	f = fopen(path, "we");
	if (!f)
		return;
	fprintf(f, "%d\n", READAHEAD_KB);
	fclose(f);
}

/* The kernel's first request is INIT; serve until it is answered. */
static int handshake(struct mica_session *s, struct mica_err *err)
{
	struct fuse_buf buf = {.mem = NULL};
	int n = 0;

	while (!s->initialised && !fuse_session_exited(s->fuse)) {
		n = fuse_session_receive_buf(s->fuse, &buf);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		fuse_session_process_buf(s->fuse, &buf);
	}
	free(buf.mem);
	if (s->initialised && !fuse_session_exited(s->fuse))
		return 0;
	if (n < 0)
		return mica_err_sys(err, -n, "first request of the kernel");
	return mica_err_set(err, MICA_E_SYS, "interrupted or unmounted before the mount was live");
}

int mica_session_mount(struct mica_session *s, const char *mountpoint, struct mica_err *err)
{
	char said[512];
	int ret;

	if (fuse_set_signal_handlers(s->fuse))
		return mica_err_set(err, MICA_E_SYS, "cannot set signal handlers");
	s->handlers = true;
	s->mountpoint = mountpoint;
	mica_log_collect_begin(said, sizeof(said));
	ret = fuse_session_mount(s->fuse, mountpoint);
	s->mounted = !ret;
	if (!ret)
		ret = handshake(s, err);
	else
		ret = mount_explain(mountpoint, said, err);
	mica_log_collect_end();
	if (!ret)
		readahead_raise(mountpoint);
	return ret;
}

/*
 * What is handed out ahead may wait for a page that the kernel has just asked for.
 * So when the threads that serve are gone, serve on until nothing waits.
 */
static void prefetch_finish(struct mica_session *s)
{
	struct fuse_buf buf = {.mem = NULL};
	struct pollfd fd = {.fd = fuse_session_fd(s->fuse), .events = POLLIN};

	while (!mica_prefetch_stop(s->prefetch)) {
		if (poll(&fd, 1, 1) > 0 && fd.revents & POLLIN &&
		    fuse_session_receive_buf(s->fuse, &buf) > 0)
			fuse_session_process_buf(s->fuse, &buf);
	}
	free(buf.mem);
}

int mica_session_serve(struct mica_session *s, struct mica_err *err)
{
	unsigned int threads = s->opts->threads ? s->opts->threads : THREADS_DEFAULT;
	int ret = mica_server_new(s->fuse, threads, &s->server);

	mica_warm_start(s->warm);
	if (!ret)
		ret = mica_server_run(s->server);
	if (s->prefetch)
		prefetch_finish(s);
	if (ret < 0)
		return mica_err_sys(err, -ret, "serving the mount");
	return 0;
}

void mica_session_clear(struct mica_session *s)
{
	mica_warm_free(s->warm);
	mica_prefetch_free(s->prefetch);
	mica_server_free(s->server);
	if (s->mounted)
		fuse_session_unmount(s->fuse);
	if (s->handlers)
		fuse_remove_signal_handlers(s->fuse);
	if (s->fuse)
		fuse_session_destroy(s->fuse);
	if (s->buffer_key) {
		/* other threads' went with them; the key's destructor does not run for this one */
		free(pthread_getspecific(s->buffer));
		pthread_key_delete(s->buffer);
	}
	mica_image_free(s->image);
	mica_ovl_free(s->ovl);
	free(s->cwd);
	mica_recorder_free(s->recorder);
	mica_paths_free(s->paths);
	pthread_mutex_destroy(&s->paths_lock);
	*s = (struct mica_session){0};
}
