/* Sessions that outlive an exec: how they are left, and how they are found. */
#include "shim/session/session.h"

#include <errno.h>
#include <string.h>

#include "shim/record/lock.h"
#include "shim/session/import.h"
#include "shim/session/pool.h"
#include "shim/session/recheck.h"
#include "shim/session/service.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

uint64_t
session_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    int got = system_calls.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
    return got == 0 ? cookie : 0;
}

/* For whoever else holds it, the session is over; nothing is sent, nothing logged. */
static void
leave_behind(struct session *old)
{
    atomic_store(&old->error, EPIPE);
    atomic_store(&old->error_taken, true);
    atomic_store(&old->closed_logged, true);
    atomic_store(&old->state, SESSION_FAILED);
    (void)holder_leave(&old->holders, session_self());
}

/* The caller holds the old session's lock, and nobody knows of the new one yet. */
static int
move_content(struct handle *to, struct handle *from, int fd)
{
    struct session *new = to->session;
    memcpy(new, from->session, sizeof(*new));
    int result = record_lock_init(&new->lock);
    if (result == 0) {
        result = record_move(&to->conn, &from->conn, fd);
    }
    if (result == 0) {
        memcpy(to->early, from->early, new->chain_len);
        memset(&new->holders, 0, sizeof(new->holders));
        atomic_store(&new->mappings, 1);
        holder_add(&new->holders, session_self());
        to->handed_over = true;
        leave_behind(from->session);
    }
    return result;
}

static int
move(struct handle *old, int fd)
{
    struct handle *new = pool_take_alone();
    int memfd = new != NULL ? pool_memfd(new) : -1;
    int result = memfd >= 0 ? session_lock(old->session) : -ENOMEM;
    if (result == 0) {
        result = move_content(new, old, fd);
        session_unlock(old->session);
    }
    if (result == 0) {
        table_replace(old, new);
        new->goes_along = true;
    }
    if (new != NULL) {
        table_release(new);
    }
    return result < 0 ? result : memfd;
}

int
session_portable(struct handle *handle, int fd)
{
    handle->session->cookie = session_cookie(fd);
    if (session_lock(handle->session) == 0) {
        recheck_keep_chain(handle);
        session_unlock(handle->session);
    }
    int memfd = pool_memfd(handle);
    if (memfd < 0) {
        return move(handle, fd);
    }
    handle->goes_along = true;
    return memfd;
}

int
session_memfd(const struct handle *handle)
{
    return pool_memfd(handle);
}

struct handle *
session_adopt(int memfd, struct ruling (*find)(const char *name, bool is_server))
{
    struct handle *handle = pool_adopt(memfd);
    bool imported = handle == NULL;
    if (imported) {
        handle = session_import(memfd);
    }
    if (handle == NULL) {
        return NULL;
    }
    struct session *session = handle->session;
    handle->ruling = find(session->rule, session->is_server);
    handle->handed_over = true;
    handle->adopted = true;
    if (imported) {
        table_disown(memfd);
        system_calls.close(memfd);
        return handle;
    }
    record_conn_init(&handle->conn, &session->record, handle->conn.rx_buffer,
                     handle->conn.tx_buffer);
    return handle;
}

bool
session_is_held(const struct handle *handle)
{
    return holder_has(&handle->session->holders, session_self());
}

void
session_claim(struct handle *handle)
{
    struct session *session = handle->session;
    if (holder_claim(&session->holders, session_self())) {
        atomic_fetch_sub(&session->mappings, 1); /* had it mapped before */
    }
}

void
session_adopted(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    struct failure failure;
    const struct policy_rule *rule = handle->ruling.rule; /* NULL: we had it before */
    if (rule != NULL && rule->mode != POLICY_MODE_MTLS &&
        rule->mode != POLICY_MODE_PERMISSIVE && session_lock(session) == 0) {
        failure_set(&failure, REASON_DENIED_BY_RULE,
                    "after exec no rule %s lets the connection go on", session->rule);
        session_fail(handle, fd, EACCES, &failure);
        session_unlock(session);
    } else if (record_pending(&handle->conn)) {
        service_watch(handle);
    }
    recheck_adopted();
    ruling_done(&handle->ruling);
}
