/* TCP_CORK without system calls, as far as what is corked is held by the record layer;
 * see session.h. */
#include "shim/session/session.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "shim/session/system.h"

/* It may have been corked before it was ours. */
static void
learn(struct session *session, int fd)
{
    int on = 0;
    socklen_t len = sizeof(on);
    if (!atomic_load(&session->cork_known) &&
        system_calls.getsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, &len) == 0) {
        atomic_store(&session->cork_in_kernel, on != 0);
        atomic_store(&session->cork_known, true);
    }
}

int
session_get_cork(struct handle *handle)
{
    const struct session *session = handle->session;
    return atomic_load(&session->cork_known) ? atomic_load(&session->corked) : -ENOTTY;
}

int
session_set_cork(struct handle *handle, int fd, bool on)
{
    struct session *session = handle->session;
    if (atomic_load(&session->state) != SESSION_OPEN) {
        return -ENOTTY;
    }
    if (on) {
        learn(session, fd);
    }
    bool known = atomic_load(&session->cork_known);
    atomic_store(&session->corked, on && known);
    if (!on) {
        session_push(handle, fd);
    }
    if (!known) {
        return -ENOTTY;
    }
    return on || !atomic_exchange(&session->cork_in_kernel, false) ? 0 : -ENOTTY;
}

int
session_cork_flags(struct session *session)
{
    return atomic_load_explicit(&session->corked, memory_order_relaxed) ? MSG_MORE : 0;
}

void
session_cork_passed(struct session *session)
{
    if (session_cork_flags(session) != 0 && !atomic_load(&session->cork_in_kernel)) {
        atomic_store(&session->cork_in_kernel, true);
    }
}

void
session_push(struct handle *handle, int fd)
{
    if (record_held(&handle->conn) > 0) {
        int result = record_flush(&handle->conn, fd);
        (void)result; /* an error is the next call's */
    }
}
