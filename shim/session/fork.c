/* What happens to sessions around fork; the order of locks is that of session.h. */
#include "shim/session/session.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shim/session/chain.h"
#include "shim/session/handshake.h"
#include "shim/session/metrics.h"
#include "shim/session/ocsp_query.h"
#include "shim/session/pool.h"
#include "shim/session/service.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

static pthread_rwlock_t fork_lock = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic int64_t own_id;

/* Depth of this thread inside: a signal handler may come in again, and may fork. */
static _Thread_local int inside __attribute__((tls_model("initial-exec")));

int64_t
session_self(void)
{
    int64_t self = atomic_load_explicit(&own_id, memory_order_relaxed);
    if (self == 0) {
        self = holder_id(getpid());
        atomic_store(&own_id, self);
    }
    return self;
}

bool
session_is_stranger(void)
{
    return holder_id(getpid()) != session_self();
}

bool
session_was_made(void)
{
    return atomic_load_explicit(&own_id, memory_order_relaxed) != 0;
}

void
session_fork_enter(void)
{
    if (inside++ == 0) {
        pthread_rwlock_rdlock(&fork_lock);
    }
}

void
session_fork_leave(void)
{
    if (--inside == 0) {
        pthread_rwlock_unlock(&fork_lock);
    }
}

/* The child will hold it, too; a handshake under way is anybody's from now on. */
static void
share(struct handle *handle, void *context)
{
    (void)context;
    struct session *session = handle->session;
    if (atomic_load(&handle->fds) == 0) {
        return;
    }
    holder_add(&session->holders, -session_self()); /* the child's is not known yet */
    atomic_fetch_add(&session->mappings, 1);
    if (atomic_load(&session->driver) == session_self() && handle->handshake != NULL &&
        !handle->handed_over) {
        atomic_store(&session->driver, 0);
    }
}

void
session_fork_prepare(void)
{
    if (inside == 0) {
        pthread_rwlock_wrlock(&fork_lock);
    }
    service_fork_prepare();
    pool_lock();
    table_lock();
    chain_fork_prepare();
    ocsp_query_fork_prepare();
    pool_each(share, NULL);
}

void
session_fork_parent(void)
{
    ocsp_query_fork_parent();
    chain_fork_done();
    table_unlock();
    pool_seal(); /* not before: it gives descriptors back */
    pool_unlock();
    service_fork_parent();
    if (inside == 0) {
        pthread_rwlock_unlock(&fork_lock);
    }
}

static void
inherit(struct handle *handle, void *context)
{
    const int64_t *parent = context;
    uint32_t fds = atomic_load(&handle->fds);
    if (fds != 0) {
        holder_replace(&handle->session->holders, -*parent, session_self());
    }
    if (handle->service_fd >= 0) {
        /* The parent's service has its own; ours would keep the connection open. */
        table_disown(handle->service_fd);
        system_calls.close(handle->service_fd);
        handle->service_fd = -1;
        handle->service_events = 0;
    }
    /* The threads that had references stayed behind. */
    atomic_store(&handle->refs, fds);
    handle->watched = handle->watch_again = handle->is_unfinished = false;
    atomic_store(&handle->lingering, false);
    handle->service_after_ms = 0;
    record_conn_done(&handle->conn);
    atomic_store(&handle->is_counted, false);
    handle->counted = NULL;
    memset(handle->uncounted, 0, sizeof(handle->uncounted));
    if (fds == 0) {
        /* It lingers in the parent alone. */
        handshake_free(handle->handshake);
        chain_unref(handle->chain);
        ruling_done(&handle->ruling);
        return;
    }
    /* Another thread may have been at work on the expanded keys: make them anew. */
    record_conn_init(&handle->conn, &handle->session->record, handle->conn.rx_buffer,
                     handle->conn.tx_buffer);
}

void
session_fork_child(void)
{
    int64_t parent = atomic_exchange(&own_id, 0);
    if (parent != 0) {
        holder_forked(parent);
    }
    chain_fork_done();
    table_unlock();
    metrics_fork_child();
    ocsp_query_fork_child();
    pool_each(inherit, &parent);
    pool_forget_unused();
    pool_seal();
    pool_unlock();
    service_fork_child();
    if (inside == 0) {
        fork_lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    }
}
