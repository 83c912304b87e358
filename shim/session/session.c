#include "shim/session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <wolfssl/options.h> /* before all others of wolfSSL */

#include <wolfssl/wolfcrypt/memory.h>

#include "config/groups.h"
#include "shim/record/fail.h"
#include "shim/record/lock.h"
#include "shim/session/context.h"
#include "shim/session/handshake.h"
#include "shim/session/metrics.h"
#include "shim/session/permissive.h"
#include "shim/session/pool.h"
#include "shim/session/recheck.h"
#include "shim/session/refusal.h"
#include "shim/session/service.h"
#include "shim/session/suite.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

struct session_limits session_limits = {10000, 500};

void
session_set_limits(const struct policy *policy)
{
    session_limits.handshake_timeout_ms = policy->handshake_timeout_ms;
    session_limits.connect_wait_ms = policy->connect_wait_ms;
}

int64_t
session_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
session_now_ms(void)
{
    return session_now_us() / 1000;
}

int
session_lock(struct session *session)
{
    int error = pthread_mutex_lock(&session->lock);
    if (error == EOWNERDEAD) {
        /* Its owner died in the middle: what it did to the shared part is atomic enough
         * to go on with; a handshake that it drove is found dead by the pid. */
        pthread_mutex_consistent(&session->lock);
        error = 0;
    }
    return -error;
}

void
session_unlock(struct session *session)
{
    pthread_mutex_unlock(&session->lock);
}

static int
init_session(struct handle *handle, int fd, bool is_server, bool connecting,
             const struct ruling *ruling, const char *name)
{
    const struct policy_rule *rule = ruling->rule;
    struct session *session = handle->session;
    int result = record_lock_init(&session->lock);
    if (result == 0) {
        result = record_init(&session->record);
    }
    if (result < 0) {
        return result;
    }
    record_conn_init(&handle->conn, &session->record, handle->conn.rx_buffer,
                     handle->conn.tx_buffer);
    handle->ruling = ruling_copy(ruling);
    session->magic = SESSION_MAGIC;
    session->layout = SESSION_LAYOUT;
    snprintf(session->rule, sizeof(session->rule), "%s", rule->name);
    if (rule->identity != NULL) {
        snprintf(session->own_serial, sizeof(session->own_serial), "%s",
                 context_serial(ruling_context(ruling)));
    }
    session->record.truncation_is_eof = rule->truncation_is_eof;
    session->is_server = is_server;
    session->uid = geteuid();
    holder_add(&session->holders, session_self());
    atomic_store(&session->mappings, 1);
    atomic_store(&session->dialling, connecting);
    atomic_store(&session->driver, session_self());
    atomic_store(&session->nonblocking, -1);
    if (rule->mode == POLICY_MODE_PERMISSIVE) {
        session->started_us = session_now_us();
        session->deadline_ms = session->started_us / 1000 + rule->permissive_wait_ms;
        session->may_be_plaintext = true;
        atomic_store(&session->permissive, SESSION_UNDECIDED);
        atomic_store(&session->driver, 0);
        atomic_store(&session->state, SESSION_HANDSHAKING);
    } else {
        session_begin_handshake(session, fd);
    }
    if (connecting) {
        atomic_store(&session->state, SESSION_CONNECTING);
    }
    if (name != NULL) {
        snprintf(session->dialled_name, sizeof(session->dialled_name), "%s", name);
    }
    return 0;
}

/* What the caller does not know of the addresses, the kernel does. */
static void
set_addresses(struct session *session, int fd, const union session_address *local,
              const union session_address *remote)
{
    socklen_t len = sizeof(session->local);
    if (local != NULL) {
        session->local = *local;
    } else if (getsockname(fd, &session->local.any, &len) != 0) {
        session->local.any.sa_family = AF_UNSPEC;
    }
    len = sizeof(session->remote);
    if (remote != NULL) {
        session->remote = *remote;
    } else if (getpeername(fd, &session->remote.any, &len) != 0) {
        session->remote.any.sa_family = AF_UNSPEC;
    }
}

