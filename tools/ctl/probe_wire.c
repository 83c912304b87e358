#include "tools/ctl/probe_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
probe_wire_wait(const struct probe_wire *wire, short events)
{
    for (;;) {
        struct pollfd ready = {.fd = wire->fd, .events = events};
        int64_t left = wire->deadline_ms - session_now_ms();
        int count = left > 0 ? poll(&ready, 1, (int)left) : 0;

        if (count > 0) {
            return 0;
        }
        if (count == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

/* Waits for a connect that is under way. */
static int
finish_connect(const struct probe_wire *wire)
{
    int error = 0;
    socklen_t len = sizeof(error);
    int rc = probe_wire_wait(wire, POLLOUT);

    if (rc != 0) {
        return rc;
    }
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return -errno;
    }
    return -error;
}

static int
dial_one(struct probe_wire *wire, const struct addrinfo *address)
{
    char text[PROBE_WIRE_TEXT];
    socklen_t len = sizeof(wire->local);
    int rc = 0;

    memcpy(&wire->remote, address->ai_addr, address->ai_addrlen);
    wire->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wire->fd < 0) {
        rc = -errno;
    } else if (connect(wire->fd, address->ai_addr, address->ai_addrlen) != 0) {
        rc = errno == EINPROGRESS ? finish_connect(wire) : -errno;
    }
    if (rc == 0) {
        (void)getsockname(wire->fd, &wire->local.any, &len);
        return 0;
    }
    probe_wire_close(wire);
    snprintf(wire->error, sizeof(wire->error), "%s: %s", probe_wire_text(wire, text),
             rc == -ETIMEDOUT ? "no answer in time; is it up, and does a firewall let "
                                "you there?"
             : rc == -ECONNREFUSED ? "connection refused: nobody listens there"
                                   : strerror(-rc));
    return rc;
}

int
probe_wire_dial(struct probe_wire *wire, const char *host, int port, int64_t timeout_ms)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    char service[16];
    int rc;

    memset(wire, 0, sizeof(*wire));
    wire->fd = -1;
    snprintf(service, sizeof(service), "%d", port);
    rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        snprintf(wire->error, sizeof(wire->error), "%s: cannot be resolved: %s", host,
                 gai_strerror(rc));
        return -EHOSTUNREACH;
    }
    wire->deadline_ms = session_now_ms() + timeout_ms;
    rc = -EHOSTUNREACH;
    for (const struct addrinfo *at = list; rc != 0 && at != NULL; at = at->ai_next) {
        rc = dial_one(wire, at);
    }
    freeaddrinfo(list);
    return rc;
}

void
probe_wire_close(struct probe_wire *wire)
{
    if (wire->fd >= 0) {
        close(wire->fd);
    }
    wire->fd = -1;
}

int
probe_wire_send(const struct probe_wire *wire, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(wire->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN) {
            int rc = probe_wire_wait(wire, POLLOUT);

            if (rc != 0) {
                return rc;
            }
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

ssize_t
probe_wire_receive(const struct probe_wire *wire, uint8_t *data, size_t len)
{
    for (;;) {
        ssize_t got = recv(wire->fd, data, len, MSG_DONTWAIT);
        int rc;

        if (got >= 0) {
            return got;
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EAGAIN) {
            return -errno;
        }
        rc = probe_wire_wait(wire, POLLIN);
        if (rc != 0) {
            return rc;
        }
    }
}

const char *
probe_wire_text(const struct probe_wire *wire, char text[PROBE_WIRE_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool is_6 = wire->remote.any.sa_family == AF_INET6;

    inet_ntop(wire->remote.any.sa_family,
              is_6 ? (const void *)&wire->remote.in6.sin6_addr
                   : (const void *)&wire->remote.in.sin_addr,
              host, sizeof(host));
    snprintf(text, PROBE_WIRE_TEXT, is_6 ? "[%s]:%u" : "%s:%u", host,
             (unsigned)ntohs(wire->remote.in.sin_port));
    return text;
}
