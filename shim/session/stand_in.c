/* Handles for sockets that have no session here. */
#include "shim/session/session.h"

#include <errno.h>

static struct session unconnected = {.state = SESSION_UNCONNECTED,
                                     .nonblocking = 1, /* nobody waits for it */
                                     .closed_logged = true};
static struct session foreign = {
    .state = SESSION_FAILED, .error = EACCES, .nonblocking = 1, .closed_logged = true};

/* One reference stays. */
struct handle session_unconnected = {
    .refs = 1, .fd_hint = -1, .service_fd = -1, .session = &unconnected};
struct handle session_foreign = {
    .refs = 1, .fd_hint = -1, .service_fd = -1, .session = &foreign};
