/*
 * The audit log in a file, a FIFO, or wherever stderr leads.
 *
 * logrotate's copytruncate is served by O_APPEND.  Where it moves the file away, the new
 * one is found by its name, without a signal: in a folder that is kept open, since the
 * program may change its root.
 */
#ifndef SHIM_SESSION_AUDIT_FILE_H
#define SHIM_SESSION_AUDIT_FILE_H

#include "shim/session/audit_sink.h"

/* Opens a file or FIFO by its path. Returns an fd, or -errno. */
int audit_file_open(const char *path, const struct audit_io *io);

/* Opens what stderr leads to. Returns an fd; -ENOTSUP when it is the network's. */
int audit_file_open_stderr(const struct audit_io *io);

/* No file is followed any more. */
void audit_file_forget(const struct audit_io *io);

/*
 * Looks, once a second, whether the file still has its name, and has fd lead to the one
 * that has it now.  A name that nothing has waits for the next look: logrotate makes the
 * new file a moment after it has moved the old one.
 *
 * Returns  0; -errno once, when the new file cannot be opened: fd leads to the old one.
 * Safe     threads; after fork in the child; allocates nothing; changes errno.
 */
int audit_file_follow(int fd);

/* See audit_sink_write(). */
bool audit_file_write(int fd, struct audit_sink_line *line);

#endif
