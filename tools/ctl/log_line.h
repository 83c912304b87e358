/*
 * One line of an audit log, taken apart.
 */
#ifndef TOOLS_CTL_LOG_LINE_H
#define TOOLS_CTL_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(symbol, key): the fields that a report looks at. */
#define LOG_LINE_FIELDS(X)                                                               \
    X(TIME, "time")                                                                      \
    X(EVENT, "event")                                                                    \
    X(PROGRAM, "program")                                                                \
    X(SERVICE, "service")                                                                \
    X(RULE, "rule")                                                                      \
    X(MODE, "mode")                                                                      \
    X(DIRECTION, "direction")                                                            \
    X(LOCAL, "local")                                                                    \
    X(REMOTE, "remote")                                                                  \
    X(DIALLED_NAME, "dialled_name")                                                      \
    X(REASON, "reason")                                                                  \
    X(DETAIL, "detail")                                                                  \
    X(PEER_SUBJECT, "peer_subject")                                                      \
    X(PEER_SAN, "peer_san")                                                              \
    X(PEER_SHA256, "peer_sha256")                                                        \
    X(PEER_NOT_AFTER, "peer_not_after")                                                  \
    X(ISSUER, "issuer")                                                                  \
    X(OWN_SERIAL, "own_serial")                                                          \
    X(IDENTITY, "identity")                                                              \
    X(VERSION, "version")                                                                \
    X(CIPHER, "cipher")                                                                  \
    X(GROUP, "group")                                                                    \
    X(RESUMED, "resumed")                                                                \
    X(BYTES_IN, "bytes_in")                                                              \
    X(BYTES_OUT, "bytes_out")                                                            \
    X(DURATION, "duration_ms")                                                           \
    X(DROPPED, "dropped")                                                                \
    X(SUPPRESSED, "suppressed")

enum log_line_field {
#define X(symbol, key) LOG_##symbol,
    LOG_LINE_FIELDS(X)
#undef X
        LOG_FIELD_COUNT
};

/* Text without a final NUL; empty where the line has no such field. */
struct log_line_text {
    const char *at;
    size_t len;
};

struct log_line {
    struct log_line_text field[LOG_FIELD_COUNT]; /* numbers and booleans as written */
};

struct log_line_parser;

/* Returns NULL with errno ENOMEM. */
struct log_line_parser *log_line_new(void);
void log_line_free(struct log_line_parser *parser);

/*
 * Takes one line apart.
 *
 *   text  in   the line, with or without its newline
 *   line  out  points into text and into the parser: until the next call
 *
 * Returns  whether it is a JSON object with a time and an event.
 */
bool log_line_parse(struct log_line_parser *parser, const char *text, size_t len,
                    struct log_line *line);

struct log_line_text log_line_text(const char *text);
bool log_line_is(struct log_line_text text, const char *word);
int64_t log_line_number(struct log_line_text text); /* 0 where it is none */

/*
 * The time of a line.
 *
 * Returns  milliseconds since the epoch; -1 when the text is no UTC time.
 * Source   RFC 3339, as the audit log writes it (Z, any or no fraction).
 */
int64_t log_line_time_ms(struct log_line_text text);

#endif
