/*
 * One thread, a bounded number of clients, a bounded time and request for each: it may be
 * run where anybody can reach it.  Each request reads the directory anew.
 */
#include "tools/ctl/metrics_serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/ctl/ctl.h"
#include "tools/ctl/endpoint.h"
#include "tools/ctl/metrics_text.h"

enum {
    CLIENTS_MAX = 32,
    REQUEST_MAX = 8192,
    PATIENCE_MS = 10000, /* for a request to come and its answer to be taken */
};

struct client {
    int fd; /* -1 = free */
    int64_t deadline_ms;
    char request[REQUEST_MAX + 1];
    size_t request_len;
    char *answer; /* NULL = the request is not whole yet */
    size_t answer_len, answer_sent;
};

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
end(struct client *client)
{
    close(client->fd);
    free(client->answer);
    *client = (struct client){.fd = -1};
}

/* ---- answers
 * --------------------------------------------------------------------------- */

static void
put_head(FILE *out, const char *status, const char *type, size_t len)
{
    fprintf(out,
            "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            status, type, len);
}

static void
put_page(FILE *out, const char *status, const char *type, const char *body, bool is_head)
{
    put_head(out, status, type, strlen(body));
    if (!is_head) {
        fputs(body, out);
    }
}

static void
put_metrics(FILE *out, const char *dir, bool is_head)
{
    char *body = NULL;
    size_t len = 0;
    struct metrics_view *view = metrics_read(dir);
    FILE *text = view != NULL ? open_memstream(&body, &len) : NULL;
    if (text != NULL) {
        metrics_text(text, view);
        fclose(text);
    }
    metrics_read_free(view);
    if (body == NULL) {
        put_page(out, "500 Internal Server Error", "text/plain",
                 "metrics_dir cannot be read\n", is_head);
        return;
    }
    put_head(out, "200 OK", METRICS_TEXT_TYPE, len);
    if (!is_head) {
        fwrite(body, 1, len, out);
    }
    free(body);
}

/* Whether the request is for this path, with or without a query. */
static bool
is_for(const char *path, const char *want)
{
    size_t len = strlen(want);
    return strncmp(path, want, len) == 0 && strchr(" ?\r\n", path[len]) != NULL;
}

static void
put_answer(FILE *out, const char *request, const char *dir)
{
    static const char home[] = "<!doctype html><title>mtls-shim</title>"
                               "<p><a href=\"/metrics\">metrics</a></p>\n";
    bool is_head = strncmp(request, "HEAD ", 5) == 0;
    const char *path = strchr(request, ' ');
    if (path == NULL || strstr(path + 1, " HTTP/1.") == NULL) {
        put_page(out, "400 Bad Request", "text/plain", "bad request\n", false);
    } else if (!is_head && strncmp(request, "GET ", 4) != 0) {
        put_page(out, "405 Method Not Allowed", "text/plain", "GET and HEAD only\n",
                 false);
    } else if (is_for(path + 1, "/metrics")) {
        put_metrics(out, dir, is_head);
    } else if (is_for(path + 1, "/")) {
        put_page(out, "200 OK", "text/html", home, is_head);
    } else {
        put_page(out, "404 Not Found", "text/plain", "there is /metrics\n", is_head);
    }
}

/* Returns whether the client has an answer. */
static bool
answer(struct client *client, const char *dir)
{
    FILE *out = open_memstream(&client->answer, &client->answer_len);
    if (out == NULL) {
        return false;
    }
    put_answer(out, client->request, dir);
    return fclose(out) == 0;
}

/* ---- clients
 * --------------------------------------------------------------------------- */

/* Returns false when it is over. */
static bool
receive(struct client *client, const char *dir)
{
    ssize_t got = recv(client->fd, client->request + client->request_len,
                       REQUEST_MAX - client->request_len, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    client->request_len += (size_t)got;
    client->request[client->request_len] = '\0';
    if (strstr(client->request, "\r\n\r\n") != NULL ||
        strstr(client->request, "\n\n") != NULL) {
        return answer(client, dir);
    }
    return client->request_len < REQUEST_MAX;
}

static bool
reply(struct client *client)
{
    ssize_t sent =
        send(client->fd, client->answer + client->answer_sent,
             client->answer_len - client->answer_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    client->answer_sent += (size_t)sent;
    return client->answer_sent < client->answer_len;
}

static bool
go_on(struct client *client, short events, const char *dir)
{
    if (now_ms() >= client->deadline_ms) {
        return false;
    }
    if (events == 0) {
        return true;
    }
    if (client->answer == NULL && !receive(client, dir)) {
        return false;
    }
    return client->answer == NULL || reply(client);
}

static void
admit(int listener, struct client clients[CLIENTS_MAX])
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd < 0) {
            clients[i].fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
            clients[i].deadline_ms = now_ms() + PATIENCE_MS;
            return;
        }
    }
}

