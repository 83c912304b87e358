#include "shim/session/http_client.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "shim/libc/libc.h"
#include "shim/session/session.h"
#include "shim/session/system.h"
#include "shim/session/table.h"
#include "shim/session/thread.h"

/* Waits for the socket. Returns 0, -ETIMEDOUT. */
static int
wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - session_now_ms();
        struct pollfd ready = {.fd = fd, .events = events};
        if (left <= 0) {
            return -ETIMEDOUT;
        }
        thread_rests();
        int result = system_calls.poll(&ready, 1, left < 1000 ? (int)left : 1000);
        int error = errno;
        thread_works();
        if (result > 0) {
            return 0;
        }
        if (result < 0 && error != EINTR) {
            return -error;
        }
    }
}

static int
finish_connect(int fd, int64_t deadline_ms)
{
    int error = 0;
    socklen_t len = sizeof(error);
    int result = wait_for(fd, POLLOUT, deadline_ms);
    if (result == 0 &&
        system_calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    return result < 0 ? result : -error;
}

static void
hang_up(_Atomic int *fd)
{
    int own = atomic_exchange(fd, -1);
    if (own >= 0) {
        table_disown(own);
        system_calls.close(own);
    }
}

static int
dial_one(const struct addrinfo *address, int64_t deadline_ms, _Atomic int *fd)
{
    int made = system_calls.socket(address->ai_family,
                                   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0) {
        return -errno;
    }
    made = table_raise(made);
    atomic_store(fd, made);
    if (system_calls.connect(made, address->ai_addr, address->ai_addrlen) == 0) {
        return 0;
    }
    int result = errno == EINPROGRESS ? finish_connect(made, deadline_ms) : -errno;
    if (result < 0) {
        hang_up(fd);
    }
    return result;
}

/* Tries one address after the other. */
static int
dial(const struct url *url, int64_t deadline_ms, _Atomic int *fd)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", url->port);
    if (system_calls.getaddrinfo(url->host, port, &hints, &found) != 0) {
        return -EHOSTUNREACH;
    }
    int result = -EHOSTUNREACH;
    for (const struct addrinfo *address = found; address != NULL && result != 0;
         address = address->ai_next) {
        if (session_now_ms() >= deadline_ms) {
            result = -ETIMEDOUT;
            break;
        }
        result = dial_one(address, deadline_ms, fd);
    }
    freeaddrinfo(found);
    return result;
}

static int
send_all(int fd, const void *data, size_t len, int64_t deadline_ms)
{
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t sent = system_calls.send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else if (errno == EAGAIN) {
            int result = wait_for(fd, POLLOUT, deadline_ms);
            if (result < 0) {
                return result;
            }
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static const char *
words_for(enum http_state state)
{
    switch (state) {
    case HTTP_MALFORMED:
        return "what the responder sends is no answer of HTTP, or it is cut short or too "
               "long";
    case HTTP_OTHER:
        return "the responder's answer is not of the type application/ocsp-response";
    default:
        return "the responder's status";
    }
}

static int
receive(int fd, int64_t deadline_ms, uint8_t *room, struct http_answer *answer,
        char words[HTTP_CLIENT_WORDS_LEN])
{
    size_t len = 0;
    enum http_state state = HTTP_MORE;
    while (state == HTTP_MORE) {
        ssize_t got =
            system_calls.recv(fd, room + len, HTTP_ANSWER_MAX - len, MSG_DONTWAIT);
        if (got >= 0) {
            len += (size_t)got;
            state = http_read(room, len, got == 0, answer);
        } else if (errno == EAGAIN) {
            int result = wait_for(fd, POLLIN, deadline_ms);
            if (result < 0) {
                return result;
            }
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    if (state == HTTP_REFUSED) {
        snprintf(words, HTTP_CLIENT_WORDS_LEN,
                 "the responder answers with HTTP status %d", answer->status);
    } else if (state != HTTP_WHOLE) {
        snprintf(words, HTTP_CLIENT_WORDS_LEN, "%s", words_for(state));
    }
    return state == HTTP_WHOLE ? 0 : -EPROTO;
}

int
http_client_post(const struct url *url, const uint8_t *body, size_t body_len,
                 int64_t deadline_ms, _Atomic int *fd, uint8_t *room,
                 struct http_answer *answer, char words[HTTP_CLIENT_WORDS_LEN])
{
    char header[HTTP_REQUEST_MAX];
    size_t header_len = http_post(url, body_len, header);
    atomic_store(fd, -1);
    int result = dial(url, deadline_ms, fd);
    if (result == 0) {
        result = send_all(atomic_load(fd), header, header_len, deadline_ms);
    }
    if (result == 0) {
        result = send_all(atomic_load(fd), body, body_len, deadline_ms);
    }
    if (result == 0) {
        result = receive(atomic_load(fd), deadline_ms, room, answer, words);
    }
    hang_up(fd);
    if (result == -ETIMEDOUT) {
        snprintf(words, HTTP_CLIENT_WORDS_LEN, "the responder does not answer in time");
    } else if (result < 0 && result != -EPROTO) {
        snprintf(words, HTTP_CLIENT_WORDS_LEN, "the responder cannot be reached: %s",
                 strerrordesc_np(-result));
    }
    return result;
}
