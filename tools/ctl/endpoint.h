/*
 * The ends of a connection on the command line: HOST:PORT, ADDRESS:PORT, ADDRESS.
 */
#ifndef TOOLS_CTL_ENDPOINT_H
#define TOOLS_CTL_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define ENDPOINT_NAME_LEN 256

struct endpoint {
    /* AF_UNSPEC for a name: only the port is known */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } socket;
    char name[ENDPOINT_NAME_LEN]; /* "" for an address */
};

/*
 * Reads 10.0.0.5:80, [::1]:80, db.internal:80 or, without a port, 10.0.0.5 and ::1; a
 * missing port is 0.
 *
 * Returns  whether it is one.
 */
bool endpoint_parse(const char *text, struct endpoint *endpoint);

/* The port in host order. */
int endpoint_port(const struct endpoint *endpoint);

/* Makes a name's endpoint one of this address, the port stays. */
void endpoint_resolve(struct endpoint *endpoint, const struct endpoint *address);

#endif
