/*
 * Where each open connection counts what it carries, and tells mtlsctl top of itself.
 */
#ifndef SHIM_SESSION_METRICS_OPEN_H
#define SHIM_SESSION_METRICS_OPEN_H

#include "shim/session/metrics_file.h"
#include "shim/session/session.h"

/* Gives an open connection of this process its place, unless it has one. */
void metrics_open_attach(struct handle *handle, struct metrics_live *live);

/* This process has the connection no more: what it has carried goes to the totals. */
void metrics_open_detach(struct handle *handle, struct metrics_live *live);

/* The child of a fork has places of its own. */
void metrics_open_fork_child(void);

#endif