/* Who comes while all places are taken waits in the kernel's queue. */
static void
serve(int listener, const char *dir)
{
    static struct client clients[CLIENTS_MAX];
    for (int i = 0; i < CLIENTS_MAX; i++) {
        clients[i].fd = -1;
    }
    for (;;) {
        struct pollfd polled[CLIENTS_MAX + 1];
        bool is_full = true;
        int count = 0;
        for (int i = 0; i < CLIENTS_MAX; i++) {
            short events = clients[i].answer == NULL ? POLLIN : POLLOUT;
            polled[i] = (struct pollfd){.fd = clients[i].fd, .events = events};
            is_full = is_full && clients[i].fd >= 0;
            count += clients[i].fd >= 0;
        }
        polled[CLIENTS_MAX] =
            (struct pollfd){.fd = is_full ? -1 : listener, .events = POLLIN};
        if (poll(polled, CLIENTS_MAX + 1, count > 0 ? 500 : -1) < 0 && errno != EINTR) {
            return;
        }
        for (int i = 0; i < CLIENTS_MAX; i++) {
            if (clients[i].fd >= 0 && !go_on(&clients[i], polled[i].revents, dir)) {
                end(&clients[i]);
            }
        }
        if (polled[CLIENTS_MAX].revents != 0) {
            admit(listener, clients);
        }
    }
}

/* ---- listening
 * ------------------------------------------------------------------------- */

static int
listen_at(const struct endpoint *endpoint)
{
    const int on = 1;
    int family = endpoint->socket.any.sa_family;
    socklen_t len =
        family == AF_INET6 ? sizeof(endpoint->socket.in6) : sizeof(endpoint->socket.in);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &endpoint->socket.any, len) != 0 || listen(fd, CLIENTS_MAX) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Port 0 is any: say which one it is. */
static void
say_address(int listener, struct endpoint *endpoint, const char *address)
{
    socklen_t len = sizeof(endpoint->socket);
    const char *colon = strrchr(address, ':');
    (void)getsockname(listener, &endpoint->socket.any, &len);
    fprintf(stderr, "mtlsctl: metrics: http://%.*s:%d/metrics\n", (int)(colon - address),
            address, endpoint_port(endpoint));
}

int
metrics_serve(const char *dir, const char *address)
{
    char whole[300];
    struct endpoint endpoint;
    snprintf(whole, sizeof(whole), "%s%s", address[0] == ':' ? "127.0.0.1" : "", address);
    if (!endpoint_parse(whole, &endpoint) || endpoint.name[0] != '\0' ||
        strrchr(whole, ':') == NULL) {
        fprintf(stderr, "mtlsctl: metrics: %s: want ADDRESS:PORT or :PORT\n", address);
        return CTL_EXIT_USAGE;
    }
    int listener = listen_at(&endpoint);
    if (listener < 0) {
        fprintf(stderr, "mtlsctl: metrics: %s: %s\n", whole, strerror(errno));
        return EXIT_FAILURE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    say_address(listener, &endpoint, whole);
    serve(listener, dir);
    return EXIT_FAILURE;
}
