/*
 * Functions that this libc may be too old to have, or has none of: by their system calls.
 */
#ifndef SHIM_INTERPOSE_MISSING_H
#define SHIM_INTERPOSE_MISSING_H

#include "shim/interpose/real.h"

/* Fills in those of the pointers that are NULL.  found->syscall is there. */
void missing_fill(struct real *found);

#endif
