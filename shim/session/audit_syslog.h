/*
 * The audit log through syslog's socket.
 *
 * Source   RFC 5424 section 6.
 */
#ifndef SHIM_SESSION_AUDIT_SYSLOG_H
#define SHIM_SESSION_AUDIT_SYSLOG_H

#include "shim/session/audit_sink.h"

/* Returns an fd, or -errno. */
int audit_syslog_open(const struct audit_io *io);

/* See audit_sink_write(). */
bool audit_syslog_write(int fd, struct audit_sink_line *line);

#endif
