/*
 * The environment that keeps the shim over exec, also where a program hands on one of
 * its own making.
 */
#ifndef SHIM_INTERPOSE_ENVIRONMENT_H
#define SHIM_INTERPOSE_ENVIRONMENT_H

#include <stdbool.h>

#include "shim/session/peer.h"

/*
 * As getenv(3), which a program may have one of its own of: bash's knows nothing of the
 * environment once a variable has been set.
 */
const char *environment_get(const char *name);

/* Whether a program that had the shim has started this one: it may have given up the
 * right to read what the first one read. */
bool environment_was_loaded(void);

/* Remembers what this process was started with, and marks it for those it starts. */
void environment_remember(void);

/*
 * Completes an environment by those of LD_PRELOAD and MTLS_SHIM_* that it lacks and this
 * process had; the library is in LD_PRELOAD then.  What unconnected_tell() says is in it.
 *
 *   env      in  NULL-terminated; NULL is an empty one
 *   library  in  which is to be in LD_PRELOAD in the place of our own; "" = our own
 *
 * Returns  a new array for free(), its strings are env's and ours; NULL when env lacks
 *          nothing (or there is no memory).
 */
char **environment_keep(char *const env[], const char *library);

/*
 * Tells the program who is at the other end of its standard input, in MTLS_PEER_SUBJECT,
 * MTLS_PEER_URI and MTLS_PEER_SHA256; NULL: takes away what claims to.
 */
void environment_set_peer(const struct peer *peer);

/* As environment_keep() for a child that libc starts by itself: our own environment is
 * its, until environment_have_own(). */
void environment_keep_own(const char *library);
void environment_have_own(const char *library);

/* Whether this environment switches us off in the program that gets it. */
bool environment_is_off(char *const env[]);

/* Whether the loader would still find the library's file for the next program; true where
 * it was not LD_PRELOAD that loaded us. Leaves errno alone. */
bool environment_has_library(void);

#endif
