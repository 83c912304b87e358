/*
 * What a program that knows of the shim may ask of a governed socket: shim/mtls_shim.h.
 */
#ifndef SHIM_INTERPOSE_ASK_H
#define SHIM_INTERPOSE_ASK_H

#include <sys/socket.h>

#include "shim/session/session.h"

/*
 * Answers getsockopt(fd, SOL_MTLS_SHIM, name, value, len).
 *
 * Returns  0; -errno as mtls_shim.h says.
 */
int ask_option(struct handle *handle, int fd, int name, void *value, socklen_t *len);

#endif
