/*
 * How a blocking program waits on a governed socket: as the kernel would have it wait.
 */
#ifndef SHIM_INTERPOSE_WAIT_H
#define SHIM_INTERPOSE_WAIT_H

#include "shim/session/session.h"

/*
 * After a session_read() that found nothing, waits until another one is worth it; at once
 * -EAGAIN on a non-blocking fd.
 *
 *   flags  in  MSG_DONTWAIT counts
 *
 * Returns  0 try again; -EAGAIN would block, or SO_RCVTIMEO is over; -EINTR.
 * Safe     a cancellation point; no lock is held.
 */
int wait_readable(struct handle *handle, int fd, int flags);

/* How far a call has come, and the time left of SO_SNDTIMEO or SO_RCVTIMEO. */
struct wait_limit {
    bool begun;
    bool some;        /* a part has been moved: any signal ends the call */
    int64_t until_ms; /* CLOCK_MONOTONIC; -1 = no limit */
};

/* The same for session_write(); *progress is zeroed before a call's first wait. */
int wait_writable(struct handle *handle, int fd, int flags, struct wait_limit *progress);

/* As wait_readable() for a call that has read something: a signal ends it in any case. */
int wait_more(struct handle *handle, int fd, int flags, struct wait_limit *progress);

/* Waits for at most so long for the handshake; returns 0 open or still under way; -errno.
 */
int wait_handshake(struct handle *handle, int fd, int64_t wait_ms);

/* Whether fd is O_NONBLOCK; asked from the kernel once, until wait_forget_mode(). */
bool wait_is_nonblocking(struct handle *handle, int fd);
void wait_forget_mode(struct handle *handle);

/* Whether another process is at work on this session's handshake: only time can help. */
bool wait_for_other_process(const struct handle *handle);

/* Once, before anything is governed. */
void wait_init(void);

#endif
