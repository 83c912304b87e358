/*
 * What the files of the service share, and nobody else sees: service.c has the thread,
 * the list of what it looks after and its wake-ups, service_step.c what is done for one
 * session, service_fd.c the fds that this takes.
 */
#ifndef SHIM_SESSION_SERVICE_STATE_H
#define SHIM_SESSION_SERVICE_STATE_H

#include <pthread.h>

#include "shim/session/service.h"

/* Guards the list and the watch fields of handles; never held during a step. */
extern pthread_mutex_t service_mutex;

/* What the thread waits with; -1 = not open yet. */
extern int service_epoll_fd;

/*
 * Does for a watched session what is due now, without waiting; the handle may be
 * unwatched, and gone, afterwards unless the caller has a reference.
 *
 * Safe     not under the lock; one thread at a time, the service's if there is one.
 */
void service_step(struct handle *handle, int64_t now);

/* A peer that says nothing costs this much: epoll tells when it does. Under the lock. */
bool service_waits_for_peer(const struct handle *handle, int64_t now);

/* Done with it, unless somebody asked anew while the step was under way. */
void service_unwatch(struct handle *handle);

/* Has epoll say when the handle's fd is ready for events; 0 = only time can help. */
void service_wait_for(struct handle *handle, uint32_t events);

/* Whether the service has an fd of its own of the session; makes one if not. */
bool service_has_fd(struct handle *handle);

/* Under the lock: gives the service such an fd, which is closed if it has one; -1 = none.
 */
void service_give_fd(struct handle *handle, int fd);

/* Under the lock: closes it. */
void service_drop_fd(struct handle *handle);

/* A dup keeps the open file description alive, and with it the program's epoll entry. */
void service_forget_epoll(int fd);

#endif
