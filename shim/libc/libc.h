/*
 * What differs between the C libraries that we are built for, under one name each. What
 * takes more than a line is in a file of its own, *_glibc.c or *_musl.c.
 */
#ifndef SHIM_LIBC_LIBC_H
#define SHIM_LIBC_LIBC_H

#include <features.h>

#ifdef __GLIBC__
#include "shim/libc/glibc.h"
#else
#include "shim/libc/musl.h"
#endif

#endif
