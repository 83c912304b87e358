/*
 * The differential harness: what a scenario is, and how it records what it sees.
 *
 * A scenario is written once as two functions, one for each end of a TCP connection, that
 * call libc as any program does.  run.py runs it on plain TCP and through the shim and
 * compares the two traces line by line.  To add one, write (or reuse) the functions in
 * the scenario_SUBJECT.c it belongs to and add a row to the table at that file's end.
 *
 *   T(call)          performs the call and records its text, result, errno and SIGPIPE
 *   T_BLOCKS(call)   the same for a call that would wait for ever on a blocking fd: it is
 *                    interrupted after a moment and recorded as "blocks"
 *   t_bytes()        records what was read
 *   t_say()          records anything else, printf-like; no fd numbers, no addresses
 *   t_tell, t_wait   order the two ends: one waits until the other has told it to go on
 *   t_await          waits, past the shim, until the kernel itself reports readiness:
 *                    before a call that is not to block, where the bytes may be on their
 * way
 *
 * Each end is a process of its own; a call that hangs is recorded as "hangs".
 */
#ifndef TESTS_FIDELITY_FIDELITY_H
#define TESTS_FIDELITY_FIDELITY_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* One end of a scenario. */
struct t {
    int fd;           /* connected; -1 with T_UNCONNECTED */
    int listener;     /* of the accepting end, else -1 */
    long param;       /* of the row */
    bool nonblocking; /* which of the two modes runs */
    bool accepting;
    struct sockaddr_storage address; /* to dial */
    socklen_t address_len;
    struct t_shared *shared;
};

enum {
    T_FRESH = 1,        /* connected, but not a byte has been exchanged yet */
    T_UNCONNECTED = 2,  /* the scenario connects and accepts by itself */
    T_DIRECT = 4,       /* resets, sizes of buffers: not with a bridge in between */
    T_BLOCKING = 8,     /* only with blocking fds */
    T_NONBLOCKING = 16, /* only with non-blocking fds */
};

/*
 * A row.  differs is for what TLS cannot give, one line each: "what the plain trace has
 * => what the shimmed trace has", as fidelity prints them, with the letter of the end in
 * front
 * ("A: " accepting, "C: " connecting).  "CA: " is a line of A that differs because C is
 * shimmed; "[blocking] C: " and "[nonblocking] C: " count for one mode.  NULL = nothing.
 */
struct scenario {
    const char *name;
    void (*accepting)(struct t *t);
    void (*connecting)(struct t *t);
    long param;
    unsigned flags;
    const char *differs;
};

/* The tables, each with an empty row at its end; fidelity.c lists them. */
extern const struct scenario scenarios_read[], scenarios_write[], scenarios_stream[],
    scenarios_ready[], scenarios_end[], scenarios_signal[], scenarios_option[],
    scenarios_transfer[], scenarios_connect[], scenarios_fd[], scenarios_thread[],
    scenarios_stdio[];

#define T(call) t_end(t, #call, (t_begin(t, 4000), (long)(call)))
#define T_BLOCKS(call) t_end(t, #call, (t_begin(t, 40), (long)(call)))
/* For a call whose very text depends on the row. */
#define T_NAMED(name, call) t_end(t, name, (t_begin(t, 4000), (long)(call)))
#define T_NAMED_BLOCKS(name, call) t_end(t, name, (t_begin(t, 40), (long)(call)))

void t_begin(struct t *t, int limit_ms);
long t_end(struct t *t, const char *call, long result);
void t_say(struct t *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void t_bytes(struct t *t, const void *buf, long len);

void t_tell(struct t *t);
void t_wait(struct t *t);
bool t_told(struct t *t); /* whether t_wait() would return at once */
void t_meet(struct t *t); /* both */
void t_await(struct t *t, int fd, short events);
void t_sent(struct t *t, int fd);

/* Bytes that tell where they come from; seed sets streams apart. */
void t_fill(void *buf, size_t len, unsigned seed);
/* A buffer of that many of them, for as long as the process lives. */
char *t_data(size_t len, unsigned seed);
/* Writes and reads all of it, whatever the mode; records only what goes wrong. */
void t_write_all(struct t *t, int fd, const void *buf, size_t len);
/* Writes until nothing more fits. Returns how much did. */
size_t t_fill_up(int fd);
size_t t_read_all(struct t *t, int fd, void *buf, size_t len);

/* Another connection to the same listener, settled as the first one. */
int t_dial(struct t *t);
int t_accept(struct t *t);
void t_settle(struct t *t, int fd);
void t_set_nonblocking(int fd, bool on);

/* A page that may not be touched, and the last `len` bytes before it. */
void *t_bad_page(void);
char *t_before_bad_page(size_t len);

/* Has the process take signal `number` with a counting handler; t_signals() counts. */
void t_catch(int number, int flags);
int t_signals(void);
/* Sends this thread `number` every `ms`, until t_signal_stop(): the first one may come
 * before the call that it is for. */
void t_signal_every(int number, int ms);
void t_signal_stop(void);

#endif
