/*
 * The service thread: one per process, started when the first session needs it. It
 * finishes handshakes nobody drives, flushes what the kernel would not take, lingers
 * for close and enforces the handshake timeout.
 */
#ifndef SHIM_SESSION_SERVICE_H
#define SHIM_SESSION_SERVICE_H

#include "shim/session/session.h"

/*
 * Has the service look after a session until it is open, flushed and (when lingering)
 * ended. The program's own threads have a few milliseconds to do it first.
 */
void service_watch(struct handle *handle);

/* The same for what the record has begun to hold back: without a lock that other
 * connections take, if it is watched already. */
void service_watch_held(struct handle *handle);

/* A thread of the program sees to this session's handshake, and will for so long: with
 * two at it one would only wait for the other. */
void service_leave(struct handle *handle, int64_t time_ms);

/*
 * The same as service_watch() for a session whose last fd is being closed: the service
 * gets a dup of it, and the program's epoll instance forgets the fd.
 *
 *   linger_ms  in  how long at most
 *
 * Returns  false: a server's handshake, and too many of those linger already.  Strangers
 *          begin them, and each costs an fd that the program believes to have back.
 */
bool service_linger(struct handle *handle, int fd, int64_t linger_ms);

enum service_rest {
    SERVICE_NOTHING,
    SERVICE_ABSORBS, /* what the peer may still send */
    SERVICE_OWES,    /* data that the program has written */
};

/*
 * What is left to do for connections that the program has closed.
 *
 *   before  in  what it was, and is said to be where that cannot be told now
 *
 * Safe     async-signal-safe; waits for no lock.
 */
enum service_rest service_rest(enum service_rest before);

/* Has the service, if it is there, look at what is due. */
void service_wake(void);

/* An open session is in use: whoever looks after it is to be there. */
void service_need(void);

/* Whether there is a thread that goes on with handshakes. Async-signal-safe, both. */
bool service_is_running(void);

/* The program watches fd with epfd: a dup would keep its events coming after close. */
void service_note_epoll(int epfd, int fd);

/* The program closes fd for good, nothing lingers, and the service may have a dup: then
 * fd leaves that epoll here. Async-signal-safe. */
void service_note_close(struct handle *handle, int fd);

/*
 * Gives back the service's own fd of a session in plaintext: as long as it is
 * open, closing the program's ends nothing.
 *
 *   wait  in  false: async-signal-safe
 *
 * Returns  whether that was done.
 */
bool service_forget(struct handle *handle, bool wait);

/* Around fork. */
void service_fork_prepare(void);
void service_fork_parent(void);
void service_fork_child(void);

/*
 * Around a system call that copies the process without libc's fork(): in the child libc
 * would wait for a thread that it believes to be there, in setuid(2) for one.
 */
void service_stop(void);
void service_go_on(void);

#endif
