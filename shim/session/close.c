/* How sessions end: at the last close, at exit, at exec. */
#include "shim/session/session.h"

#include <errno.h>
#include <stdlib.h>

#include "shim/session/service.h"
#include "shim/session/system.h"
#include "shim/session/table.h"

enum {
    FLUSH_MS = 30000, /* for a peer that reads slowly */
    /* For what comes after our end though the peer's program sends nothing: close_notify,
     * and a TLS 1.3 server's tickets.  A closed socket would answer with a reset, and
     * that may cost the peer's program data which it has not read yet. */
    ABSORB_MS = 1000,
    EXIT_ABSORB_MS = 200,
};

/* Ends an open session. Returns how long it has to linger for, 0 = not at all. */
static int64_t
end_open(struct handle *handle, int fd)
{
    int result = session_finish_shutdown(handle, fd);
    if (result != -EAGAIN) {
        result = record_close_notify(&handle->conn, fd);
    }
    bool peer_ended = record_drain(&handle->conn, fd) == 1;
    session_log_closed(handle, NULL);
    if (result == -EAGAIN) {
        return FLUSH_MS;
    }
    if (result == 0 && !peer_ended && record_readable(&handle->conn, fd) == 0) {
        return ABSORB_MS;
    }
    return 0;
}

static int64_t
end_session(struct handle *handle, int fd)
{
    struct session *session = handle->session;
    bool last = holder_leave(&session->holders, session_pid());
    int state = atomic_load(&session->state);
    if (state == SESSION_HANDSHAKING &&
        (last || atomic_load(&session->driver) == session_pid())) {
        /* Data that was written is owed to the peer; others that hold it wait for us. */
        return session_limits.handshake_timeout_ms;
    }
    if (state == SESSION_OPEN && last) {
        return end_open(handle, fd);
    }
    return 0;
}

void
session_last_close(struct handle *handle, int fd)
{
    int64_t linger_ms = end_session(handle, fd);
    if (linger_ms > 0) {
        service_linger(handle, fd, linger_ms);
    }
    table_release(handle);
}

struct found {
    int fd;
    struct found *next;
};

static void
collect(int fd, struct handle *handle, void *context)
{
    struct found **list = context;
    (void)handle;
    struct found *found = malloc(sizeof(*found));
    if (found != NULL) {
        *found = (struct found){.fd = fd, .next = *list};
        *list = found;
    }
}

void
session_close_all(void)
{
    struct found *list = NULL;
    int64_t bound_ms = EXIT_ABSORB_MS;
    table_each(collect, &list);
    while (list != NULL) {
        struct found *found = list;
        struct handle *handle = table_remove(found->fd);
        if (handle != NULL) {
            int64_t linger_ms = end_session(handle, found->fd);
            if (linger_ms > 0) {
                service_linger(handle, found->fd, linger_ms);
                if (linger_ms != ABSORB_MS) {
                    bound_ms = session_limits.handshake_timeout_ms;
                }
            }
            table_release(handle);
        }
        list = found->next;
        free(found);
    }
    service_finish(bound_ms);
}

static void
hold(int fd, struct handle *handle, void *context)
{
    const bool *undo = context;
    /* Once per handle, not once per fd; and what goes along keeps our hold. */
    if (atomic_load(&handle->fd_hint) == fd && !handle->goes_along) {
        struct session *session = handle->session;
        if (*undo) {
            holder_add(&session->holders, session_pid());
        } else if (holder_leave(&session->holders, session_pid()) &&
                   atomic_load(&session->state) == SESSION_OPEN) {
            (void)record_close_notify(&handle->conn, fd);
        }
    }
}

void
session_before_exec(bool undo)
{
    table_each(hold, &undo);
}
