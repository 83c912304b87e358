/* The wrappers of calls on one fd: look it up, forward or call down. */
#include "shim/interpose/governed.h"

#define WITH_HANDLE(...) (handle, __VA_ARGS__)
#define CALL(family, ret, name, params, args)
#define CALL_VARIADIC(family, ret, name, params)
#define CALL_FD(family, ret, name, params, args)                                         \
    ret name params;                                                                     \
    INTERPOSE ret name params                                                            \
    {                                                                                    \
        real_need();                                                                     \
        GOVERNED_SCOPE *handle = table_acquire(fd);                                      \
        if (__builtin_expect(handle == NULL, 1)) {                                       \
            return real.name args;                                                       \
        }                                                                                \
        int errno_before = errno;                                                        \
        return (ret)real_way_out(governed_##name WITH_HANDLE args, errno_before);        \
    }
#define CALL_ALIAS(family, target, name)

#include "shim/interpose/calls.def"

INTERPOSE_ALIAS(__read, read);
INTERPOSE_ALIAS(__write, write);
INTERPOSE_ALIAS(__send, send);