int
session_new_handshake(struct handle *handle, struct failure *failure)
{
    const struct ruling *ruling = &handle->ruling;
    recheck_begin(handle); /* before anything is judged, and after the ruling */
    handle->handshake = handshake_new(handle->session, ruling);
    if (handle->handshake != NULL) {
        return 0;
    }
    if (context_has_material(ruling_context(ruling))) {
        failure_set(failure, REASON_SHIM_ERROR, "there is no memory for a handshake");
        return -ENOMEM;
    }
    failure_set(failure, REASON_SHIM_ERROR,
                "the files of identity %s may not be read by this user",
                ruling->rule->identity->name);
    return -EACCES;
}

struct audit_record
session_line(const struct session *session, enum audit_event event)
{
    struct audit_record line = AUDIT_RECORD_INIT;
    line.event = event;
    line.rule = session->rule;
    line.has_direction = true;
    line.direction = session->is_server ? POLICY_INBOUND : POLICY_OUTBOUND;
    line.local = &session->local.any;
    line.remote = &session->remote.any;
    line.dialled_name = session->dialled_name;
    return line;
}

static int
begin(struct handle *handle)
{
    const struct policy_rule *rule = handle->ruling.rule;
    struct failure failure;
    if (rule->mode == POLICY_MODE_PERMISSIVE) {
        return 0; /* not before the peer has said that it wants to */
    }
    session_fork_enter();
    int result = session_new_handshake(handle, &failure);
    session_fork_leave();
    if (result == -EACCES) {
        struct audit_record line = session_line(handle->session, AUDIT_DENIED);
        line.failure = &failure;
        audit_write(&line);
    }
    return result;
}

/* Whether the peer has spoken, and it was no TLS. */
static bool
is_plaintext(int fd, const struct policy_rule *rule, const union session_address *local,
             const union session_address *remote)
{
    enum permissive_word word =
        rule->mode == POLICY_MODE_PERMISSIVE ? permissive_listen(fd) : PERMISSIVE_SILENCE;
    if (word != PERMISSIVE_PLAINTEXT && word != PERMISSIVE_END) {
        return false;
    }
    permissive_log(rule, local, remote,
                   word == PERMISSIVE_END ? PERMISSIVE_SAID_NOTHING
                                          : PERMISSIVE_SAID_PLAINTEXT);
    return true;
}

int
session_open(int fd, bool is_server, bool connecting, const struct ruling *ruling,
             const union session_address *local, const union session_address *remote,
             const char *name)
{
    if (is_plaintext(fd, ruling->rule, local, remote)) {
        return 1;
    }
    struct handle *handle = pool_take();
    if (handle == NULL) {
        return -ENOMEM;
    }
    int result = init_session(handle, fd, is_server, connecting, ruling, name);
    if (result == 0) {
        set_addresses(handle->session, fd, local, remote);
        result = begin(handle);
    }
    /* A program that is exec'ed knows nothing of the session: it must not get the fd. */
    if (result == 0 && system_calls.fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        result = -errno;
    }
    if (result == 0) {
        result = table_add(fd, handle);
    }
    if (result == 0 && !connecting) {
        service_watch(handle);
    }
    if (result < 0) {
        (void)holder_leave(&handle->session->holders, session_self());
    }
    table_release(handle);
    return result;
}

void
session_dialled(struct handle *handle, int fd, bool connected)
{
    struct session *session = handle->session;
    if (session_lock(session) == 0) {
        if (connected) {
            set_addresses(session, fd, NULL, NULL);
            session_begin_handshake(session, fd);
        }
        session_unlock(session);
    }
    atomic_store(&session->dialling, false);
    service_watch(handle);
}

void
session_dissolve_begin(struct handle *handle)
{
    struct session *session = handle->session;
    bool locked = session_lock(session) == 0; /* a step that is under way ends first */
    atomic_store(&session->dialling, true);
    if (locked) {
        session_unlock(session);
    }
}

void
session_dissolve_end(struct handle *handle, bool dissolved)
{
    struct session *session = handle->session;
    bool locked = session_lock(session) == 0;
    if (dissolved && atomic_load(&session->state) == SESSION_OPEN) {
        (void)record_fail_dir(&session->record.tx, -ENOTCONN); /* no close_notify */
    } else if (dissolved) {
        struct failure failure;
        failure_set(&failure, REASON_PEER_RESET, NULL);
        atomic_store(&session->connect_failed, true); /* not to be logged */
        session_fail(handle, -1, ENOTCONN, &failure);
    }
    atomic_store(&session->dialling, false);
    if (locked) {
        session_unlock(session);
    }
}

