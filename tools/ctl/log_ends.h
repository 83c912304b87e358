/*
 * Who is at the ends of a connection, by a line of the audit log.
 */
#ifndef TOOLS_CTL_LOG_ENDS_H
#define TOOLS_CTL_LOG_ENDS_H

#include "tools/ctl/log_line.h"

#define LOG_ENDS_SERVER_LEN 256

/* An address without its port and brackets. */
struct log_line_text log_ends_host(struct log_line_text address);

/* The name of the peer that says most: a URI or the first of its alternative names
 * ("URI:spiffe://corp/a", "DNS:b"), else its subject; empty without a certificate. */
struct log_line_text log_ends_peer(const struct log_line *line);

/* The server's end: "db.internal:5432" for one that was dialled, "*:8080" for our own. */
struct log_line_text log_ends_server(const struct log_line *line,
                                     char room[LOG_ENDS_SERVER_LEN]);

#endif
