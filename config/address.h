/*
 * Patterns of addresses, as remote and local have them: 10.0.0.0/8:5432, [::1]:5432,
 * db.internal:5432, *.internal:*, *:6000-6010.
 */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include "config/arena.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_LEN (INET6_ADDRSTRLEN + sizeof("[]:65535"))

enum address_kind { ADDRESS_ANY, ADDRESS_V4, ADDRESS_V6, ADDRESS_NAME };

/* A pattern. */
struct address {
    const char *text; /* as it was written */
    enum address_kind kind;
    uint8_t bytes[16];   /* of V4 and V6, network order */
    unsigned prefix_len; /* bits of them that count */
    const char *name;    /* of NAME: a glob */
    uint16_t first_port; /* 0 to 65535: any, even an unknown one */
    uint16_t last_port;
};

/* What is compared with patterns; without pointers into what it was made from but name.
 */
struct address_end {
    enum address_kind kind; /* ANY: the address is not known */
    uint8_t bytes[16];
    int port;         /* -1: not known; 0 counts as that */
    const char *name; /* that the program dialled; NULL = none */
    bool any_name;    /* it may have been any: fits every pattern that is a name */
};

/*
 * Reads a pattern.
 *
 *   text   in   lives as long as the pattern
 *   names  in   whether the pattern may be a name of a host
 *   why    out  on failure, what is wrong
 *
 * Returns  whether it is a pattern.
 */
bool address_parse(struct arena *arena, const char *text, bool names,
                   struct address *address, const char **why);

/*
 * Makes what can be compared from a socket's address; v4-mapped ones become IPv4.
 *
 *   socket  in  NULL = nothing known; AF_UNSPEC in a sockaddr_in = only the port is
 *   name    in  the name that was dialled, or NULL
 *
 * Safe     async-signal-safe.
 */
void address_end(const struct sockaddr *socket, const char *name,
                 struct address_end *end);

/* To connect to 0.0.0.0 or :: is to connect to loopback: makes it that. */
void address_end_is_remote(struct address_end *end);

/* Whether an end fits a pattern.  Safe: async-signal-safe. */
bool address_matches(const struct address *address, const struct address_end *end);

/* Writes "10.0.0.1:80", "[::1]:80" or, for what is not known, "?:80"; returns text. */
const char *address_end_text(const struct address_end *end, char text[ADDRESS_TEXT_LEN]);

#endif
