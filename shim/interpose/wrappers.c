/*
 * The wrappers of calls on one fd: look it up, forward or call down.
 *
 * What a call on any other fd costs is what the public function does, so all that needs
 * registers saved is in another one.
 */
#include "shim/interpose/governed.h"
#include "shim/interpose/unconnected.h"

#define ACQUIRE_read unconnected_acquire
#define ACQUIRE_write unconnected_acquire
#define ACQUIRE_fortify unconnected_acquire
#define ACQUIRE_socket table_acquire /* moves no data */
#define WITH_HANDLE(...) (handle, __VA_ARGS__)
#define SLOW static __attribute__((noinline, cold))
#define CALL(family, ret, name, params, args)
#define CALL_VARIADIC(family, ret, name, params)
#define CALL_FD(family, ret, name, params, args)                                         \
    SLOW ret looked_up_##name params                                                     \
    {                                                                                    \
        real_need();                                                                     \
        GOVERNED_SCOPE *handle = ACQUIRE_##family(fd);                                   \
        if (handle == NULL) {                                                            \
            return real.name args;                                                       \
        }                                                                                \
        int errno_before = errno;                                                        \
        return (ret)real_way_out(governed_##name WITH_HANDLE args, errno_before);        \
    }                                                                                    \
    ret name params;                                                                     \
    INTERPOSE ret name params                                                            \
    {                                                                                    \
        if (__builtin_expect(real.ready && !table_has(fd), 1)) {                         \
            return real.name args;                                                       \
        }                                                                                \
        return looked_up_##name args;                                                    \
    }
#define CALL_ALIAS(family, target, name)

#include "shim/interpose/calls.def"

INTERPOSE_GLIBC_ALIAS(__read, read);
INTERPOSE_GLIBC_ALIAS(__write, write);
INTERPOSE_GLIBC_ALIAS(__send, send);
INTERPOSE_GLIBC_ALIAS(preadv64v2, preadv2);
INTERPOSE_GLIBC_ALIAS(pwritev64v2, pwritev2);
