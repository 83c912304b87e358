/*
 * Which name the program resolved to which address: what a certificate is checked for.
 */
#ifndef SHIM_INTERPOSE_NAMES_H
#define SHIM_INTERPOSE_NAMES_H

#include "shim/session/session.h"

/*
 * Remembers that this thread has resolved name to address; the oldest are forgotten.
 *
 *   name  in  NULL: the address itself was given, which takes an older name away
 */
void names_note(const char *name, const struct sockaddr *address);

/*
 * Finds the name last resolved to this address: by this thread, else by any.
 *
 *   name  out  SESSION_NAME_LEN bytes
 *
 * Returns  whether there is one; not when the last one by this thread was the address.
 */
bool names_find(const union session_address *address, char name[SESSION_NAME_LEN]);

/*
 * Goes through the names resolved to this address that some rule's remote speaks of:
 * those are not forgotten when others come that none does, and see
 * names_were_forgotten().
 *
 *   at    in/out  0 for the first call
 *   name  out     SESSION_NAME_LEN bytes
 *
 * Returns  whether there was one more.
 */
bool names_ruled(const union session_address *address, unsigned *at,
                 char name[SESSION_NAME_LEN]);

/*
 * Whether a name that some rule speaks of was resolved to this address and had to make
 * room: which rule the connection falls under cannot be told then. Once in a blue moon it
 * is said of another address, too.
 */
bool names_were_forgotten(const union session_address *address);

/* For pthread_atfork(): another thread may have been at it. */
void names_fork_child(void);

#endif
