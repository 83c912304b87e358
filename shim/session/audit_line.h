/*
 * What a line of the audit log says.  audit.schema.json describes it for others.
 */
#ifndef SHIM_SESSION_AUDIT_LINE_H
#define SHIM_SESSION_AUDIT_LINE_H

#include "shim/session/audit_sink.h"

/* What does not come from the record. */
struct audit_line_about {
    const char *program, *command, *service; /* command.h */
    int pid;
    uint64_t dropped;    /* lines of any event that did not get through */
    uint64_t suppressed; /* lines of this event that were too many */
};

/* Their names, by enum policy_log_level. */
enum { AUDIT_LINE_LEVELS = POLICY_LEVEL_DEBUG + 1 };
extern const char *const audit_line_levels[AUDIT_LINE_LEVELS];

enum policy_log_level audit_line_level(enum audit_event event);
const char *audit_line_event(enum audit_event event);

/* Safe: async-signal-safe, allocates nothing. */
void audit_line_format(const struct audit_record *record,
                       const struct audit_line_about *about,
                       struct audit_sink_line *line);

#endif
