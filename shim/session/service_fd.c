#include "shim/session/service_state.h"

#include <sys/epoll.h>

#include "shim/session/system.h"
#include "shim/session/table.h"

/* The epoll instance that last took each fd in, plus one; 0 = none. */
static _Atomic int epoll_of_fd[TABLE_FD_MAX];

void
service_note_epoll(int epfd, int fd)
{
    if ((unsigned)fd < TABLE_FD_MAX) {
        atomic_store_explicit(&epoll_of_fd[fd], epfd + 1, memory_order_relaxed);
    }
}

void
service_forget_epoll(int fd)
{
    int epfd =
        (unsigned)fd < TABLE_FD_MAX ? atomic_exchange(&epoll_of_fd[fd], 0) - 1 : -1;
    if (epfd >= 0) {
        (void)system_calls.epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
    }
}

void
service_drop_fd(struct handle *handle)
{
    if (handle->service_fd < 0) {
        return;
    }
    if (handle->service_events != 0) {
        (void)system_calls.epoll_ctl(service_epoll_fd, EPOLL_CTL_DEL, handle->service_fd,
                                     NULL);
        handle->service_events = 0;
    }
    table_disown(handle->service_fd);
    system_calls.close(handle->service_fd);
    handle->service_fd = -1;
}

void
service_wait_for(struct handle *handle, uint32_t events)
{
    if (handle->service_events == events) {
        return;
    }
    struct epoll_event event = {.events = events, .data.ptr = handle};
    pthread_mutex_lock(&service_mutex);
    int op = handle->service_events == 0 ? EPOLL_CTL_ADD
             : events == 0               ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;
    if (handle->service_fd >= 0 &&
        system_calls.epoll_ctl(service_epoll_fd, op, handle->service_fd, &event) == 0) {
        handle->service_events = events;
    }
    pthread_mutex_unlock(&service_mutex);
}

/* Under the lock: a close may be giving it one at the same moment. */
void
service_give_fd(struct handle *handle, int fd)
{
    if (handle->service_fd < 0) {
        handle->service_fd = fd;
    } else if (fd >= 0) {
        table_disown(fd);
        system_calls.close(fd);
    }
}

bool
service_has_fd(struct handle *handle)
{
    if (handle->service_fd < 0) {
        pthread_mutex_lock(&service_mutex);
        if (atomic_load(&handle->session->state) != SESSION_PLAINTEXT) {
            service_give_fd(handle, table_dup(handle));
        }
        pthread_mutex_unlock(&service_mutex);
    }
    return handle->service_fd >= 0;
}

bool
service_forget(struct handle *handle, bool wait)
{
    if (wait) {
        pthread_mutex_lock(&service_mutex);
    } else if (pthread_mutex_trylock(&service_mutex) != 0) {
        return false;
    }
    if (!handle->lingering) {
        service_drop_fd(handle);
    }
    pthread_mutex_unlock(&service_mutex);
    return true;
}
