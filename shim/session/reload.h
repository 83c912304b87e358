/*
 * The policy and the files of its identities are read again when they change on disk.
 *
 * Who connects or accepts looks, and so does the service thread while connections are
 * open, at most once a second all together.  Nobody waits for whoever is looking.
 */
#ifndef SHIM_SESSION_RELOAD_H
#define SHIM_SESSION_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#define RELOAD_LOOK_MS 1000

/* The first generation is installed: tells the log, and looks from now on.
 *
 *   is_descendant  in  of a process that has done so: nothing is said twice
 */
void reload_start(bool is_descendant);

/*
 * Looks whether anything has changed, if it is time to; what did is read, checked and
 * installed.  What cannot be used changes nothing; unless it is replaced within a few
 * seconds, as files that are being written are, the log tells, once.
 *
 * Safe     threads; may allocate; leaves errno alone.
 */
void reload_look(void);

/* How long until it is time to look, in ms, rounded up. */
int reload_wait_ms(void);

#endif
