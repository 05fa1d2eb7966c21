/* SPDX-License-Identifier: MIT */
/*
 * The threads that serve a connection. One of them leads: it takes requests and answers them
 * itself, so that one client after whose request the next one comes is served by one thread, on a CPU
 * that it shares with the client where the kernel finds that best. Before something that takes
 * time it hands the lead to another thread; a watchdog does it for it when it did not think
 * of it.
 */
#ifndef MICA_MOUNT_SERVE_H
#define MICA_MOUNT_SERVE_H

#include <fuse_lowlevel.h>

struct mica_server;

/* threads: at most; 1: one after another */
int mica_server_new(struct fuse_session *fuse, unsigned int threads, struct mica_server **out);
/* Serves until the session ends. 0 or -errno. */
int mica_server_run(struct mica_server *server);
void mica_server_free(struct mica_server *server);

/*
 * What the calling thread does next takes time: another one takes requests from here on. server may be
 * NULL
 */
void mica_server_hand_over(struct mica_server *server);

#endif
