#include "shim/session/permissive.h"

#include <errno.h>
#include <linux/tcp.h> /* libc's own lacks the newer members of tcp_info */
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>

#include "shim/session/generation.h"
#include "shim/session/service.h"
#include "shim/session/system.h"

/* ContentType handshake (RFC 8446, section 5.1): no TLS client begins with another. */
#define TLS_HANDSHAKE 0x16

static short
ready_now(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    return system_calls.poll(&ready, 1, 0) > 0 ? ready.revents : 0;
}

size_t
permissive_available(int fd)
{
    int len = 0;
    return system_calls.ioctl(fd, FIONREAD, &len) == 0 && len > 0 ? (size_t)len : 0;
}

enum permissive_word
permissive_listen(int fd)
{
    uint8_t first;
    int errno_before = errno;
    enum permissive_word word = PERMISSIVE_SILENCE;
    if (ready_now(fd, POLLIN | POLLPRI | POLLRDHUP) != 0) {
        /* Where there is no byte, recv() would take the socket's error. */
        bool said = permissive_available(fd) > 0 &&
                    system_calls.recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
        word = !said                    ? PERMISSIVE_END
               : first == TLS_HANDSHAKE ? PERMISSIVE_TLS
                                        : PERMISSIVE_PLAINTEXT;
        if (!said && (ready_now(fd, POLLPRI) & POLLPRI) != 0) {
            word = PERMISSIVE_PLAINTEXT; /* urgent data, which TLS has not */
        }
    }
    errno = errno_before;
    return word;
}

bool
permissive_is_late(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    if (system_calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return false;
    }
    /* The peer's FIN counts as a byte received. */
    uint64_t unread =
        permissive_available(fd) + ((ready_now(fd, POLLRDHUP) & POLLRDHUP) != 0 ? 1 : 0);
    return info.tcpi_bytes_received > unread || info.tcpi_bytes_sent > 0;
}

void
permissive_log(const struct policy_rule *rule, const union session_address *local,
               const union session_address *remote, const char *words)
{
    struct audit_record line = AUDIT_RECORD_INIT;
    line.event = AUDIT_PLAINTEXT;
    line.rule = rule->name;
    line.mode = policy_mode_name(rule->mode);
    line.has_direction = true;
    line.direction = rule->direction;
    line.local = &local->any;
    line.remote = &remote->any;
    line.detail = words;
    audit_write(&line);
}

void
permissive_want(struct handle *handle)
{
    struct session *session = handle->session;
    if (atomic_load(&session->permissive) == SESSION_UNDECIDED &&
        !atomic_exchange(&session->decision_wanted, true)) {
        service_watch(handle);
    }
}

static int
begin_tls(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    struct failure failure;
    int result = session_new_handshake(handle, &failure);
    if (result < 0) {
        session_fail(handle, fd, -result, &failure);
        return result;
    }
    atomic_store(&session->driver, session_self());
    session_begin_handshake(session, fd);
    atomic_store(&session->permissive, SESSION_DECIDED);
    return 0;
}

/* Whether the rule lets plaintext in by today's policy, too: who says nothing may have
 * come a long time ago. */
static bool
is_still_permissive(const struct ruling *ruling)
{
    if (generation_id(ruling->generation) == generation_newest_id()) {
        return true;
    }
    GENERATION_SCOPE *newest = generation_acquire();
    const struct policy_rule *rule = policy_rule_named(
        generation_policy(newest), ruling->rule->direction, ruling->rule->name);
    return rule != NULL && rule->mode == POLICY_MODE_PERMISSIVE;
}

static int
refuse(struct handle *handle, int fd, enum reason reason, const char *words)
{
    struct failure failure;
    failure_set(&failure, reason, "%s", words);
    session_fail(handle, fd, EACCES, &failure);
    return -EACCES;
}

/* No other rule than one with mode = permissive, and no session that TLS has begun in,
 * ever gets past here. */
static int
begin_plaintext(struct handle *handle, int fd, const char *words)
{
    struct session *session = handle->session;
    const struct policy_rule *rule = handle->ruling.rule;
    if (rule == NULL || rule->mode != POLICY_MODE_PERMISSIVE ||
        !session->may_be_plaintext || !session->is_server || handle->handshake != NULL ||
        handle->handed_over) {
        return refuse(handle, fd, REASON_SHIM_ERROR, "plaintext under a rule without it");
    }
    if (!is_still_permissive(&handle->ruling)) {
        return refuse(handle, fd, REASON_DENIED_BY_RULE,
                      "the policy has changed meanwhile, and lets no plaintext in");
    }
    permissive_log(rule, &session->local, &session->remote, words);
    atomic_store(&session->closed_logged, true);
    atomic_store(&session->permissive, SESSION_DECIDED_PLAINTEXT);
    return 0;
}

