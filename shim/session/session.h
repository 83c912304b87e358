/*
 * A connection's life: new, handshaking, open, closing.
 *
 * struct session is flat and lives in memory shared over fork; struct handle is one
 * process's view of it.  The fd table (table.h) leads from an fd to its handle.
 *
 * Lock order: pool/table locks < session->lock < record rx lock < record tx lock.
 * Nobody waits for the network with any of them held.
 */
#ifndef SHIM_SESSION_SESSION_H
#define SHIM_SESSION_SESSION_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/material.h"
#include "config/policy.h"
#include "shim/libc/libc.h"
#include "shim/record/record.h"
#include "shim/session/audit.h"
#include "shim/session/generation.h"
#include "shim/session/holder.h"
#include "shim/session/peer.h"
#include "shim/session/reason.h"

#define SESSION_NAME_LEN 256
#define SESSION_RULE_LEN 128
/* Plaintext written before the handshake is done: what one batch of records seals. */
#define SESSION_EARLY_LEN RECORD_BATCH_PLAINTEXT_MAX

union session_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

enum session_state {
    SESSION_CONNECTING, /* TCP itself is not established yet */
    SESSION_HANDSHAKING,
    SESSION_OPEN,
    SESSION_FAILED,      /* error says why; every call gives it */
    SESSION_UNCONNECTED, /* no session at all: see session_unconnected */
    SESSION_PLAINTEXT, /* by mode = permissive: its fds leave the table (permissive.h) */
};

/* How far a handshake under mode = permissive is one (permissive.h). */
enum session_permissive {
    SESSION_DECIDED, /* for TLS, as all others are from the start */
    SESSION_UNDECIDED,
    SESSION_DECIDED_PLAINTEXT, /* early data is being sent */
};

struct chain;        /* chain.h */
struct metrics_open; /* metrics_layout.h */
struct handshake;    /* wolfSSL's part; private to the process that drives */

#define SESSION_MAGIC 0x736c746dU /* "mtls" */
#define SESSION_REVISION 2U       /* grows with every change of it, or of struct record */
/* Locks are another thing to another C library. */
#define SESSION_LAYOUT                                                                   \
    ((uint32_t)sizeof(struct session) + LIBC_SESSION_MARK + (SESSION_REVISION << 16))

/* Shared over fork and exec; no pointers. */
struct session {
    uint32_t magic;  /* SESSION_MAGIC while in use */
    uint32_t layout; /* sizeof(struct session): another version of us must not guess */
    uint64_t cookie; /* SO_COOKIE of its socket; 0 = not asked for yet */
    pthread_mutex_t lock; /* guards state changes, early data, driver */
    _Atomic int mappings; /* processes that may look at it: more while they linger */
    _Atomic uint32_t early_len;   /* bytes in the early buffer; changed under the lock */
    struct record record;         /* begins a cache line, and fills what it has begun */
    _Atomic int state;            /* enum session_state; grows only */
    _Atomic int error;            /* errno once FAILED */
    _Atomic bool dialling;        /* a real connect() has not come back yet */
    _Atomic bool error_taken;     /* SO_ERROR has told it */
    _Atomic bool read_error_told; /* once OPEN: a plain socket tells an error once */
    _Atomic bool write_error_told;
    _Atomic bool connect_failed;  /* FAILED because TCP was: the fd may connect anew */
    _Atomic bool write_starved;   /* a writer was turned away since it was told of room */
    _Atomic bool early_was_full;  /* a writer got EAGAIN: it waits for an edge */
    _Atomic bool awaits_answer;   /* of an OCSP responder: only time can help */
    _Atomic int8_t permissive;    /* enum session_permissive; UNDECIDED only at first */
    _Atomic bool decision_wanted; /* what the program does waits for it */
    _Atomic int8_t shut_wanted;   /* 1 + how of a shutdown(2) that waits, 0 = none */
    _Atomic bool closed_logged;
    _Atomic int8_t nonblocking; /* of the file description: 1, 0; -1 = to be asked for */
    _Atomic bool nodelay_borrowed; /* TCP_NODELAY is on, and not the program's choice */
    _Atomic bool nodelay_wanted;   /* the program's choice meanwhile */
    _Atomic bool corked;           /* TCP_CORK as the program has set it, once known */
    _Atomic bool cork_known;       /* the kernel has been asked for it */
    _Atomic bool cork_in_kernel;   /* it holds something back, or may */
    bool is_server;
    bool may_be_plaintext; /* mode = permissive */
    bool resumed;
    bool early_touched; /* the early buffer has been written to */
    uint16_t version;
    uint16_t cipher;           /* IANA number */
    uint16_t group;            /* the same; 0 = none */
    struct holder_set holders; /* whose program has it open */
    _Atomic int64_t driver; /* whose handshake state is live (holder.h); 0 = nobody's */
    int64_t started_us;     /* CLOCK_MONOTONIC, as all of these */
    int64_t deadline_ms;    /* of the handshake; while undecided, of permissive_wait */
    int64_t opened_ms;      /* 0 until open */
    union session_address local, remote;
    char rule[SESSION_RULE_LEN]; /* the name of the one that let it in */
    char own_serial[MATERIAL_SERIAL_LEN];
    uint32_t uid;       /* effective, of who began it */
    uint32_t chain_len; /* once open: of the peer's chain in the early buffer, 0 = none */
    char dialled_name[SESSION_NAME_LEN]; /* empty: an address was dialled */
    struct peer peer;
};