void
session_begin_handshake(struct session *session, int fd)
{
    session_borrow_nodelay(session, fd);
    session->started_us = session_now_us();
    session->deadline_ms =
        session->started_us / 1000 + session_limits.handshake_timeout_ms;
    atomic_store(&session->state, SESSION_HANDSHAKING);
}

void
session_free(struct handle *handle)
{
    struct session *session = handle->session;
    metrics_detach(handle);
    session_fork_enter();
    handshake_free(handle->handshake);
    handle->handshake = NULL;
    chain_unref(handle->chain);
    handle->chain = NULL;
    ruling_done(&handle->ruling);
    session_fork_leave();
    record_conn_done(&handle->conn);
    bool last = atomic_fetch_sub(&session->mappings, 1) == 1;
    if (last) {
        wc_ForceZero(handle->early, session->early_len);
        record_done(&session->record);
        pthread_mutex_destroy(&session->lock);
    }
    pool_give(handle, last);
}

void
session_log(const struct handle *handle, enum audit_event event,
            const struct failure *failure)
{
    const struct session *session = handle->session;
    const struct suite *suite = suite_by_number(session->cipher);
    const struct groups_entry *group = groups_by_number(session->group);
    struct audit_record line = session_line(session, event);
    line.peer = &session->peer;
    line.failure = failure;
    line.own_serial = session->own_serial;
    if (suite != NULL) {
        line.version = session->version == 0x0304 ? "1.3" : "1.2";
        line.cipher = suite->name;
        line.group = group != NULL ? group->name : "";
        line.resumed = session->resumed;
    }
    bool ended = event == AUDIT_CLOSED || event == AUDIT_CUT;
    int64_t since = ended && session->opened_ms != 0 ? session->opened_ms
                                                     : session->started_us / 1000;
    line.duration_ms = session_now_ms() - since;
    line.handshake_us = session_now_us() - session->started_us;
    if (ended) {
        line.bytes_in = (int64_t)atomic_load(&session->record.rx.bytes);
        line.bytes_out = (int64_t)atomic_load(&session->record.tx.bytes);
    }
    audit_write(&line);
}

void
session_log_closed(struct handle *handle, const struct failure *failure)
{
    if (!atomic_exchange(&handle->session->closed_logged, true)) {
        session_log(handle, AUDIT_CLOSED, failure);
    }
}

void
session_discard_input(int fd)
{
    for (int i = 0; i < 16; i++) {
        if (system_calls.recv(fd, NULL, 65536, MSG_TRUNC | MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}

void
session_fail(struct handle *handle, int fd, int error, const struct failure *failure)
{
    struct session *session = handle->session;
    atomic_store(&session->error, error);
    atomic_store(&session->state, SESSION_FAILED);
    wc_ForceZero(handle->early, session->early_len);
    session->early_len = 0;
    if (atomic_load(&session->connect_failed)) {
        return; /* TCP itself failed: the program hears of it as ever */
    }
    session_discard_input(fd);
    (void)system_calls.shutdown(fd, SHUT_RDWR);
    bool denied = failure->reason == REASON_DENIED_BY_DENY ||
                  failure->reason == REASON_DENIED_BY_ALLOW;
    session_log(handle, denied ? AUDIT_DENIED : AUDIT_HANDSHAKE_FAILED, failure);
    atomic_store(&session->closed_logged, true);
}

void
session_cut(struct handle *handle, int fd, const struct failure *failure)
{
    /* What has ended in one direction, and was logged, may go on in the other.
     * The line first: a program may end as soon as it is told. */
    if (!atomic_exchange(&handle->session->closed_logged, true)) {
        session_log(handle, AUDIT_CUT, failure);
    }
    /* What read(2) and write(2) may say of an established connection, and programs
     * expect: that the peer is not welcome any more is no reason that they know. */
    record_cut(&handle->conn, fd, (uint8_t)refusal_alert(failure->reason), -ECONNRESET);
    session_discard_input(fd);
}

int
session_take_error(struct handle *handle)
{
    struct session *session = handle->session;
    if (atomic_load(&session->state) == SESSION_OPEN) {
        int error = atomic_load(&session->record.rx.error);
        return error < 0 && !atomic_exchange(&session->read_error_told, true) ? -error
                                                                              : 0;
    }
    if (atomic_load(&session->state) != SESSION_FAILED ||
        atomic_exchange(&session->error_taken, true)) {
        return 0;
    }
    return atomic_load(&session->error);
}
