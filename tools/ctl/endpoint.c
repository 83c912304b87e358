#include "tools/ctl/endpoint.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

static bool
parse_port(const char *text, in_port_t *port)
{
    size_t len = strlen(text);
    long number = strtol(text, NULL, 10);

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len || number < 1 ||
        number > PORT_MAX) {
        return false;
    }
    *port = htons((uint16_t)number);
    return true;
}

/* Reads a host by itself, without brackets. */
static bool
parse_host(const char *host, struct endpoint *endpoint)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789._-";

    if (inet_pton(AF_INET, host, &endpoint->socket.in.sin_addr) == 1) {
        endpoint->socket.any.sa_family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, host, &endpoint->socket.in6.sin6_addr) == 1) {
        endpoint->socket.any.sa_family = AF_INET6;
        return true;
    }
    if (host[0] == '\0' || host[strspn(host, fit)] != '\0' ||
        host[strspn(host, "0123456789.")] == '\0') {
        return false;
    }
    memset(&endpoint->socket, 0, sizeof(endpoint->socket));
    memccpy(endpoint->name, host, '\0', sizeof(endpoint->name));
    return true;
}

/* Takes a host in brackets apart: "[::1]" or "[::1]:80". */
static bool
split_brackets(char *text, char **host, const char **port)
{
    char *end = strchr(text, ']');

    if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
        return false;
    }
    *end = '\0';
    *host = text + 1;
    *port = end[1] == ':' ? end + 2 : NULL;
    return strchr(*host, ':') != NULL;
}

bool
endpoint_parse(const char *text, struct endpoint *endpoint)
{
    char copy[ENDPOINT_NAME_LEN];
    char *host = copy;
    const char *port = NULL;
    in_port_t number = 0;
    char *colon;

    memset(endpoint, 0, sizeof(*endpoint));
    if (memccpy(copy, text, '\0', sizeof(copy)) == NULL) {
        return false;
    }
    colon = strchr(copy, ':');
    if (copy[0] == '[') {
        if (!split_brackets(copy, &host, &port)) {
            return false;
        }
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
        port = colon + 1;
    }
    if ((port != NULL && !parse_port(port, &number)) || !parse_host(host, endpoint)) {
        return false;
    }
    /* At the same place in both families. */
    endpoint->socket.in.sin_port = number;
    return true;
}

int
endpoint_port(const struct endpoint *endpoint)
{
    return ntohs(endpoint->socket.in.sin_port);
}

void
endpoint_resolve(struct endpoint *endpoint, const struct endpoint *address)
{
    in_port_t port = endpoint->socket.in.sin_port;

    endpoint->socket = address->socket;
    endpoint->socket.in.sin_port = port;
}
