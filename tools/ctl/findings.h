/*
 * What mtlsctl doctor has found, in the order in which it looked.
 */
#ifndef TOOLS_CTL_FINDINGS_H
#define TOOLS_CTL_FINDINGS_H

#include <stddef.h>

enum findings_severity {
    FINDINGS_OK,
    FINDINGS_NOTE,    /* good to know */
    FINDINGS_WARNING, /* something may go on unprotected, or will fail some day */
    FINDINGS_BLOCKER, /* not covered, or does not start */
};

struct finding {
    enum findings_severity severity;
    const char *code;   /* stable, for programs: "static" */
    char *text;         /* one line */
    const char *remedy; /* what to do; NULL = nothing */
};

struct findings {
    struct finding *list;
    size_t count;
};

/* Keeps a finding; text is printf-like, code and remedy are string constants. */
void findings_add(struct findings *findings, enum findings_severity severity,
                  const char *code, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* "ok", "note", "warning", "blocker" */
const char *findings_severity_name(enum findings_severity severity);

/* How many there are of a severity. */
size_t findings_count(const struct findings *findings, enum findings_severity severity);

void findings_done(struct findings *findings);

#endif
