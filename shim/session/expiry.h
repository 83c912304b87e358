/*
 * Warns in the log when a certificate of our own is about to end.
 */
#ifndef SHIM_SESSION_EXPIRY_H
#define SHIM_SESSION_EXPIRY_H

#include <stdbool.h>

#include "shim/session/generation.h"

/* At start: a descendant of a process that warns waits for its day to pass. */
void expiry_start(const struct generation *first, bool is_descendant);

/* Warns of what is within expiry_warning, once for each certificate and then once a day.
 * For one thread at a time; cheap while there is nothing to say. */
void expiry_look(const struct generation *newest);

#endif
