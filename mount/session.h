/* SPDX-License-Identifier: MIT */
/*
 * One FUSE connection over one image, or over a stack of layers (overlay/): mounted,
 * initialised, served by threads, unmounted.
 */
#ifndef MICA_MOUNT_SESSION_H
#define MICA_MOUNT_SESSION_H

#include <pthread.h>
#include <sys/ioctl.h>

#include <fuse_lowlevel.h>

#include "../lib/image.h"
#include "prefetch.h"
#include "options.h"
#include "serve.h"

/* Asked of the mountpoint by "mica umount": the serving process, in its own name space. */
#define MICA_IOC_SERVER_PID _IOR('M', 1, int)

struct mica_ovl;

/* Why files are read and written by the kernel itself, or are not. */
enum mica_passthrough {
	MICA_PASSTHROUGH_NOT_ASKED,
	MICA_PASSTHROUGH_ONE_IMAGE,  /* no file lies in one of the host's as it is */
	MICA_PASSTHROUGH_NO_LIBRARY, /* libfuse is too old */
	MICA_PASSTHROUGH_NO_KERNEL,
	MICA_PASSTHROUGH_NO_RIGHT, /* the server is not root on the host */
	MICA_PASSTHROUGH_ON,
};
struct mica_paths;
struct mica_recorder;
struct mica_warm;

struct mica_session {
	struct mica_image *image;	    /* owned; NULL: a stack */
	struct mica_ovl *ovl;		    /* owned; NULL: one image */
	const struct mica_super *sb;	    /* the image's */
	const struct mica_mount_opts *opts; /* borrowed */
	struct fuse_session *fuse;	    /* owned */
	struct mica_prefetch *prefetch;	    /* owned */
	const char *mountpoint;		    /* borrowed */
	char *cwd;	      /* owned: what names in opts are relative to; may be NULL */
	uint64_t cache_bytes; /* of decoded data, at most */
	unsigned int caps;    /* FUSE_CAP_* in force */
	unsigned int proto_major, proto_minor;
	enum mica_passthrough passthrough; /* said with INIT, then constant */
	struct mica_server *server;	   /* owned; NULL until it serves */
	struct mica_warm *warm;		   /* owned; NULL: nothing is known of what is read */
	struct mica_recorder *recorder;	   /* owned; NULL: reads are not recorded */
	struct mica_paths *paths;	   /* owned; of the image, when they are */
	pthread_mutex_t paths_lock;
	bool handlers; /* of signals, set */
	bool mounted;
	bool initialised; /* the kernel's INIT was answered */
	bool no_open;	  /* the kernel can do without OPEN */
	bool no_opendir;
	pthread_key_t buffer; /* each thread's struct mica_buffer */
	bool buffer_key;      /* the key exists */
};

/*
 * Opens the image and makes the session. *s is to be cleared with
 * mica_session_clear(), also after an error.
 */
int mica_session_open(struct mica_session *s, const struct mica_mount_opts *opts,
		      struct mica_err *err);

/* Mounts at an absolute path, which stays borrowed, and answers INIT: the mount is live at 0. */
int mica_session_mount(struct mica_session *s, const char *mountpoint, struct mica_err *err);

/* Serves until unmounted or told to stop by SIGTERM, SIGINT or SIGHUP. */
int mica_session_serve(struct mica_session *s, struct mica_err *err);

/* Unmounts if mounted, closes the image. */
void mica_session_clear(struct mica_session *s);
#define cleanup_session cleanup(mica_session_clear)

/* The kernel was told of an inode of the image; listed: with its directory, else alone. */
void mica_session_named(struct mica_session *s, const struct mica_inode *dir, const char *name,
			const struct mica_inode *inode, bool listed);

/* It has read n bytes of it, from off on. */
void mica_session_has_read(struct mica_session *s, const struct mica_inode *inode, uint64_t off,
			   uint64_t n);

/* At least len bytes, owned by the calling thread until its next call; NULL: no memory. */
void *mica_session_buffer(struct mica_session *s, size_t len);

#endif
