/*
 * The real system calls that the session layer makes, so that it never goes through
 * the functions which the library itself interposes.
 */
#ifndef SHIM_SESSION_SYSTEM_H
#define SHIM_SESSION_SYSTEM_H

#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "shim/libc/libc.h"

struct system_calls {
    ssize_t (*recv)(int fd, void *buf, size_t len, int flags);
    ssize_t (*send)(int fd, const void *buf, size_t len, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
    ssize_t (*read)(int fd, void *buf, size_t len);
    ssize_t (*write)(int fd, const void *buf, size_t len);
    int (*socket)(int family, int type, int protocol);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t len);
    /* what a resolver does for it is not governed either */
    int (*getaddrinfo)(const char *node, const char *service,
                       const struct addrinfo *hints, struct addrinfo **result);
    int (*shutdown)(int fd, int how);
    int (*close)(int fd);
    int (*poll)(struct pollfd *fds, nfds_t count, int timeout_ms);
    int (*fcntl)(int fd, int command, ...);
    int (*dup3)(int fd, int copy, int flags);
    int (*ioctl)(int fd, LIBC_IOCTL_REQUEST request, ...);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
    int (*epoll_ctl)(int epfd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epfd, struct epoll_event *events, int count, int timeout_ms);
};
extern struct system_calls system_calls;

#endif
