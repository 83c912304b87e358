/*
 * poll(2) and ppoll(2): the kernel's readiness is the truth, but for two cases.  A
 * blocking program must not be told of bytes that are no data (a ticket, half a record),
 * and a writer not of room while the early buffer is full.
 */
#include "shim/interpose/ready.h"

#include "shim/interpose/real.h"

/* Marks an entry whose POLLOUT was taken out for a while; unknown to the kernel. */
#define MASKED 0x4000

#define READABLE (POLLIN | POLLRDNORM)

static bool
any_governed(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if (table_governs(fds[i].fd)) {
            return true;
        }
    }
    return false;
}

/* Takes POLLOUT out where the kernel has room and we have not. Returns whether any. */
static bool
mask(struct pollfd *fds, nfds_t count)
{
    bool any = false;
    for (nfds_t i = 0; i < count; i++) {
        if ((fds[i].events & POLLOUT) != 0 && !ready_to_write(fds[i].fd)) {
            fds[i].events = (short)((fds[i].events & ~POLLOUT) | MASKED);
            any = true;
        }
    }
    return any;
}

static void
unmask(struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if ((fds[i].events & MASKED) != 0) {
            fds[i].events = (short)((fds[i].events & ~MASKED) | POLLOUT);
        }
    }
}

/* Takes readiness out that is none. Returns how many entries remain. */
static int
verify(struct pollfd *fds, nfds_t count)
{
    int left = 0;
    for (nfds_t i = 0; i < count; i++) {
        if ((fds[i].revents & READABLE) != 0 && !ready_to_read(fds[i].fd)) {
            fds[i].revents = (short)(fds[i].revents & ~(READABLE | POLLRDHUP));
        }
        left += fds[i].revents != 0;
    }
    return left;
}

static void
await(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if ((fds[i].events & READABLE) != 0 && table_shakes_hands(fds[i].fd)) {
            ready_await(fds[i].fd);
        }
    }
}

static int
wait_for_any(struct pollfd *fds, nfds_t count, struct ready_wait *wait,
             const sigset_t *signals)
{
    await(fds, count);
    for (;;) {
        struct timespec slice;
        bool masked = mask(fds, count);
        int result = real.ppoll(fds, count, ready_slice(wait, masked, &slice), signals);
        int errno_then = errno;
        unmask(fds, count);
        if (result < 0) {
            errno = errno_then;
            return result;
        }
        if (result > 0) {
            result = verify(fds, count);
        }
        if (result > 0 || ready_is_over(wait)) {
            return result;
        }
    }
}

INTERPOSE int
ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
      const sigset_t *signals)
{
    real_need();
    if (table_count == 0 || !any_governed(fds, count) || !ready_is_valid(timeout)) {
        return real.ppoll(fds, count, timeout, signals);
    }
    struct ready_wait wait = ready_wait_from(timeout);
    return wait_for_any(fds, count, &wait, signals);
}

INTERPOSE int
poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    real_need();
    if (table_count == 0 || !any_governed(fds, count)) {
        return real.poll(fds, count, timeout_ms);
    }
    struct ready_wait wait = ready_wait_from_ms(timeout_ms);
    return wait_for_any(fds, count, &wait, NULL);
}

INTERPOSE_GLIBC_ALIAS(__poll, poll);
