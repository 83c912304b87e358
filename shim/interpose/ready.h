/*
 * Whether what the kernel says of a governed fd is so for the program; and how long the
 * poll family waits on.
 */
#ifndef SHIM_INTERPOSE_READY_H
#define SHIM_INTERPOSE_READY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "shim/session/table.h"

/*
 * Whether the kernel's word on a governed fd has to be checked: while the handshake is
 * under way, until the peer's first data (a ticket comes before), and as long as the fd
 * blocks.  Else it is enough: EAGAIN does no harm to a program that does not block.
 */
bool ready_is_doubtful(int fd);

/* Whether fd is still governed: under mode = permissive it may no longer be. */
bool ready_is_governed(int fd);

/*
 * Whether a read that the kernel calls possible would not block; true where that is not
 * doubtful, and for fds that are not governed.
 */
bool ready_to_read(int fd);

/* The program waits, or is about to, for fd to become readable. */
void ready_await(int fd);

/* Whether a write has anywhere to go; true for fds that are not governed. */
bool ready_to_write(int fd);

/* Whether a writer was turned away since this was last asked. */
bool ready_writer_waits(int fd);

/* Whether one of the two directions has come to its end: every edge is told of that. */
bool ready_has_ended(int fd);

/* Whether the kernel would take this time limit; NULL is one. */
bool ready_is_valid(const struct timespec *timeout);

/* A call's time limit. */
struct ready_wait {
    int64_t until_ns; /* CLOCK_MONOTONIC; -1 = for ever */
};

struct ready_wait ready_wait_from(const struct timespec *timeout);
struct ready_wait ready_wait_from_ms(int timeout_ms);

/*
 * The time for the next system call, NULL = for ever; short when something that the
 * kernel cannot tell is waited for (masked).
 */
const struct timespec *ready_slice(const struct ready_wait *wait, bool masked,
                                   struct timespec *slice);

/* Whether the time is over; the last slice may have been shorter than asked. */
bool ready_is_over(const struct ready_wait *wait);

/* What is left, for select(2), which tells; zero when over. */
struct timespec ready_left(const struct ready_wait *wait);

#endif
