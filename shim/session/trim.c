#include "shim/session/trim.h"

#include "shim/session/heap.h"
#include "shim/session/table.h"

/* A buffer that nobody has used between two looks is given back. */
#define LOOK_MS 4000

static void
look(int fd, struct handle *handle, void *context)
{
    (void)context;
    handle = table_acquire(fd);
    if (handle == NULL) {
        return;
    }
    if (atomic_load(&handle->session->state) == SESSION_OPEN) {
        (void)record_trim(&handle->conn);
    }
    table_release(handle);
}

void
trim_look(void)
{
    static int64_t next_ms;
    int64_t now_ms = session_now_ms();

    if (now_ms >= next_ms) {
        next_ms = now_ms + LOOK_MS;
        table_each(look, NULL);
        heap_trim();
    }
}