/* Process-private, its memory is never unmapped, so a stale pointer may be looked at. */
struct handle {
    _Atomic uint32_t refs; /* fds + users under way + service; 0 = free */
    _Atomic uint32_t fds;  /* entries of the fd table */
    _Atomic int fd_hint;   /* some fd of it, -1 = none */
    struct session *session;
    uint8_t *early; /* SESSION_EARLY_LEN bytes, shared memory */
    struct record_conn conn;
    struct handshake *handshake; /* under session->lock; NULL when not ours */
    struct chain *chain;    /* the peer's; NULL when another process made the handshake */
    uint64_t resume_number; /* client: in resume_cache.h; 0 = not there */
    _Atomic bool handed_over;      /* keys are in the record, early data may remain */
    bool goes_along;               /* with the exec that is about to be made */
    bool adopted;                  /* another program, or process, has begun it */
    _Atomic bool is_awaited;       /* session_await() */
    _Atomic uint64_t judged_epoch; /* recheck.c's */
    _Atomic uint64_t judged_trust; /* whose anchors have vouched for the peer */
    struct ruling ruling;    /* under session->lock; empty once the session is open */
    _Atomic bool is_counted; /* it has a place in metrics_open.h, or tried to */
    struct metrics_open *counted;     /* the place */
    struct record_count uncounted[2]; /* in and out, where there was none left */
    /* the service thread's, under its lock */
    struct handle *next_watched, *previous_watched;
    _Atomic bool watched;   /* to be read without the lock */
    bool watch_again;       /* asked for while a step was under way */
    _Atomic bool lingering; /* the program has closed its last fd; set by its thread */
    bool is_unfinished;     /* counted by service.c as a server's handshake */
    int service_fd;         /* a dup of the service's own, -1 = none */
    _Atomic int64_t service_after_ms; /* leave it to the program's threads until then */
    _Atomic int64_t linger_until_ms;  /* set before lingering is */
    size_t held_len;                  /* that the record was seen to hold back */
    int64_t held_since_ms;            /* since when */
    uint32_t service_events; /* what epoll watches service_fd for; 0 = not added */
};

/*
 * Makes a session for a TCP socket that the policy governs.
 *
 *   fd          in  the socket, not in the table yet; close-on-exec gets set
 *   connecting  in  the caller is about to connect() and calls session_dialled() then
 *   ruling  in  mode mtls or permissive; the session takes a reference of its own
 *   local, remote  in  NULL: asked from the kernel; not with mode permissive
 *   name    in  the name dialled, NULL = none
 *
 * Returns  0, the fd is in the table; 1, it is left in plaintext, as the rule is
 * permissive and the peer has spoken already; -errno and nothing has changed.
 */
int session_open(int fd, bool is_server, bool connecting, const struct ruling *ruling,
                 const union session_address *local, const union session_address *remote,
                 const char *name);

/*
 * The real connect() has come back for a session that was opened as connecting.
 *
 *   connected  in  TCP is established; false: it is under way
 */
void session_dialled(struct handle *handle, int fd, bool connected);