static int
decide(struct handle *handle, int fd)
{
    const struct session *session = handle->session;
    switch (permissive_listen(fd)) {
    case PERMISSIVE_TLS:
        return begin_tls(handle, fd);
    case PERMISSIVE_PLAINTEXT:
        return begin_plaintext(handle, fd, PERMISSIVE_SAID_PLAINTEXT);
    case PERMISSIVE_END:
        return begin_plaintext(handle, fd, PERMISSIVE_SAID_NOTHING);
    case PERMISSIVE_SILENCE:
        break;
    }
    if (!atomic_load(&session->decision_wanted) ||
        session_now_ms() < session->deadline_ms) {
        return -EAGAIN;
    }
    return begin_plaintext(handle, fd,
                           "waited: the peer said nothing for permissive_wait");
}

static void
forget_early(struct handle *handle)
{
    struct session *session = handle->session;
    if (session->early_len > 0) {
        wc_ForceZero(handle->early, session->early_len);
        (void)madvise(handle->early, SESSION_EARLY_LEN, MADV_REMOVE);
        session->early_len = 0;
    }
}

/* The socket's error was taken here: the program is told of it as TCP would. */
static int
broken(struct handle *handle, int error)
{
    struct session *session = handle->session;
    forget_early(handle);
    atomic_store(&session->error, error);
    atomic_store(&session->connect_failed, true);
    atomic_store(&session->state, SESSION_FAILED);
    return -error;
}

static int
send_early(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    uint32_t done = 0;
    while (done < session->early_len) {
        if ((ready_now(fd, 0) & POLLERR) != 0) {
            break; /* reset: the kernel would have dropped it, and tells the program */
        }
        ssize_t sent =
            system_calls.send(fd, handle->early + done, session->early_len - done,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            memmove(handle->early, handle->early + done, session->early_len - done);
            session->early_len -= done;
            *events = POLLOUT;
            return -EAGAIN;
        }
        if (sent < 0 && errno != EINTR && errno != EPIPE) {
            return broken(handle, errno);
        }
        if (sent < 0 && errno == EPIPE) {
            break; /* the next write has the same */
        }
        done += sent > 0 ? (uint32_t)sent : 0;
    }
    forget_early(handle);
    return 0;
}

static int
settle(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    int result = send_early(handle, fd, events);
    if (result < 0) {
        return result;
    }
    if (atomic_load(&session->record.input_ignored)) {
        (void)system_calls.shutdown(fd, SHUT_RD);
    }
    atomic_store(&session->state, SESSION_PLAINTEXT);
    ruling_done(&handle->ruling);
    (void)session_finish_shutdown(handle, fd);
    if (atomic_load(&session->early_was_full)) {
        session_wake_writers(fd);
    }
    return 0;
}

int
permissive_drive(struct handle *handle, int fd, short *events)
{
    struct session *session = handle->session;
    int result = 0;
    *events = POLLIN;
    if (atomic_load(&session->permissive) == SESSION_UNDECIDED) {
        result = decide(handle, fd);
    }
    if (result == 0 && atomic_load(&session->permissive) == SESSION_DECIDED_PLAINTEXT) {
        result = settle(handle, fd, events);
    }
    return result;
}

bool
permissive_close(struct handle *handle, int fd, bool last)
{
    struct session *session = handle->session;
    short events;
    if (last || session->early_len > 0) {
        permissive_want(handle);
    }
    (void)session_drive(handle, fd, &events);
    if (session_lock(session) < 0) {
        return false;
    }
    bool undecided = atomic_load(&session->permissive) == SESSION_UNDECIDED;
    if (undecided && last && session_resets_at_close(fd)) {
        /* It is to be reset, and the kernel would drop what was written. */
        forget_early(handle);
        if (begin_plaintext(handle, fd, "reset before the peer said anything") == 0) {
            atomic_store(&session->state, SESSION_PLAINTEXT);
        }
    }
    /* TLS would have to say goodbye: nothing that the program does gets past the wait. */
    bool owed = atomic_load(&session->state) == SESSION_HANDSHAKING &&
                atomic_load(&session->permissive) != SESSION_DECIDED &&
                (last || session->early_len > 0);
    session_unlock(session);
    return owed;
}

ssize_t
permissive_read(int fd, const struct iovec *iov, int count, int flags)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    ssize_t got = system_calls.recvmsg(fd, &msg, (flags & MSG_PEEK) | MSG_DONTWAIT);
    return got < 0 ? -errno : got;
}

ssize_t
permissive_write(const struct session *session, int fd, const struct iovec *iov,
                 int count, int flags)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    if (!session->may_be_plaintext) {
        return -EACCES;
    }
    ssize_t sent = system_calls.sendmsg(fd, &msg, flags | MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

bool
permissive_is_ready(int fd, short events)
{
    return ready_now(fd, events) != 0;
}
