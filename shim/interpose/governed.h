/*
 * What the generated wrappers (wrappers.c) call for a governed fd; each as its libc
 * namesake, but -errno for an error.  The caller holds a reference to the handle.
 */
#ifndef SHIM_INTERPOSE_GOVERNED_H
#define SHIM_INTERPOSE_GOVERNED_H

#include "shim/interpose/real.h"
#include "shim/session/session.h"
#include "shim/session/table.h"

#define GOVERNED_PARAMS(...) (struct handle * handle, __VA_ARGS__)
#define CALL(family, ret, name, params, args)
#define CALL_FD(family, ret, name, params, args)                                         \
    ret governed_##name GOVERNED_PARAMS params;
#define CALL_VARIADIC(family, ret, name, params)
#define CALL_ALIAS(family, target, name)

#include "shim/interpose/calls.def"

#undef CALL
#undef CALL_FD
#undef CALL_VARIADIC
#undef CALL_ALIAS

/* Gives the reference back at the end of the scope, also when the thread is cancelled. */
static inline void
governed_release(struct handle **handle)
{
    if (*handle != NULL) {
        table_release(*handle);
    }
}
#define GOVERNED_SCOPE __attribute__((cleanup(governed_release))) struct handle

#endif