/*
 * Goes on with the handshake as far as possible without blocking.
 *
 *   events  out  what to poll the fd for when -EAGAIN: POLLIN or POLLOUT
 *
 * Returns  0 open; -EAGAIN under way; other -errno: failed (sticky).
 */
int session_drive(struct handle *handle, int fd, short *events);

/* Non-blocking I/O in every state; results as record_read() and record_write(). */
ssize_t session_read(struct handle *handle, int fd, const struct iovec *iov, int count,
                     int flags);
ssize_t session_write(struct handle *handle, int fd, const struct iovec *iov, int count,
                      int flags);

/*
 * What a call that has failed with result (-errno) is to tell the program: a plain socket
 * tells an error once, then an end of stream when read, EPIPE when written to.
 */
ssize_t session_tell_read(struct handle *handle, ssize_t result);
ssize_t session_tell_write(struct handle *handle, ssize_t result);

/*
 * The caller's own system call has met, and so taken, an error of the socket.
 *
 *   event  in  POLLIN: a reading call is to tell it; POLLOUT: a writing one
 */
void session_broken(struct handle *handle, int fd, short event, int error);

int session_readable(struct handle *handle, int fd); /* 1: a read would not block */
int session_writable(struct handle *handle);         /* 0: early buffer full */
size_t session_available(struct handle *handle, int fd);
/* How many bytes session_write() is sure to take all of now; 0 = it would block. */
size_t session_room(struct handle *handle, int fd);

/* The program is about to wait for something to read: a handshake that is under way will
 * be seen to, at its next flight, by session_readable() or session_read(). */
void session_await(struct handle *handle);

/*
 * Where what is to be written is best put: record_write_layout(), where there is a
 * record.
 *
 * Returns  how many pieces of stage, of len bytes together or of a batch.
 */
int session_layout(const struct handle *handle, uint8_t *stage, size_t len,
                   struct iovec iov[RECORD_BATCH_COUNT]);

/* shutdown(2) on a governed socket; never blocks. Returns 0 or -errno. */
int session_shutdown(struct handle *handle, int fd, int how);

/* Does a shutdown that waited, once nothing is buffered. Returns 0, -EAGAIN, -errno. */
int session_finish_shutdown(struct handle *handle, int fd);

/*
 * TCP_NODELAY as the program sees it.  From the handshake to the program's first data it
 * is on whatever the program chose: else that data would wait for the ACK of our last
 * flight, where plain TCP has nothing to wait for (RFC 896).
 *
 * Returns  the value or 0; -ENOTTY: nothing is borrowed, ask the kernel.
 */
int session_get_nodelay(struct handle *handle);
int session_set_nodelay(struct handle *handle, bool on);
void session_borrow_nodelay(struct session *session, int fd);
void session_return_nodelay(struct session *session, int fd);

/*
 * TCP_CORK as the program sees it.  What is written then is held by the record layer as
 * long as it is short, so that a header, its body and both calls of setsockopt(2) around
 * them are two system calls: one asks for an end that has come, the other sends.
 *
 * Returns  the value or 0; -ENOTTY: ask, or tell, the kernel.
 */
int session_get_cork(struct handle *handle);
int session_set_cork(struct handle *handle, int fd, bool on);
int session_cork_flags(struct session *session);   /* MSG_MORE or 0 */
void session_cork_passed(struct session *session); /* with those, to the kernel */

/* Sends what is held back; an error is the next call's. */
void session_push(struct handle *handle, int fd);

/* The pending error for SO_ERROR, taken; 0 = none of ours. */
int session_take_error(struct handle *handle);

/*
 * The program closes its last fd (still valid) of this session in this process.  Ends
 * the session if no other process holds it; what cannot be sent at once goes to the
 * service thread with a dup of fd.
 */
void session_last_close(struct handle *handle, int fd);

/* Ends every session at exit of the process, within a bound. */
void session_close_all(void);

/* An exec would drop all sessions but those that go with it (undo = false), and did not
 * (undo = true). */
void session_before_exec(bool undo);

/*
 * Makes a session ready to go with an exec: it has a memfd of its own afterwards.  One
 * that shared its memory with others moves, and is over for the processes that hold it.
 *
 *   handle  in  open
 *   fd      in  some fd of it
 *
 * Returns  the memfd, close-on-exec; -errno.
 */
