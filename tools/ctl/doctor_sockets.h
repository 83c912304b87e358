/* The TCP sockets of a process. */
#ifndef TOOLS_CTL_DOCTOR_SOCKETS_H
#define TOOLS_CTL_DOCTOR_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

union doctor_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct doctor_socket {
    unsigned long inode;
    bool is_listening; /* else connected */
    union doctor_address local, remote;
};

struct doctor_sockets {
    struct doctor_socket *list;
    size_t count;
    unsigned char listening[65536 / 8]; /* ports of anybody's, a bit each */
    bool complete; /* false: not all of its descriptors could be looked at */
};

/*
 * Reads /proc/PID/fd and /proc/PID/net.
 *
 *   sockets  out  to be released with doctor_sockets_done()
 */
void doctor_sockets_read(pid_t pid, struct doctor_sockets *sockets);

/* Whether somebody listens on the port: then a connection of it was accepted. */
bool doctor_sockets_has_port(const struct doctor_sockets *sockets,
                             const union doctor_address *local);

void doctor_sockets_done(struct doctor_sockets *sockets);

#endif
