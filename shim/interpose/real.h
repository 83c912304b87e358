/*
 * libc's own functions behind the ones that we interpose.
 */
#ifndef SHIM_INTERPOSE_REAL_H
#define SHIM_INTERPOSE_REAL_H

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wordexp.h>

#include "shim/libc/libc.h"

#define CALL(family, ret, name, params, args) ret(*name) params;
#define CALL_FD(family, ret, name, params, args) ret(*name) params;
#define CALL_VARIADIC(family, ret, name, params) ret(*name) params;
#define CALL_ALIAS(family, target, name)

/* NULL for what this libc does not have. */
struct real {
#include "shim/interpose/calls.def"
    bool ready;
};

#undef CALL
#undef CALL_FD
#undef CALL_VARIADIC
#undef CALL_ALIAS

extern struct real real;

/* Finds all of them; safe from any thread, before any constructor, and again. */
void real_find(void);

/* To be called first in every wrapper: another library's constructor may be the caller.
 */
static inline void
real_need(void)
{
    if (__builtin_expect(!real.ready, 0)) {
        real_find();
    }
}

/* A wrapper; the only functions that the library exports but for mtls_shim_*. */
#define INTERPOSE __attribute__((visibility("default")))
#if __has_attribute(copy)
#define INTERPOSE_COPY(target) copy(target)
#else
#define INTERPOSE_COPY(target)
#endif
#define INTERPOSE_ALIAS(name, target)                                                    \
    extern __typeof__(target) name                                                       \
        __attribute__((alias(#target), visibility("default"), INTERPOSE_COPY(target)))

/* From -errno to errno: the way out of a wrapper. On success errno keeps its value. */
static inline ssize_t
real_way_out(ssize_t result, int errno_before)
{
    errno = result < 0 ? (int)-result : errno_before;
    return result < 0 ? -1 : result;
}

#endif