int session_portable(struct handle *handle, int fd);

/* The memfd of a session that is portable; -1 = it is not. */
int session_memfd(const struct handle *handle);

/*
 * Takes over a session that the image before exec has left.
 *
 *   memfd  in  taken over on success
 *   find   in  finds a rule of today's policy by its name and direction
 *
 * Returns  a handle with a reference for the caller, no fds yet; NULL: not one of ours.
 */
struct handle *session_adopt(int memfd,
                             struct ruling (*find)(const char *name, bool is_server));

/* Whether this process is among its holders. */
bool session_is_held(const struct handle *handle);

/* The session came by another process, which has reserved a place among its holders. */
void session_claim(struct handle *handle);

/* The adopted session has its fds: refuses it when the rule does, goes on else. */
void session_adopted(struct handle *handle, int fd);

/* SO_COOKIE, which tells whether two fds are the same socket; 0 = it has none. */
uint64_t session_cookie(int fd);

/* Drops a handle's last reference: called by table_release() only. */
void session_free(struct handle *handle);

/* Ends the session for good: state, log, and the socket, unless fd is -1. The session's
 * lock is held. */
void session_fail(struct handle *handle, int fd, int error,
                  const struct failure *failure);

/*
 * Brackets a connect(2) of the program that may dissolve the connection (AF_UNSPEC): no
 * thread takes a step of the handshake meanwhile, nor after it when that is what it did.
 * The error that it leaves in the socket is for the program to find.
 */
void session_dissolve_begin(struct handle *handle);
void session_dissolve_end(struct handle *handle, bool dissolved);

/* Ends an open session: the peer is no longer let in.  fd may be -1. */
void session_cut(struct handle *handle, int fd, const struct failure *failure);

/* TCP is established: from now on the handshake's time runs. */
void session_begin_handshake(struct session *session, int fd);

/*
 * Stand in for the sessions of sockets that have none: one that is connected to nothing,
 * where every call has the kernel's own error, and one whose session is another
 * process's (EACCES).  They are never freed; take a reference and give it back as ever.
 */
extern struct handle session_unconnected, session_foreign;

/* Makes handle->handshake. Returns 0; -ENOMEM, -EACCES, and failure says why. */
int session_new_handshake(struct handle *handle, struct failure *failure);

/* Wakes writers that were told EAGAIN though the kernel's buffer never was full. */
void session_wake_writers(int fd);

/* Whether the program has told the socket not to linger (SO_LINGER): close() resets it.
 */
bool session_resets_at_close(int fd);

/* Takes in what has come, so that close() sends FIN and what we sent last is read. */
void session_discard_input(int fd);

/* Whether the handshake is over and done with, or there will be none. */
static inline bool
session_is_settled(const struct session *session)
{
    int state = atomic_load_explicit(&session->state, memory_order_acquire);
    return state == SESSION_OPEN || state == SESSION_PLAINTEXT;
}

/* Takes and gives back session->lock. Returns 0, or -EDEADLK from a signal handler. */
int session_lock(struct session *session);
void session_unlock(struct session *session);

/* Begins a line of the audit log about a session: which, and between whom. */
struct audit_record session_line(const struct session *session, enum audit_event event);

/* One line of the audit log about a session. */
void session_log(const struct handle *handle, enum audit_event event,
                 const struct failure *failure);
void session_log_closed(struct handle *handle, const struct failure *failure);

int64_t session_now_ms(void);
int64_t session_now_us(void);

/* Which process this is, as holder_id() has it; without a system call. */
int64_t session_self(void);

/* Whether this is a child that was made by bare system calls: it holds no session, and
 * may be sharing our memory with its parent. */
bool session_is_stranger(void);

/* Whether this process has or had a session. */
bool session_was_made(void);

/* How long things may take; from the policy. */
struct session_limits {
    _Atomic int64_t handshake_timeout_ms;
    _Atomic int64_t connect_wait_ms;
};
extern struct session_limits session_limits;
void session_set_limits(const struct policy *policy);

/* To be registered with pthread_atfork(). */
void session_fork_prepare(void);
void session_fork_parent(void);
void session_fork_child(void);

/* Held for reading wherever private handshake state changes; fork takes it for writing.
 */
void session_fork_enter(void);
void session_fork_leave(void);

#endif
