/*
 * epoll(7).  An event carries the program's data, not the fd, so what was registered is
 * kept here; and of governed fds whose readiness may be none (ready.h) it is looked up.
 */
#ifndef SHIM_INTERPOSE_EPOLL_H
#define SHIM_INTERPOSE_EPOLL_H

/* fd, which some epoll instance may watch already, has become governed. */
void epoll_governed(int fd);

/* fd, which may itself be an epoll instance, is about to be closed. */
void epoll_closed(int fd);

/* For pthread_atfork(): another thread may have been at it. */
void epoll_fork_child(void);

#endif
