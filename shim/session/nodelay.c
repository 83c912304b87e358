/* TCP_NODELAY while the handshake is under way; see session.h. */
#include "shim/session/session.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "shim/session/system.h"

static void
set(int fd, int on)
{
    (void)system_calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void
session_borrow_nodelay(struct session *session, int fd)
{
    int on = 1;
    socklen_t len = sizeof(on);
    if (atomic_load(&session->nodelay_borrowed)) {
        return; /* before TCP was there */
    }
    if (system_calls.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 &&
        on == 0) {
        set(fd, 1);
        session->nodelay_wanted = false;
        atomic_store(&session->nodelay_borrowed, true);
    }
}

void
session_return_nodelay(struct session *session, int fd)
{
    if (atomic_load_explicit(&session->nodelay_borrowed, memory_order_relaxed) &&
        atomic_exchange(&session->nodelay_borrowed, false) && !session->nodelay_wanted) {
        set(fd, 0);
    }
}

int
session_get_nodelay(struct handle *handle)
{
    struct session *session = handle->session;
    return atomic_load(&session->nodelay_borrowed) ? session->nodelay_wanted : -ENOTTY;
}

int
session_set_nodelay(struct handle *handle, bool on)
{
    struct session *session = handle->session;
    if (!atomic_load(&session->nodelay_borrowed)) {
        return -ENOTTY;
    }
    session->nodelay_wanted = on;
    return 0;
}
