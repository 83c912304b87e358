/*
 * A session that a process of another user has made.  Who can write to a session has us
 * in hand, locks and lengths as well as keys, so that such memory is never used: what it
 * holds is checked, copied, and over for those who had it.
 */
#ifndef SHIM_SESSION_IMPORT_H
#define SHIM_SESSION_IMPORT_H

#include "shim/session/session.h"

/*
 *   memfd  in  whose session is open; still the caller's afterwards
 *
 * Returns  a handle (refs = 1) of a session in memory of our own, which this process
 *          holds; NULL: none of ours, not sound, or no memory.
 */
struct handle *session_import(int memfd);

#endif
