/*
 * The audit log in the systemd journal, by its own protocol: the line is MESSAGE, and
 * each of its fields is one of the journal's: peer_subject is MTLS_PEER_SUBJECT.
 *
 * Source   systemd's JOURNAL_NATIVE_PROTOCOL.
 */
#ifndef SHIM_SESSION_AUDIT_JOURNAL_H
#define SHIM_SESSION_AUDIT_JOURNAL_H

#include "shim/session/audit_sink.h"

/* Each field of the line takes a few bytes more here. */
#define AUDIT_JOURNAL_LEN (AUDIT_SINK_LINE_MAX + 512)

/* Returns an fd, or -errno. */
int audit_journal_open(const struct audit_io *io);

/* See audit_sink_write(). */
bool audit_journal_write(int fd, struct audit_sink_line *line);

/*
 * Writes the fields of a line of JSON as the journal's.
 *
 *   json  in   as audit_json.h makes it: one flat object
 *
 * Returns  how many bytes.
 */
size_t audit_journal_fields(const char *json, size_t len, char out[AUDIT_JOURNAL_LEN]);

#endif
